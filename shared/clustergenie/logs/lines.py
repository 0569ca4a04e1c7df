"""A log line, what one may ask for, and the two-method shape of every place that keeps lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from clustergenie.clock import parse_rfc3339, rfc3339

#: Levels from chatty to grave. Anything else a program calls its levels is mapped to one of these.
LEVELS = ("debug", "info", "warning", "error")

_TEXTS = ("level", "service", "function", "env", "msg", "instance", "job_id", "trace_id", "call_id")


@dataclass(frozen=True)
class LogLine:
    """One line with its ids. ``position`` names the record it came from, so that keeping it twice changes nothing."""

    ts: datetime
    level: str
    function: str
    msg: str
    service: str = "clustergenie"
    env: str = "local"
    instance: str = ""
    call_id: str = ""
    trace_id: str = ""
    job_id: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)
    """Further fields the program wrote."""
    position: str = ""
    sequence: int = 0
    """Orders lines of the same millisecond; unique within a few thousand lines of one function."""

    def to_json(self) -> dict[str, Any]:
        """The line as ``GET /api/v1/logs`` shows it."""
        ids = {"job_id": self.job_id, "trace_id": self.trace_id, "call_id": self.call_id}
        line = {
            "ts": rfc3339(self.ts),
            "level": self.level,
            "service": self.service,
            "function": self.function,
            "msg": self.msg,
            "instance": self.instance,
            **{name: value or None for name, value in ids.items()},
        }
        return {**line, "fields": dict(self.more)} if self.more else line

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> LogLine:
        """Read what :meth:`to_json` wrote; raises KeyError, TypeError or ValueError for anything else."""
        texts: dict[str, Any] = {name: line[name] or "" for name in _TEXTS if name in line}
        return cls(ts=parse_rfc3339(line["ts"]), more=line.get("fields", {}), **texts)


@dataclass(frozen=True)
class LogFilter:
    """Which lines are wanted; what is None does not matter. Answers come oldest first."""

    job_id: str | None = None
    trace_id: str | None = None
    call_id: str | None = None
    function: str | None = None
    level: str | None = None
    q: str | None = None
    """A text that ``msg`` contains, whatever its case."""
    since: datetime | None = None
    until: datetime | None = None
    """Exclusive."""
    limit: int = 100
    cursor: str | None = None


@dataclass(frozen=True)
class LogPage:
    lines: Sequence[LogLine]
    next_cursor: str | None
    """Where the next page starts; None when this was all there is so far."""


class LogSink(Protocol):
    def write(self, lines: Sequence[LogLine]) -> None:
        """Keep all of ``lines`` or raise UnavailableError. Writing them again changes nothing."""


class LogSource(Protocol):
    def query(self, wanted: LogFilter) -> LogPage:
        """Raises InvalidError for a bad cursor, UnavailableError when the place does not answer."""


class Log(LogSink, LogSource, Protocol):
    """A place that keeps lines."""
