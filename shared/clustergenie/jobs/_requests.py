"""What may be asked about jobs."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, Field, StringConstraints, field_validator

from clustergenie.fields import Id, RequestBody
from clustergenie.jobs._states import JobStatus, JobType
from clustergenie.queries import ListQuery

_INCLUDES = ("events", "logs", "attempts")
Parameter = Annotated[str, StringConstraints(max_length=1000)]


class CreateJob(RequestBody):
    """``cluster_id`` may also stand in ``parameters``."""

    type: JobType
    cluster_id: Id | None = None
    parameters: Annotated[dict[str, Parameter], Field(max_length=50, default_factory=dict)]

    @field_validator("cluster_id", mode="before")
    @classmethod
    def _empty_is_absent(cls, value: object) -> object:
        return None if value == "" else value


class GetJob(BaseModel):
    include: str = ""
    """Comma list of events, logs, attempts: what to show beside the job."""

    @field_validator("include")
    @classmethod
    def _known(cls, value: str) -> str:
        for word in filter(None, value.split(",")):
            if word not in _INCLUDES:
                raise ValueError(f"{word!r} cannot be included; use {', '.join(_INCLUDES)}")
        return value

    def wants(self, part: str) -> bool:
        return part in self.include.split(",")


class ListJobs(ListQuery):
    DEFAULT_PAGE_SIZE: ClassVar[int] = 5
    status: JobStatus | None = None
    type: JobType | None = None
    cluster_id: Id | None = None
    sort_by: Literal["created_at", "id"] = "created_at"
