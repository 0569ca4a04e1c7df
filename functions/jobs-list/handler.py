"""List jobs, newest first unless asked otherwise."""

from clustergenie import jobs
from clustergenie.http import Reply, Request, Role, endpoint
from clustergenie.jobs import ListJobs


@endpoint("GET", "/api/v1/jobs", role=Role.VIEWER, query=ListJobs)
def handle(request: Request[None, ListJobs]) -> Reply:
    found, page = jobs.find(request.db, request.query)
    return Reply(200, {"jobs": [job.to_json() for job in found], **request.query.envelope(page)})
