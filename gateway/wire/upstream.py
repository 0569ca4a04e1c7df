"""Kept-alive connections to one server, each carrying one exchange at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol, cast

import httptools

from gateway.wire.errors import StaleConnectionError, WireError
from gateway.wire.message import Headers

#: Idle connections kept per address; more are closed when they come back.
MAX_IDLE_CONNECTIONS = 64
#: Statuses 100 to 199 announce, they do not answer (RFC 9110 section 15.2).
_FIRST_FINAL_STATUS = 200
_SWITCHING_PROTOCOLS = 101


class ResponseSink(Protocol):
    """Receives one response. Calls come in this order: head, body…, end; or ``response_lost`` at any point, once."""

    def response_head(self, status: int, headers: Headers) -> None: ...

    def response_body(self, data: bytes) -> None: ...

    def response_end(self) -> None: ...

    def response_lost(self, error: WireError) -> None: ...

    def pause_request(self) -> None:
        """The server reads slower than we write: send no more of the body for now."""

    def resume_request(self) -> None: ...


class UpstreamConnection(asyncio.Protocol):
    """One connection. ``send`` starts an exchange; when it ended well the connection returns to its pool."""

    __slots__ = (
        "_awaits_end_of_file", "_head_only", "_headers", "_in_head", "_parser", "_pool", "_reused", "_sink",
        "_skipping", "idle_since", "transport",
    )  # fmt: skip

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._sink: ResponseSink | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._headers: Headers = []
        self._head_only = False
        self._reused = False
        self._in_head = True
        self._skipping = False
        self._awaits_end_of_file = False
        self.idle_since = 0.0
        self.transport: asyncio.Transport

    def send(self, sink: ResponseSink, head: bytes, *, head_only: bool) -> None:
        """Write a request head and direct the answer to ``sink``. ``head_only``: the method was HEAD."""
        self._sink = sink
        self._head_only = head_only
        self.transport.write(head)

    def abandon(self) -> None:
        """Nobody wants the answer any more: close, without telling the sink."""
        self._sink = None
        self.transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's own class is no subclass of it

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._lose(WireError("the function switched protocols, which was not asked for"))
        except httptools.HttpParserError as error:
            self._lose(WireError(f"the function's answer is not HTTP: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._pool.forget(self)
        sink, self._sink = self._sink, None
        if sink is None:
            return
        if self._awaits_end_of_file and exc is None:
            sink.response_end()
        elif self._reused and self._in_head and not self._headers:
            sink.response_lost(StaleConnectionError("the connection had been closed while idle"))
        else:
            sink.response_lost(
                WireError(f"the function hung up before its answer was complete ({exc or 'closed'})")
            )

    def pause_writing(self) -> None:
        if self._sink is not None:
            self._sink.pause_request()

    def resume_writing(self) -> None:
        if self._sink is not None:
            self._sink.resume_request()

    # httptools callbacks

    def on_message_begin(self) -> None:
        self._headers = []
        self._in_head = True
        self._awaits_end_of_file = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # later ones are trailers, which nobody asked for
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        self._skipping = status < _FIRST_FINAL_STATUS and status != _SWITCHING_PROTOCOLS
        if self._skipping or self._sink is None:
            return
        self._in_head = False
        self._awaits_end_of_file = not _is_framed(self._headers)
        self._sink.response_head(status, self._headers)
        if self._head_only:
            self._finish(keep=self._parser.should_keep_alive())
            # The parser still expects the announced body, which never comes for HEAD.
            self._parser = httptools.HttpResponseParser(self)

    def on_body(self, data: bytes) -> None:
        if self._sink is not None:
            self._sink.response_body(data)

    def on_message_complete(self) -> None:
        if not self._skipping and self._sink is not None and not self._head_only:
            self._finish(keep=self._parser.should_keep_alive())

    # ends

    def _finish(self, *, keep: bool) -> None:
        sink, self._sink = self._sink, None
        self._reused = True
        self._in_head = True
        self._headers = []
        if keep:
            self._pool.release(self)
        else:
            self.transport.close()
        if sink is not None:
            sink.response_end()

    def _lose(self, error: WireError) -> None:
        sink, self._sink = self._sink, None
        self.transport.abort()
        if sink is not None:
            sink.response_lost(error)


def _is_framed(headers: Headers) -> bool:
    return any(name.lower() in (b"content-length", b"transfer-encoding") for name, _ in headers)


class ConnectionPool:
    """Connections to one address: a Unix socket path (starts with ``/``) or ``host:port``."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._idle: deque[UpstreamConnection] = deque()
        self._open: set[UpstreamConnection] = set()
        self._closed = False

    def take(self) -> UpstreamConnection | None:
        """The most recently used idle connection, or None: then ``await connect()``."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.transport.is_closing():
                return connection
        return None

    async def connect(self) -> UpstreamConnection:
        """A new connection; raises :class:`WireError` when nobody listens."""
        loop = asyncio.get_running_loop()
        try:
            if self.address.startswith("/"):
                _, connection = await loop.create_unix_connection(self._protocol, self.address)
            else:
                host, _, port = self.address.rpartition(":")
                _, connection = await loop.create_connection(self._protocol, host, int(port))
        except OSError as error:
            raise WireError(f"cannot connect to {self.address}: {error}") from error
        if self._closed:
            connection.abandon()
            raise WireError(f"the replica at {self.address} has ended")
        self._open.add(connection)
        return connection

    def release(self, connection: UpstreamConnection) -> None:
        """Called by a connection whose exchange ended well."""
        if self._closed or len(self._idle) >= MAX_IDLE_CONNECTIONS:
            connection.transport.close()
            return
        connection.idle_since = asyncio.get_running_loop().time()
        self._idle.append(connection)

    def forget(self, connection: UpstreamConnection) -> None:
        """Called by a connection that closed."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def close_idle(self, older_than: float) -> None:
        """Close connections idle since before ``older_than`` (loop time)."""
        while self._idle and self._idle[0].idle_since < older_than:
            self._idle.popleft().transport.close()

    def close(self) -> None:
        """Close everything; exchanges under way are told that their connection is lost."""
        self._closed = True
        self._idle.clear()
        for connection in list(self._open):
            connection.transport.abort()

    def _protocol(self) -> UpstreamConnection:
        return UpstreamConnection(self)
