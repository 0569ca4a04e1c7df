"""The log lines of a job, oldest first."""

from clustergenie import jobs
from clustergenie.http import Reply, Request, Role, endpoint
from clustergenie.logs.requests import JobLogs


@endpoint("GET", "/api/v1/jobs/{id}/logs", role=Role.VIEWER, query=JobLogs)
def handle(request: Request[None, JobLogs]) -> Reply:
    job = jobs.get(request.db, request.parameters["id"])
    page = request.log.query(request.query.filter(job.id))
    return Reply(200, {"items": [line.to_json() for line in page.lines], "next_cursor": page.next_cursor})
