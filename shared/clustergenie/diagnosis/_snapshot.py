"""What a diagnosis looks at, read at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from clustergenie import clusters
from clustergenie.clock import Clock, system_clock
from clustergenie.clusters import Cluster
from clustergenie.db.tables import droplets, jobs, metrics

#: How far back jobs are looked at.
JOB_WINDOW = timedelta(hours=24)
#: How old a sample may be and still speak of the present.
SAMPLE_WINDOW = timedelta(minutes=15)
_MOST_JOBS = 200
_MOST_SAMPLES = 1000


@dataclass(frozen=True)
class DropletState:
    id: str
    status: str
    region: str


@dataclass(frozen=True)
class JobState:
    id: str
    type: str
    status: str
    error: str | None


@dataclass(frozen=True)
class Sample:
    """The newest sample of one metric."""

    type: str
    value: float
    unit: str
    timestamp: datetime


@dataclass(frozen=True)
class Snapshot:
    """``jobs`` are those of the last day without the one that diagnoses, newest first."""

    cluster: Cluster
    droplets: Sequence[DropletState]
    jobs: Sequence[JobState]
    samples: Sequence[Sample]
    taken_at: datetime


def take(
    connection: Connection, cluster_id: str, *, without_job: str = "", clock: Clock = system_clock
) -> Snapshot:
    """Read what there is; raises NotFoundError when there is no such cluster."""
    now = clock()
    return Snapshot(
        clusters.load(connection, cluster_id),
        _droplets(connection, cluster_id),
        _jobs(connection, cluster_id, without_job, now - JOB_WINDOW),
        _samples(connection, cluster_id, now - SAMPLE_WINDOW),
        now,
    )


def _droplets(connection: Connection, cluster_id: str) -> list[DropletState]:
    wanted = droplets.c.cluster_id == cluster_id, droplets.c.status != "deleted"
    query = select(droplets.c.id, droplets.c.status, droplets.c.region).where(*wanted)
    order = droplets.c.created_at, droplets.c.id
    return [DropletState(*row) for row in connection.execute(query.order_by(*order))]


def _jobs(connection: Connection, cluster_id: str, without: str, since: datetime) -> list[JobState]:
    wanted = jobs.c.cluster_id == cluster_id, jobs.c.created_at >= since, jobs.c.id != without
    query = select(jobs.c.id, jobs.c.type, jobs.c.status, jobs.c.error).where(*wanted)
    newest = jobs.c.created_at.desc(), jobs.c.id.desc()
    return [JobState(*row) for row in connection.execute(query.order_by(*newest).limit(_MOST_JOBS))]


def _samples(connection: Connection, cluster_id: str, since: datetime) -> list[Sample]:
    wanted = metrics.c.cluster_id == cluster_id, metrics.c.timestamp >= since
    query = select(metrics.c.type, metrics.c.value, metrics.c.unit, metrics.c.timestamp).where(*wanted)
    rows = connection.execute(query.order_by(metrics.c.timestamp).limit(_MOST_SAMPLES))
    newest = {row.type: Sample(*row) for row in rows}
    return [newest[name] for name in sorted(newest)]
