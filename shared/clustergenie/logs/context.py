"""What every log line of a request carries. Context variables: each thread and task has its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

#: ``X-Call-Id`` of the request being served.
call_id: ContextVar[str] = ContextVar("call_id", default="")
#: Trace id of its ``traceparent``.
trace_id: ContextVar[str] = ContextVar("trace_id", default="")
#: The job it is about, once that is known.
job_id: ContextVar[str] = ContextVar("job_id", default="")

_VARIABLES = {"call_id": call_id, "trace_id": trace_id, "job_id": job_id}


def bind(**ids: str) -> None:
    """Have the lines from here to the end of the request carry ``ids``: call_id, trace_id, job_id."""
    for name, value in ids.items():
        _VARIABLES[name].set(value)


@contextmanager
def scope(**ids: str) -> Iterator[None]:
    """:func:`bind` for a block; afterwards everything is as it was, whatever was bound inside."""
    tokens = [
        (variable, variable.set(ids.get(name, variable.get()))) for name, variable in _VARIABLES.items()
    ]
    try:
        yield
    finally:
        for variable, token in tokens:
            variable.reset(token)


def current() -> dict[str, str]:
    """The ids that are bound, without the empty ones."""
    return {name: value for name, variable in _VARIABLES.items() if (value := variable.get())}
