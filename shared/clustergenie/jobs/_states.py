"""The states of a job and every change between them that may happen."""

from __future__ import annotations

import enum
from collections.abc import Mapping

from clustergenie.errors import ConflictError


class JobStatus(enum.StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return not TRANSITIONS[self]


class JobType(enum.StrEnum):
    PROVISION = "provision"
    DIAGNOSE = "diagnose"
    SCALE = "scale"
    MONITOR = "monitor"


#: From each state, the states it may turn into. ``running`` to itself is another attempt taking over.
TRANSITIONS: Mapping[JobStatus, frozenset[JobStatus]] = {
    JobStatus.QUEUED: frozenset({JobStatus.RUNNING, JobStatus.CANCELLED}),
    JobStatus.RUNNING: frozenset(
        {JobStatus.RUNNING, JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED}
    ),
    JobStatus.COMPLETED: frozenset(),
    JobStatus.FAILED: frozenset(),
    JobStatus.CANCELLED: frozenset(),
}


def check(job_id: str, before: JobStatus, after: JobStatus) -> None:
    """Raise ConflictError unless a job may go from ``before`` to ``after``."""
    if after not in TRANSITIONS[before]:
        raise ConflictError(f"{job_id} is {before} and cannot become {after}")
