"""What may be asked about log lines."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from clustergenie.fields import Id, SearchText
from clustergenie.logs.lines import LogFilter

#: Most lines one answer holds.
MAX_LINES = 1000


class JobLogs(BaseModel):
    """Lines of one job."""

    model_config = ConfigDict(frozen=True)

    function: Id | None = None
    level: Literal["debug", "info", "warning", "error"] | None = None
    q: SearchText | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_LINES)] = 100
    cursor: Annotated[str | None, Field(max_length=100)] = None

    def filter(self, job_id: str | None) -> LogFilter:
        return LogFilter(**self._given() | {"job_id": job_id})

    def _given(self) -> dict[str, Any]:
        given = self.model_dump()
        for name in ("since", "until"):
            given[name] = given[name] and given[name].astimezone(UTC)
        return given


class ListLogs(JobLogs):
    """Lines of everything."""

    job_id: Id | None = None
    trace_id: Id | None = None
    call_id: Annotated[str | None, Field(min_length=1, max_length=128)] = None
