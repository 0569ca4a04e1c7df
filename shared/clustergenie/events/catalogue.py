"""Every type of event and the schema of its data. An event that is not here, or does not fit, cannot be written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from clustergenie.clock import Clock, system_clock
from clustergenie.events._event import Event, EventError

ClusterStatus = Literal["healthy", "warning", "critical"]
JobTypeWord = Literal["provision", "diagnose", "scale", "monitor"]


class Payload(BaseModel):
    """Data of one type of event. ``TYPE`` is its CloudEvents type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    TYPE: ClassVar[str]

    def extensions(self) -> dict[str, str]:
        """Attributes that consumers filter by."""
        return {}

    def event(self, subject: str, *, clock: Clock = system_clock) -> Event:
        data = self.model_dump(exclude_none=True)
        return Event(self.TYPE, subject, data, time=clock(), extensions=self.extensions())


class JobPayload(Payload):
    """What every event about a job says."""

    job_id: str
    job_type: JobTypeWord
    cluster_id: str | None = None

    def extensions(self) -> dict[str, str]:
        return {"jobtype": self.job_type}


class JobRequested(JobPayload):
    TYPE = "job.requested"
    parameters: dict[str, str]
    created_by: str


class JobStarted(JobPayload):
    TYPE = "job.started"
    attempt: int
    worker: str


class JobProgress(JobPayload):
    TYPE = "job.progress"
    attempt: int
    progress: int
    message: str


class JobCompleted(JobPayload):
    TYPE = "job.completed"
    attempt: int
    result: str


class JobFailed(JobPayload):
    TYPE = "job.failed"
    attempt: int
    error: str


class JobCancelled(JobPayload):
    TYPE = "job.cancelled"
    cancelled_by: str


class ClusterPayload(Payload):
    """What every event about a cluster says."""

    cluster_id: str
    name: str
    region: str
    status: ClusterStatus


class ClusterCreated(ClusterPayload):
    TYPE = "cluster.created"


class ClusterUpdated(ClusterPayload):
    TYPE = "cluster.updated"
    changed: list[str]


class ClusterDeleted(ClusterPayload):
    TYPE = "cluster.deleted"
    droplets: int
    jobs: int


ClusterPayloads = ClusterCreated | ClusterUpdated | ClusterDeleted
JobPayloads = JobRequested | JobStarted | JobProgress | JobCompleted | JobFailed | JobCancelled

#: Schema of each type of event.
CATALOGUE: Mapping[str, type[Payload]] = {
    payload.TYPE: payload for payload in (*get_args(ClusterPayloads), *get_args(JobPayloads))
}


def read(event: Event) -> Payload:
    """The event's data as its schema's type; raises :class:`EventError` naming what does not fit."""
    schema = CATALOGUE.get(event.type)
    if schema is None:
        raise EventError(f"{event.type!r} is not in the catalogue of events", event)
    try:
        return schema.model_validate(dict(event.data))
    except ValidationError as error:
        raise EventError(
            f"{event.type} {event.id} does not fit its schema: {_first(error)}", event
        ) from error


def check(event: Event) -> None:
    """Raise :class:`EventError` unless ``event`` fits its schema."""
    read(event)


def _first(error: ValidationError) -> str:
    details: Any = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, details['loc']))}: {details['msg']}"
