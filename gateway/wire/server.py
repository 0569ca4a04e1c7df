"""The HTTP/1.1 server of the data path.

One :class:`ServerConnection` per client. A request is handed to the application as soon as its head is complete, with
a plain function call; body and answer then stream both ways with back-pressure. Pipelined requests wait their turn.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import cast

import httptools

from gateway.wire.exchange import Exchange
from gateway.wire.message import Headers, Request

#: Largest request head in bytes; beyond it the answer is 431.
MAX_HEAD_BYTES = 64 * 1024
#: Pipelined requests held per connection before reading stops.
MAX_PIPELINED = 16
#: Seconds a client may take to send a head, and a kept-alive connection may idle.
HEAD_TIMEOUT_SECONDS = 30.0
IDLE_TIMEOUT_SECONDS = 75.0
#: Seconds a client gets to read an answer that was given while it was still sending, before we reset.
LINGER_SECONDS = 2.0


Application = Callable[[Exchange], None]
"""Called with each request when its head is complete. It must call ``accept`` or ``reply`` now or later."""

BadRequest = Callable[[int, str], bytes]
"""Makes the whole answer, head included, to a request that cannot be parsed: status and reason → bytes."""


class ServerConnection(asyncio.Protocol):
    """One client's connection."""

    __slots__ = (
        "_application", "_bad_request", "_closing", "_current", "_head_bytes", "_headers", "_in_head",
        "_known", "_parser", "_queue", "_reading", "_receiving", "_server", "_target", "_transport", "deadline", "peer",
    )  # fmt: skip

    def __init__(self, application: Application, bad_request: BadRequest, server: HttpServer) -> None:
        self._application = application
        self._bad_request = bad_request
        self._server = server
        self._parser = httptools.HttpRequestParser(self)
        self._current: Exchange | None = None
        """The exchange whose answer is being written."""
        self._queue: list[Exchange] = []
        """Pipelined exchanges behind it."""
        self._receiving: Exchange | None = None
        """The exchange whose request body is being read: the last of the queue, or the current one."""
        self._target = b""
        self._headers: Headers = []
        self._known: dict[bytes, bytes] = {}
        self._head_bytes = 0
        self._in_head = True
        self._reading = True
        self._closing = False
        self._transport: asyncio.Transport
        self.peer = ""
        self.deadline = 0.0
        """Loop time at which an idle or dawdling client is cut off; 0 while an exchange is under way."""

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class is no subclass of it
        name = transport.get_extra_info("peername")
        self.peer = f"{name[0]}:{name[1]}" if isinstance(name, tuple) else "unix"
        self._server.opened(self)
        self.deadline = asyncio.get_running_loop().time() + HEAD_TIMEOUT_SECONDS

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        if self._in_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline_upgrade(data[upgrade.args[0] :] if upgrade.args else b"")
        except httptools.HttpParserError as error:
            self._refuse(400, f"the request is not valid HTTP/1.1: {error}")
        else:
            if self._in_head and self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(431, f"the request's head is larger than {MAX_HEAD_BYTES} bytes")

    def eof_received(self) -> bool:
        # A client may close its half after the request and still read the answer.
        if self._current is None or self._receiving is not None:
            return False
        self._current.closed_writing()
        return True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._server.closed(self)
        self._closing = True
        exchanges, self._queue = self._queue, []
        if self._current is not None:
            exchanges.insert(0, self._current)
            self._current = None
        for exchange in exchanges:
            exchange.lost()

    def pause_writing(self) -> None:
        if self._current is not None:
            self._current.writable(now=False)

    def resume_writing(self) -> None:
        if self._current is not None:
            self._current.writable(now=True)

    # httptools callbacks

    def on_message_begin(self) -> None:
        self._target = b""
        self._headers = []
        self._known = {}
        self._in_head = True

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # trailers
        self._headers.append((name, value))
        self._known.setdefault(name.lower(), value)

    def on_headers_complete(self) -> None:
        if self._closing:
            return
        self._in_head = False
        self._head_bytes = 0
        self.deadline = 0.0
        if (fault := self._head_fault()) is not None:
            self._refuse(400, fault)
            return
        request = Request(self._parser.get_method(), _origin_form(self._target), self._headers, self._known)
        request.http_1_0 = self._parser.get_http_version() == "1.0"
        request.keep_alive = self._parser.should_keep_alive()
        exchange = Exchange(self, request)
        self._receiving = exchange
        if self._current is None:
            self._dispatch(exchange)
            return
        self._queue.append(exchange)
        if len(self._queue) >= MAX_PIPELINED:
            self.pause_reading()

    def _head_fault(self) -> str | None:
        # What llhttp lets pass although two servers could read it differently, which is how requests are smuggled.
        coding = self._known.get(b"transfer-encoding")
        if coding is not None and coding.lower() != b"chunked":
            return "the only Transfer-Encoding accepted is chunked"
        version_1_0 = self._parser.get_http_version() == "1.0"
        if coding is not None and version_1_0:
            return "HTTP/1.0 knows no Transfer-Encoding"
        if b"host" not in self._known and not version_1_0:
            return "a Host header is required"
        if len(self._known) == len(self._headers):
            return None
        names = [name.lower() for name, _ in self._headers]
        if names.count(b"host") > 1 or names.count(b"transfer-encoding") > 1:
            return "Host and Transfer-Encoding may be given once only"
        return None

    def on_body(self, body: bytes) -> None:
        if self._receiving is not None:
            self._receiving.feed(body)

    def on_message_complete(self) -> None:
        exchange, self._receiving = self._receiving, None
        self._in_head = True
        if exchange is not None:
            exchange.feed_end()

    # for exchanges

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def pause_reading(self) -> None:
        if self._reading and not self._transport.is_closing():
            self._reading = False
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if not self._reading and len(self._queue) < MAX_PIPELINED and not self._transport.is_closing():
            self._reading = True
            self._transport.resume_reading()

    def exchange_done(self, *, keep: bool) -> None:
        self._current = None
        if not keep or self._closing:
            self._close()
        elif self._queue:
            # From the loop, not from here: answers given at once must not nest without bound.
            asyncio.get_running_loop().call_soon(self._next)
        else:
            self.deadline = asyncio.get_running_loop().time() + IDLE_TIMEOUT_SECONDS

    def drain_started(self) -> None:
        self.deadline = asyncio.get_running_loop().time() + HEAD_TIMEOUT_SECONDS
        self.resume_reading()

    def abort(self) -> None:
        self._closing = True
        self._current = None
        self._transport.abort()

    def close_when_idle(self) -> None:
        """For a graceful stop: close now if nothing is under way, else after the current answer."""
        if self._current is None:
            self._close()
        else:
            self._current.request.keep_alive = False

    # inside

    def _dispatch(self, exchange: Exchange) -> None:
        self._current = exchange
        self._application(exchange)

    def _next(self) -> None:
        if self._queue and self._current is None and not self._closing:
            exchange = self._queue.pop(0)
            self.resume_reading()
            self._dispatch(exchange)

    def _decline_upgrade(self, rest: bytes) -> None:
        # The request itself was read as an ordinary one, which is how a server declines (RFC 9110 section 7.8).
        self._parser = httptools.HttpRequestParser(self)
        if rest:
            self.data_received(rest)

    def _refuse(self, status: int, reason: str) -> None:
        if self._current is not None:
            # An answer is under way, so ours cannot be told apart from it: break off instead.
            current = self._current
            self.abort()
            current.lost()
            return
        self._transport.write(self._bad_request(status, reason))
        self._close()

    def _close(self) -> None:
        self._closing = True
        self._queue.clear()
        if self._receiving is None or not self._receiving.request.has_body:
            self._transport.close()
            return
        # Closing now, with unread bytes on their way, would reset the connection and destroy the answer in flight.
        self._receiving = None
        self.deadline = asyncio.get_running_loop().time() + LINGER_SECONDS
        self.resume_reading()
        self._transport.write_eof()


def _origin_form(target: bytes) -> bytes:
    """``/path?query`` of a target that may also be absolute (``http://host/path``, RFC 9112 section 3.2.2)."""
    if target.startswith(b"/") or b"://" not in target:
        return target
    _, _, rest = target.partition(b"://")
    _, slash, path = rest.partition(b"/")
    return slash + path if slash else b"/"


class HttpServer:
    """Listens, keeps the set of open connections, cuts off idle clients, and stops gracefully."""

    def __init__(self, application: Application, bad_request: BadRequest) -> None:
        self._application = application
        self._bad_request = bad_request
        self._connections: set[ServerConnection] = set()
        self._server: asyncio.Server | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self._all_closed = asyncio.Event()

    async def listen(self, host: str, port: int) -> int:
        """Start; returns the port (useful with 0). Raises OSError when the address is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, host, port, backlog=1024)
        self._sweep_later(loop)
        address: tuple[str, int] = self._server.sockets[0].getsockname()
        return address[1]

    async def stop(self, grace_seconds: float) -> None:
        """Accept nothing more, let answers under way end, then cut the rest."""
        if self._server is None:
            return
        self._server.close()
        if self._sweep is not None:
            self._sweep.cancel()
        for connection in list(self._connections):
            connection.close_when_idle()
        if self._connections:
            self._all_closed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._all_closed.wait(), grace_seconds)
        for connection in list(self._connections):
            connection.abort()

    @property
    def open_connections(self) -> int:
        return len(self._connections)

    def opened(self, connection: ServerConnection) -> None:
        self._connections.add(connection)

    def closed(self, connection: ServerConnection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._all_closed.set()

    def _protocol(self) -> ServerConnection:
        return ServerConnection(self._application, self._bad_request, self)

    def _sweep_later(self, loop: asyncio.AbstractEventLoop) -> None:
        # One timer for all connections instead of one per request.
        self._sweep = loop.call_later(1.0, self._cut_off, loop)

    def _cut_off(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in [c for c in self._connections if 0 < c.deadline < now]:
            connection.abort()
        self._sweep_later(loop)
