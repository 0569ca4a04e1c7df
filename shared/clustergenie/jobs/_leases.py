"""Attempts: who works at a job, until when, and how it ends. Each change is one transaction with its event.

The lock order is job, then attempt. Only an attempt that is still ``running`` can write: a claim by another turns it
into ``lost`` in the transaction that makes the new one, so that two can never both finish.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, select

from clustergenie import db
from clustergenie.clock import Clock, system_clock
from clustergenie.db.tables import job_attempts
from clustergenie.errors import LeaseHeldError, LeaseLostError
from clustergenie.events.catalogue import (
    JobCancelled,
    JobCompleted,
    JobFailed,
    JobPayload,
    JobProgress,
    JobStarted,
)
from clustergenie.jobs._record import Attempt, Job
from clustergenie.jobs._states import JobStatus, check
from clustergenie.jobs._store import change, lock, tell

#: How long an attempt is believed alive after its last heartbeat, in seconds.
LEASE_SECONDS = 10.0
#: A job whose workers died this often is given up: it may be what kills them.
MAX_ATTEMPTS = 5


def claim(
    engine: Engine,
    job_id: str,
    worker: str,
    *,
    lease_seconds: float = LEASE_SECONDS,
    clock: Clock = system_clock,
) -> Attempt | Job:
    """A new attempt for ``worker``; the job itself when it is finished already and there is nothing to do.

    Raises LeaseHeldError while another attempt's lease lives, NotFoundError when there is no such job.
    """

    def unit(connection: Connection) -> Attempt | Job:
        job, now = lock(connection, job_id), clock()
        if job.status.is_final:
            return job
        _end_dead_attempt(connection, job, now)
        if job.attempts >= MAX_ATTEMPTS:
            return _give_up(connection, job, clock)
        attempt = Attempt(
            job_id, job.attempts + 1, worker, "running", now, now, now + timedelta(seconds=lease_seconds)
        )
        connection.execute(job_attempts.insert(), vars(attempt))
        check(job_id, job.status, JobStatus.RUNNING)
        started = job.started_at or now
        values = {"status": JobStatus.RUNNING.value, "attempts": attempt.number, "started_at": started}
        change(connection, job_id, values)
        tell(
            connection,
            JobStarted(**_about(job), attempt=attempt.number, worker=worker),
            job.traceparent,
            clock,
        )
        return attempt

    return db.transact(engine, unit)


def heartbeat(
    engine: Engine, attempt: Attempt, *, lease_seconds: float = LEASE_SECONDS, clock: Clock = system_clock
) -> None:
    """Prolong the lease from now; raises LeaseLostError."""
    now = clock()
    values = {"heartbeat_at": now, "lease_until": now + timedelta(seconds=lease_seconds)}
    db.transact(engine, lambda connection: _write_attempt(connection, attempt, values))


def progress(
    engine: Engine,
    attempt: Attempt,
    percent: int,
    message: str,
    *,
    lease_seconds: float = LEASE_SECONDS,
    clock: Clock = system_clock,
) -> None:
    """Tell how far the work is, and prolong the lease; raises LeaseLostError. Progress never goes back."""

    def unit(connection: Connection) -> None:
        job, now = lock(connection, attempt.job_id), clock()
        values = {"heartbeat_at": now, "lease_until": now + timedelta(seconds=lease_seconds)}
        _write_attempt(connection, attempt, values)
        change(connection, job.id, {"progress": max(job.progress, percent)})
        about = {**_about(job), "attempt": attempt.number, "progress": percent}
        tell(connection, JobProgress(**about, message=message), job.traceparent, clock)

    db.transact(engine, unit)


def complete(
    engine: Engine, attempt: Attempt, result: str, data: Mapping[str, Any], *, clock: Clock = system_clock
) -> Job:
    """End the job well; raises LeaseLostError when another attempt has taken over, and writes nothing then."""
    values = {"progress": 100, "result": result, "result_data": dict(data)}
    return _finish(engine, attempt, JobStatus.COMPLETED, values, clock)


def fail(engine: Engine, attempt: Attempt, error: str, *, clock: Clock = system_clock) -> Job:
    """End the job badly; ``error`` says why. Raises LeaseLostError as :func:`complete` does."""
    return _finish(engine, attempt, JobStatus.FAILED, {"error": error}, clock)


def cancel(engine: Engine, job_id: str, by: str, *, clock: Clock = system_clock) -> Job:
    """End a job nobody wants any more; its worker finds its lease lost. ConflictError when it is finished."""

    def unit(connection: Connection) -> Job:
        job, now = lock(connection, job_id), clock()
        check(job_id, job.status, JobStatus.CANCELLED)
        running = job_attempts.c.job_id == job_id, job_attempts.c.status == "running"
        ended = {"status": "cancelled", "finished_at": now}
        connection.execute(job_attempts.update().where(*running).values(ended))
        change(connection, job_id, {"status": JobStatus.CANCELLED.value, "completed_at": now})
        tell(connection, JobCancelled(**_about(job), cancelled_by=by), job.traceparent, clock)
        return lock(connection, job_id)

    return db.transact(engine, unit)


def _finish(
    engine: Engine, attempt: Attempt, status: JobStatus, values: Mapping[str, Any], clock: Clock
) -> Job:
    def unit(connection: Connection) -> Job:
        job, now = lock(connection, attempt.job_id), clock()
        error = values.get("error")
        ended = {"status": status.value, "heartbeat_at": now, "finished_at": now, "error": error}
        _write_attempt(connection, attempt, ended)
        check(job.id, job.status, status)
        change(connection, job.id, {**values, "status": status.value, "completed_at": now})
        about = {**_about(job), "attempt": attempt.number}
        payload: JobPayload = (
            JobFailed(**about, error=error)
            if error is not None
            else JobCompleted(**about, result=values["result"])
        )
        tell(connection, payload, job.traceparent, clock)
        return lock(connection, job.id)

    return db.transact(engine, unit)


def _end_dead_attempt(connection: Connection, job: Job, now: datetime) -> None:
    held = job_attempts.c.job_id == job.id, job_attempts.c.status == "running"
    row = connection.execute(select(job_attempts).where(*held)).mappings().one_or_none()
    if row is None:
        return
    if row["lease_until"] > now:
        raise LeaseHeldError(job.id, row["worker"], (row["lease_until"] - now).total_seconds())
    ended = {
        "status": "lost",
        "finished_at": now,
        "error": "its worker was not heard of before the lease ended",
    }
    connection.execute(job_attempts.update().where(*held).values(ended))


def _give_up(connection: Connection, job: Job, clock: Clock) -> Job:
    error = f"given up after {job.attempts} attempts whose workers died"
    values = {"status": JobStatus.FAILED.value, "error": error, "completed_at": clock()}
    check(job.id, job.status, JobStatus.FAILED)
    change(connection, job.id, values)
    tell(connection, JobFailed(**_about(job), attempt=job.attempts, error=error), job.traceparent, clock)
    return lock(connection, job.id)


def _write_attempt(connection: Connection, attempt: Attempt, values: Mapping[str, Any]) -> None:
    mine = (
        job_attempts.c.job_id == attempt.job_id,
        job_attempts.c.number == attempt.number,
        job_attempts.c.status == "running",
    )
    written = connection.execute(job_attempts.update().where(*mine).values(dict(values)))
    if written.rowcount != 1:
        raise LeaseLostError(attempt.job_id, attempt.number)


def _about(job: Job) -> dict[str, Any]:
    return {"job_id": job.id, "job_type": job.type.value, "cluster_id": job.cluster_id}
