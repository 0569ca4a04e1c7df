"""One request on its way to a replica and back: streaming, one deadline, every end accounted for."""

from __future__ import annotations

import asyncio
import os
import re
import time
import uuid
from collections.abc import Callable

from clustergenie.identity import IDENTITY_HEADER, Role
from gateway.auth import Caller
from gateway.balancer import Target
from gateway.durations import parse_seconds
from gateway.functions import Function
from gateway.problems import reply_problem
from gateway.wire.errors import StaleConnectionError, WireError
from gateway.wire.exchange import Exchange
from gateway.wire.message import HOP_BY_HOP, Headers, Request, header_block
from gateway.wire.upstream import UpstreamConnection

#: Methods that may be sent again when a kept-alive connection turns out to be closed.
_IDEMPOTENT = frozenset((b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS"))
#: Replicas tried when connections to them are refused, before the client is told.
_CONNECT_ATTEMPTS = 3
_IDENTITY = IDENTITY_HEADER.encode("ascii")
_OWN_PREFIX = b"x-genie-"
_DROPPED = HOP_BY_HOP | {b"expect", b"content-length", b"x-start-time", b"x-deadline"}
_TRACEPARENT = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}\Z")


class Forwarding:
    """Both ends of one exchange: takes the client's body to the replica, and the replica's answer to the client."""

    __slots__ = (
        "_caller", "_connecting", "_connection", "_exchange", "_function", "_path", "_sent", "_started", "_status",
        "_target", "_timeout_seconds", "_timer", "_tries", "call_id", "call_id_is_ours",
    )  # fmt: skip

    def __init__(self, exchange: Exchange, function: Function, path: str, caller: Caller) -> None:
        self._exchange = exchange
        self._function = function
        self._path = path
        self._caller = caller
        self._target: Target | None = None
        self._connection: UpstreamConnection | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._tries = 0
        self._status = 0
        self._sent = 0
        """Body bytes handed to the replica."""
        self._started = time.time()
        shown = exchange.request.header(b"x-call-id")
        self.call_id_is_ours = shown is None
        self.call_id = str(uuid.uuid4()).encode("ascii") if shown is None else shown
        self._timeout_seconds = _timeout_seconds(function, exchange.request)
        self._timer: asyncio.TimerHandle | None = None

    def start(self, wake: Callable[[Function], None]) -> None:
        """Send to a ready replica, or wait for one after calling ``wake``."""
        self._function.metrics.started += 1
        self._timer = asyncio.get_running_loop().call_later(self._timeout_seconds, self._expire)
        limit = self._function.policy.max_body_bytes
        if limit is not None and self._exchange.request.length > limit:
            self._fail(413, _too_large(self._function, limit))
            return
        target = self._function.balancer.choose()
        if target is None:
            self._exchange.watch(self.client_lost)
            self._function.balancer.wait(self)
            wake(self._function)
            return
        self.replica_ready(target)

    # Waiter

    def replica_ready(self, target: Target) -> None:
        self._target = target
        target.in_flight += 1
        connection = target.pool.take()
        if connection is not None:
            self._send(connection)
        else:
            # Kept here, because the event loop holds tasks only weakly.
            self._connecting = asyncio.get_running_loop().create_task(self._connect(target))

    def no_replica(self, error: str) -> None:
        self._fail(502, f"the function {self._function.key} did not start: {error}")

    async def _connect(self, target: Target) -> None:
        try:
            connection = await target.pool.connect()
        except WireError as error:
            if self._target is target:
                self._try_another(str(error))
            return
        if self._target is not target:  # the deadline passed, or the client left, meanwhile
            connection.abandon()
            return
        self._send(connection)

    def _try_another(self, error: str) -> None:
        # Nothing was sent, so that any other replica may have it.
        self._leave_target()
        self._tries += 1
        target = self._function.balancer.choose() if self._tries < _CONNECT_ATTEMPTS else None
        if target is None:
            self._fail(502, f"no replica of {self._function.key} can be reached: {error}")
        else:
            self.replica_ready(target)

    def _send(self, connection: UpstreamConnection) -> None:
        self._connection = connection
        request = self._exchange.request
        connection.send(self, self._head(request), head_only=request.method == b"HEAD")
        self._exchange.accept(self)

    def _head(self, request: Request) -> bytes:
        target = self._path.encode("latin-1") + (b"?" + request.query if request.query else b"")
        has_role = self._function.policy.role > Role.PUBLIC
        lines: Headers = [
            (name, value)
            for name, value in request.headers
            if (lower := name.lower()) not in _DROPPED
            and not lower.startswith(_OWN_PREFIX)
            and not (has_role and lower == b"authorization")
        ]
        self._add_own(lines, request)
        if request.chunked:
            lines.append((b"Transfer-Encoding", b"chunked"))
        elif b"content-length" in request.known:
            lines.append((b"Content-Length", b"%d" % request.length))
        return b"%b %b HTTP/1.1\r\n%b\r\n" % (request.method, target, header_block(lines))

    def _add_own(self, lines: Headers, request: Request) -> None:
        known = request.known
        if self.call_id_is_ours:
            lines.append((b"X-Call-Id", self.call_id))
        lines.append((b"X-Start-Time", b"%d" % int(self._started * 1e9)))
        lines.append((b"X-Deadline", b"%.3f" % (self._started + self._timeout_seconds)))
        if b"host" not in known:
            lines.append((b"Host", b"localhost"))
        if b"x-forwarded-for" not in known:
            lines.append((b"X-Forwarded-For", self._exchange.peer.encode("ascii")))
        if b"x-forwarded-host" not in known and b"host" in known:
            lines.append((b"X-Forwarded-Host", known[b"host"]))
        if not _TRACEPARENT.match(known.get(b"traceparent", b"")):
            lines[:] = [line for line in lines if line[0].lower() != b"traceparent"]
            lines.append((b"traceparent", b"00-%b-%b-01" % (_hex(16), _hex(8))))
        if self._caller.forwarded:
            lines.append((_IDENTITY, self._caller.forwarded))

    # RequestSink: the client's side

    def request_body(self, data: bytes) -> None:
        limit = self._function.policy.max_body_bytes
        if limit is not None and self._exchange.received_bytes > limit:
            self._fail(413, _too_large(self._function, limit))
        if self._connection is None:
            return  # answered already; the rest is dropped
        self._sent += len(data)
        if self._exchange.request.chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self._connection.transport.write(data)

    def request_end(self) -> None:
        if self._connection is not None and self._exchange.request.chunked:
            self._connection.transport.write(b"0\r\n\r\n")

    def client_lost(self) -> None:
        self._end(499)

    def client_closed_writing(self) -> None:
        """Its claim to the answer stands."""

    def pause_response(self) -> None:
        if self._connection is not None:
            self._connection.transport.pause_reading()

    def resume_response(self) -> None:
        if self._connection is not None:
            self._connection.transport.resume_reading()

    # ResponseSink: the replica's side

    def response_head(self, status: int, headers: Headers) -> None:
        length: int | None = None
        lines: Headers = []
        for name, value in headers:
            lower = name.lower()
            if lower == b"content-length":
                length = int(value)
            elif lower not in HOP_BY_HOP:
                lines.append((name, value))
        if self.call_id_is_ours:
            lines.append((b"X-Call-Id", self.call_id))
        lines.append((b"X-Request-Id", self.call_id))
        lines.append((b"X-Start-Time", b"%d" % int(self._started * 1e9)))
        lines.append((b"X-Duration-Seconds", b"%.6f" % (time.time() - self._started)))
        self._status = status
        self._exchange.start(status, lines, length=length)

    def response_body(self, data: bytes) -> None:
        self._exchange.write(data)

    def response_end(self) -> None:
        self._connection = None
        self._end(self._status)
        self._exchange.finish()

    def response_lost(self, error: WireError) -> None:
        self._connection = None
        if self._exchange.started:
            # The client has part of an answer that can never be completed; only a broken connection says so.
            self._end(502)
            self._exchange.abort()
        elif isinstance(error, StaleConnectionError) and self._sent == 0 and self._may_repeat():
            self._try_another(str(error))
        else:
            self._fail(502, f"the function {self._function.key} gave no answer: {error}")

    def pause_request(self) -> None:
        self._exchange.pause_body()

    def resume_request(self) -> None:
        self._exchange.resume_body()

    # ends

    def _may_repeat(self) -> bool:
        return self._exchange.request.method in _IDEMPOTENT and not self._exchange.request.has_body

    def _expire(self) -> None:
        detail = (
            f"the function {self._function.key} took longer than {self._timeout_seconds:g} s; "
            "raise exec_timeout in its environment, or X-Timeout if the request set it"
        )
        if self._exchange.started:
            self._end(504)
            self._exchange.abort()
        else:
            self._fail(504, detail)

    def _fail(self, status: int, detail: str) -> None:
        self._end(status)
        reply_problem(self._exchange, status, detail, self.call_id.decode("latin-1"))

    def _end(self, status: int) -> None:
        """Release everything; the answer itself is the caller's affair."""
        if self._timer is not None:
            self._timer.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abandon()
        self._function.balancer.leave(self)
        self._leave_target()
        self._function.metrics.finished(status, time.time() - self._started)

    def _leave_target(self) -> None:
        target, self._target = self._target, None
        if target is not None:
            target.done()


def _timeout_seconds(function: Function, request: Request) -> float:
    limit = function.policy.timeout_seconds
    asked = request.header(b"x-timeout")
    if asked is None:
        return limit
    try:
        return min(limit, parse_seconds(asked.decode("latin-1")))
    except ValueError:
        return limit  # an unreadable wish changes nothing, as with the watchdog


def _too_large(function: Function, limit: int) -> str:
    return f"the body is larger than the {limit} bytes that {function.key} accepts (annotation http.max_body_bytes)"


def _hex(size: int) -> bytes:
    return os.urandom(size).hex().encode("ascii")
