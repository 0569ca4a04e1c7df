"""The WSGI layer around a function: binds the log context of a request and writes its access line."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from clustergenie.logs import context
from gateway.providers.process.log_file import LogFile
from gateway.providers.process.output import LineWriter

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_TRACEPARENT_LENGTH = 55


class RequestLog:
    """Wraps ``application``. ``with_access_lines`` false leaves only the context."""

    def __init__(
        self, application: Wsgi, log: LogFile, streams: Iterable[LineWriter], *, with_access_lines: bool
    ) -> None:
        self._application = application
        self._log = log
        self._streams = tuple(streams)
        self._with_access_lines = with_access_lines

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        # Never reset: the next request of this thread sets them anew, and a streamed body still belongs to this one.
        context.call_id.set(environ.get("HTTP_X_CALL_ID", ""))
        context.trace_id.set(_trace_id(environ.get("HTTP_TRACEPARENT", "")))
        context.job_id.set("")
        line = _AccessLine(environ)

        def start(status: str, *rest: Any) -> Any:
            line.status = status[:3]
            return start_response(status, *rest)

        return self._body(self._application(environ, start), line)

    def _body(self, chunks: Iterable[bytes], line: _AccessLine) -> Iterator[bytes]:
        try:
            for chunk in chunks:
                line.size_bytes += len(chunk)
                yield chunk
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
            for stream in self._streams:
                stream.finish_line()
            if self._with_access_lines:
                self._log.write("info", line.text())


class _AccessLine:
    __slots__ = ("_method", "_path", "_started", "size_bytes", "status")

    def __init__(self, environ: dict[str, Any]) -> None:
        self._started = time.perf_counter()
        self._method = environ["REQUEST_METHOD"]
        self._path = environ["PATH_INFO"]
        self.status = "-"
        self.size_bytes = 0

    def text(self) -> str:
        seconds = time.perf_counter() - self._started
        return f"{self._method} {self._path} - {self.status} - {self.size_bytes} bytes ({seconds:.3f}s)"


def _trace_id(traceparent: str) -> str:
    """The second field of a W3C ``traceparent``; empty when the header is not one."""
    if len(traceparent) < _TRACEPARENT_LENGTH or traceparent[2] != "-" or traceparent[35] != "-":
        return ""
    return traceparent[3:35]
