"""The worker of diagnose jobs: looks at the cluster's rows and says what it found."""

import logging

from clustergenie import db, diagnosis, jobs
from clustergenie.errors import NotFoundError
from clustergenie.http import Delivery, Reply, subscriber
from clustergenie.jobs import Outcome, Run

log = logging.getLogger("job-diagnose")


@subscriber("cluster-events")
def handle(delivery: Delivery) -> Reply:
    job_id, worker = delivery.event.subject, delivery.runtime.worker
    try:
        job = jobs.perform(delivery.db, job_id, diagnose, worker=worker, clock=delivery.clock)
    except NotFoundError:
        log.info("nothing to do: the job was deleted with its cluster")
        return Reply(200, {"job_id": job_id, "status": "deleted"})
    return Reply(200, {"job_id": job_id, "status": job.status})


def diagnose(run: Run) -> Outcome:
    with db.reading(run.engine) as connection:
        snapshot = diagnosis.take(connection, run.job.cluster_id, without_job=run.job.id, clock=run.clock)
    run.progress(50, f"read {len(snapshot.droplets)} droplets and {len(snapshot.jobs)} jobs")
    found = diagnosis.diagnose(snapshot)
    return Outcome(found.summary, found.to_json())
