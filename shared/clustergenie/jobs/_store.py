"""Jobs as rows: made with their request event, read, listed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, select
from sqlalchemy.exc import IntegrityError

from clustergenie import clusters, db, ids
from clustergenie.clock import Clock, system_clock
from clustergenie.db.tables import job_attempts, jobs
from clustergenie.errors import FieldProblem, InvalidError, NotFoundError
from clustergenie.events import CLUSTER_EVENTS, outbox
from clustergenie.events.catalogue import JobPayload, JobRequested
from clustergenie.jobs._record import Attempt, Job
from clustergenie.jobs._requests import CreateJob, ListJobs
from clustergenie.jobs._states import JobStatus, JobType
from clustergenie.origin import Origin

#: Types of jobs that have a worker function; a job of another type would wait for ever.
DEPLOYED_TYPES = frozenset({JobType.DIAGNOSE})
_PARAMETER = "cluster_id"


def create(engine: Engine, wanted: CreateJob, origin: Origin, *, clock: Clock = system_clock) -> Job:
    """A queued job, and the event that asks a worker for it. Raises InvalidError, and NotFoundError for its cluster."""
    cluster_id = _cluster_id(wanted)
    row: dict[str, Any] = {
        "id": ids.new(f"job-{wanted.type}"), "cluster_id": cluster_id, "type": wanted.type.value,
        "status": JobStatus.QUEUED.value, "progress": 0, "attempts": 0, "parameters": wanted.parameters,
        "result": None, "result_data": None, "error": None, "trace_id": origin.trace_id,
        "traceparent": origin.traceparent, "created_by": origin.subject, "created_at": clock(),
        "started_at": None, "completed_at": None,
    }  # fmt: skip
    payload = JobRequested(
        job_id=row["id"], job_type=wanted.type.value, cluster_id=cluster_id, parameters=wanted.parameters,
        created_by=origin.subject,
    )  # fmt: skip

    def unit(connection: Connection) -> Job:
        clusters.load(connection, cluster_id)
        try:
            connection.execute(jobs.insert(), row)
        except IntegrityError as error:
            # It was deleted between the two statements.
            raise NotFoundError("cluster", cluster_id) from error
        tell(connection, payload, origin.traceparent, clock)
        return Job.from_row(row)

    return db.transact(engine, unit)


def get(engine: Engine, job_id: str) -> Job:
    """Raises NotFoundError."""
    with db.reading(engine) as connection:
        row = connection.execute(select(jobs).where(jobs.c.id == job_id)).mappings().one_or_none()
    if row is None:
        raise NotFoundError("job", job_id)
    return Job.from_row(row)


def find(engine: Engine, wanted: ListJobs) -> tuple[list[Job], db.Page]:
    """One page of the jobs that fit."""
    query = select(jobs)
    for name in ("status", "type", "cluster_id"):
        value = getattr(wanted, name)
        if value is not None:
            query = query.where(jobs.c[name] == str(value))
    with db.reading(engine) as connection:
        page = db.Page.fetch(connection, query, jobs.c.id, wanted.paging(wanted.sort_by))
    return [Job.from_row(row) for row in page.rows], page


def attempts(engine: Engine, job_id: str) -> list[Attempt]:
    """In their order."""
    query = select(job_attempts).where(job_attempts.c.job_id == job_id).order_by(job_attempts.c.number)
    with db.reading(engine) as connection:
        return [Attempt(**row) for row in connection.execute(query).mappings()]


def lock(connection: Connection, job_id: str) -> Job:
    """The job, which nobody else can change before this transaction ends; raises NotFoundError."""
    query = select(jobs).where(jobs.c.id == job_id).with_for_update()
    row: RowMapping | None = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFoundError("job", job_id)
    return Job.from_row(row)


def change(connection: Connection, job_id: str, values: Mapping[str, Any]) -> None:
    connection.execute(jobs.update().where(jobs.c.id == job_id).values(values))


def tell(connection: Connection, payload: JobPayload, traceparent: str, clock: Clock) -> None:
    """Store the event of a change in the change's own transaction."""
    event = payload.event(payload.job_id, clock=clock)
    outbox.append(connection, CLUSTER_EVENTS, payload.job_id, event, traceparent)


def _cluster_id(wanted: CreateJob) -> str:
    if wanted.type not in DEPLOYED_TYPES:
        deployed = ", ".join(sorted(DEPLOYED_TYPES))
        raise InvalidError(
            FieldProblem("type", f"no worker for {wanted.type} jobs is deployed; use {deployed}")
        )
    beside = wanted.parameters.get(_PARAMETER) or None
    if wanted.cluster_id and beside and wanted.cluster_id != beside:
        raise InvalidError(FieldProblem("parameters.cluster_id", "differs from cluster_id; give one of them"))
    cluster_id = wanted.cluster_id or beside
    if cluster_id is None:
        raise InvalidError(FieldProblem("cluster_id", f"a {wanted.type} job needs the id of a cluster"))
    return cluster_id
