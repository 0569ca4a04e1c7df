from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from clustergenie.clock import rfc3339
from clustergenie.jobs._states import JobStatus, JobType


@dataclass(frozen=True)
class Job:
    """One job as it was read."""

    id: str
    cluster_id: str | None
    type: JobType
    status: JobStatus
    progress: int
    """Percent."""
    attempts: int
    """Number of the newest attempt; 0 before the first."""
    parameters: Mapping[str, str]
    result: str | None
    """What was found or done, in a sentence."""
    result_data: Mapping[str, Any] | None
    """The same for programs."""
    error: str | None
    trace_id: str
    traceparent: str
    created_by: str
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    """When it reached its final state, whichever."""

    @classmethod
    def from_row(cls, row: Mapping[Any, Any]) -> Job:
        return cls(**{**row, "type": JobType(row["type"]), "status": JobStatus(row["status"])})

    def to_json(self) -> dict[str, Any]:
        """As the API shows it. ``parameters`` is JSON text, as it always was."""
        return {
            "id": self.id,
            "cluster_id": self.cluster_id,
            "type": self.type,
            "status": self.status,
            "progress": self.progress,
            "attempts": self.attempts,
            "parameters": orjson.dumps(self.parameters).decode(),
            "result": self.result,
            "result_data": self.result_data,
            "error": self.error,
            "trace_id": self.trace_id,
            "created_by": self.created_by,
            "created_at": rfc3339(self.created_at),
            "started_at": _time(self.started_at),
            "completed_at": _time(self.completed_at),
        }


@dataclass(frozen=True)
class Attempt:
    """One worker's try at a job. ``number`` is the fence: a smaller one can no longer write."""

    job_id: str
    number: int
    worker: str
    status: str
    """running, completed, failed, cancelled, or lost (its lease ended and another took over)."""
    claimed_at: datetime
    heartbeat_at: datetime
    lease_until: datetime
    finished_at: datetime | None = None
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "worker": self.worker,
            "status": self.status,
            "claimed_at": rfc3339(self.claimed_at),
            "heartbeat_at": rfc3339(self.heartbeat_at),
            "finished_at": _time(self.finished_at),
            "error": self.error,
        }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
