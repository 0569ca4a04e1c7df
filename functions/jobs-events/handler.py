"""What happened to a job, event by event."""

from clustergenie import activity, jobs
from clustergenie.activity import JobEvents
from clustergenie.http import Reply, Request, Role, endpoint


@endpoint("GET", "/api/v1/jobs/{id}/events", role=Role.VIEWER, query=JobEvents)
def handle(request: Request[None, JobEvents]) -> Reply:
    job = jobs.get(request.db, request.parameters["id"])
    entries, page = activity.of_job(request.db, job.id, request.query)
    return Reply(200, {"items": [entry.to_json() for entry in entries], **request.query.envelope(page)})
