"""Show one job; ?include=events,logs,attempts shows those beside it."""

from clustergenie import activity, jobs
from clustergenie.http import Reply, Request, Role, endpoint
from clustergenie.jobs import GetJob
from clustergenie.logs.lines import LogFilter

#: Most log lines shown beside a job; GET /api/v1/jobs/{id}/logs has all of them.
MOST_LINES = 500


@endpoint("GET", "/api/v1/jobs/{id}", role=Role.VIEWER, query=GetJob)
def handle(request: Request[None, GetJob]) -> Reply:
    job = jobs.get(request.db, request.parameters["id"])
    body = {"job": job.to_json(), "message": f"The {job.type} job is {job.status}"}
    if request.query.wants("attempts"):
        body["attempts"] = [attempt.to_json() for attempt in jobs.attempts(request.db, job.id)]
    if request.query.wants("events"):
        body["events"] = [entry.to_json() for entry in activity.of_job(request.db, job.id)[0]]
    if request.query.wants("logs"):
        page = request.log.query(LogFilter(job_id=job.id, limit=MOST_LINES))
        body["logs"] = [line.to_json() for line in page.lines]
    return Reply(200, body)
