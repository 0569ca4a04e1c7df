"""Queue a job; a worker function is asked for it by the event that is stored with it."""

import logging

from clustergenie import jobs
from clustergenie.http import Reply, Request, Role, endpoint
from clustergenie.jobs import CreateJob
from clustergenie.logs import bind

log = logging.getLogger("jobs-create")


@endpoint("POST", "/api/v1/jobs", role=Role.OPERATOR, body=CreateJob)
def handle(request: Request[CreateJob]) -> Reply:
    job = jobs.create(request.db, request.body, request.origin, clock=request.clock)
    bind(job_id=job.id)
    log.info("the %s job is queued for %s", job.type, job.cluster_id)
    body = {"job": job.to_json(), "message": f"The {job.type} job is queued"}
    return Reply(202, body, location=f"/api/v1/jobs/{job.id}")
