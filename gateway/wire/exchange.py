"""One request and its answer, as the server hands it to the application."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from gateway.wire.message import BODILESS, Headers, Request, header_block, status_line

#: Body bytes held for a request that waits for its turn or its replica, before reading from the client stops.
MAX_WAITING_BYTES = 64 * 1024
#: Unread body bytes that are read and dropped to save the connection after an early answer; more ends it.
MAX_DRAINED_BYTES = 64 * 1024

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_LAST_CHUNK = b"0\r\n\r\n"


class RequestSink(Protocol):
    """Receives one request's body, and news about the client."""

    def request_body(self, data: bytes) -> None: ...

    def request_end(self) -> None: ...

    def client_lost(self) -> None:
        """The client hung up before the answer was complete."""

    def client_closed_writing(self) -> None:
        """The client sends nothing more. It may still read, or be gone: only a write would tell."""

    def pause_response(self) -> None:
        """The client reads slower than we write."""

    def resume_response(self) -> None: ...


class Connection(Protocol):
    """What an exchange needs of the connection it came on."""

    @property
    def peer(self) -> str: ...

    def write(self, data: bytes) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def drain_started(self) -> None:
        """The answer is out; the rest of a small request body is being dropped."""

    def exchange_done(self, *, keep: bool) -> None: ...

    def abort(self) -> None: ...


class Exchange:
    """One request and its answer. Made by the server, used by the application."""

    __slots__ = (
        "_chunked", "_connection", "_draining", "_has_response_body", "_received", "_received_end", "_sink", "_waiting", "_watcher",
        "request", "started",
    )  # fmt: skip

    def __init__(self, connection: Connection, request: Request) -> None:
        self.request = request
        self.started = False
        """The head of the answer has been written."""
        self._connection = connection
        self._sink: RequestSink | None = None
        self._watcher: Callable[[], None] | None = None
        self._waiting: list[bytes] = []
        self._received = 0
        self._received_end = not request.has_body
        self._draining = False
        self._chunked = False
        self._has_response_body = True

    @property
    def peer(self) -> str:
        """The client's ``ip:port``."""
        return self._connection.peer

    @property
    def received_bytes(self) -> int:
        """Body bytes read from the client so far."""
        return self._received

    # reading the request

    def watch(self, lost: Callable[[], None]) -> None:
        """Have ``lost`` called if the client hangs up before the body was accepted."""
        self._watcher = lost

    def accept(self, sink: RequestSink) -> None:
        """Take the body: what came already is delivered now, the rest as it arrives."""
        self._sink = sink
        self._watcher = None
        if self.request.has_body and not self._received_end and self._expects_continue():
            self._connection.write(_CONTINUE)
        waiting, self._waiting = self._waiting, []
        for data in waiting:
            sink.request_body(data)
        if self._received_end:
            sink.request_end()
        self._connection.resume_reading()

    def pause_body(self) -> None:
        self._connection.pause_reading()

    def resume_body(self) -> None:
        self._connection.resume_reading()

    def _expects_continue(self) -> bool:
        return (
            self.request.header(b"expect") or b""
        ).lower() == b"100-continue" and not self.request.http_1_0

    # writing the answer

    def start(self, status: int, headers: Headers, *, length: int | None) -> None:
        """Write the head. ``headers`` without framing; ``length`` None: the body's length is not known yet."""
        self.started = True
        self._has_response_body = self.request.method != b"HEAD" and status not in BODILESS
        self._connection.write(
            status_line(status) + header_block(headers) + self._framing(status, length) + b"\r\n"
        )

    def _framing(self, status: int, length: int | None) -> bytes:
        if status in BODILESS or (length is None and not self._has_response_body):
            return self._connection_line()
        if length is not None:
            return b"Content-Length: %d\r\n%b" % (length, self._connection_line())
        if self.request.http_1_0:
            self.request.keep_alive = False  # without chunks only the end of the connection can end the body
            return self._connection_line()
        self._chunked = True
        return b"Transfer-Encoding: chunked\r\n" + self._connection_line()

    def _connection_line(self) -> bytes:
        if self._sink is None and not self._received_end and not self._is_drainable():
            self.request.keep_alive = False
        if not self.request.keep_alive:
            return b"Connection: close\r\n"
        return b"Connection: keep-alive\r\n" if self.request.http_1_0 else b""

    def _is_drainable(self) -> bool:
        # A client that waits for "100 Continue" may or may not still send its body: nothing to wait for.
        left = self.request.length - self._received
        return not self.request.chunked and left <= MAX_DRAINED_BYTES and not self._expects_continue()

    def write(self, data: bytes) -> None:
        """Write a piece of the body."""
        if not self._has_response_body or not data:
            return
        if self._chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self._connection.write(data)

    def finish(self) -> None:
        """The answer is complete."""
        if self._chunked:
            self._connection.write(_LAST_CHUNK)
        self._sink = self._watcher = None
        if self._received_end:
            self._connection.exchange_done(keep=self.request.keep_alive)
        elif self.request.keep_alive and self._is_drainable():
            self._draining = True
            self._connection.drain_started()
        else:
            self._connection.exchange_done(keep=False)

    def reply(self, status: int, headers: Headers, body: bytes) -> None:
        """A whole answer at once."""
        self.start(status, headers, length=len(body))
        self.write(body)
        self.finish()

    def abort(self) -> None:
        """Break the connection: the only honest end of an answer that cannot be completed."""
        self._sink = None
        self._connection.abort()

    # from the connection

    def feed(self, data: bytes) -> None:
        self._received += len(data)
        if self._sink is not None:
            self._sink.request_body(data)
        if self._sink is not None or self._draining:
            return
        self._waiting.append(data)
        if self._received > MAX_WAITING_BYTES:
            self._connection.pause_reading()

    def feed_end(self) -> None:
        if self._received_end:
            return  # a request without a body ended with its head
        self._received_end = True
        if self._draining:
            self._connection.exchange_done(keep=self.request.keep_alive)
        elif self._sink is not None:
            self._sink.request_end()

    def lost(self) -> None:
        sink, self._sink = self._sink, None
        watcher, self._watcher = self._watcher, None
        if sink is not None:
            sink.client_lost()
        elif watcher is not None:
            watcher()

    def closed_writing(self) -> None:
        if self._sink is not None:
            self._sink.client_closed_writing()

    def writable(self, *, now: bool) -> None:
        if self._sink is None:
            return
        if now:
            self._sink.resume_response()
        else:
            self._sink.pause_response()
