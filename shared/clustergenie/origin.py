"""Where a change comes from: part of everything that is written about it."""

from __future__ import annotations

from dataclasses import dataclass

from clustergenie.ids import new_trace_id


@dataclass(frozen=True)
class Origin:
    """``subject`` is a user's id or a component's name; ``traceparent`` a W3C trace context."""

    subject: str
    traceparent: str

    @property
    def trace_id(self) -> str:
        return self.traceparent[3:35]

    @classmethod
    def new(cls, subject: str) -> Origin:
        """The beginning of a trace of its own."""
        trace_id = new_trace_id()
        return cls(subject, f"00-{trace_id}-{trace_id[:16]}-01")
