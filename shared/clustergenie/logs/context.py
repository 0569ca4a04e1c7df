"""What a log line is about: set per request by the worker, and by job code; read by every log writer."""

from __future__ import annotations

from contextvars import ContextVar

call_id: ContextVar[str] = ContextVar("call_id", default="")
trace_id: ContextVar[str] = ContextVar("trace_id", default="")
job_id: ContextVar[str] = ContextVar("job_id", default="")
