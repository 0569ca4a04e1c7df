"""A small HTTP/1.1 client for programs beside the gateway: whole requests, whole answers, kept-alive connections."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from gateway.wire.errors import StaleConnectionError, WireError
from gateway.wire.message import Answer, Headers, header_block
from gateway.wire.upstream import ConnectionPool, UpstreamConnection

#: Time for a whole exchange when the caller names none, in seconds.
DEFAULT_TIMEOUT_SECONDS = 60.0
#: Largest answer kept in memory, in bytes.
MAX_ANSWER_BYTES = 64 * 1024 * 1024

#: Sending these twice does no more than sending them once.
IDEMPOTENT_METHODS = frozenset(("GET", "HEAD", "PUT", "DELETE", "OPTIONS"))


class HttpClient:
    """Requests to one ``address`` (``host:port`` or a Unix socket path). Close it with :meth:`close`."""

    def __init__(self, address: str) -> None:
        self._pool = ConnectionPool(address)
        self._host = b"localhost" if address.startswith("/") else address.encode("ascii")

    async def request(
        self,
        method: str,
        path: str,
        *,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        repeatable: bool | None = None,
    ) -> Answer:
        """One exchange. Raises :class:`WireError` when there was no whole answer within the timeout.

        ``repeatable``: the request may reach the server twice, so it is sent again when a kept-alive connection turns
        out to be closed. By default true for the idempotent methods of RFC 9110 section 9.2.2.
        """
        again = method in IDEMPOTENT_METHODS if repeatable is None else repeatable
        message = self._head(method, path, headers, len(body)) + body
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._exchange(message, head_only=method == "HEAD", again=again)
        except TimeoutError:
            raise WireError(
                f"no answer from {self._pool.address} to {method} {path} in {timeout_seconds} s"
            ) from None

    def close(self) -> None:
        self._pool.close()

    def _head(self, method: str, path: str, headers: Iterable[tuple[str, str]], length: int) -> bytes:
        lines: Headers = [(b"Host", self._host), (b"Content-Length", b"%d" % length)]
        lines += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        if any(b"\r" in part or b"\n" in part for line in lines for part in line):
            raise ValueError("header names and values must not contain line breaks")
        return b"%b %b HTTP/1.1\r\n%b\r\n" % (
            method.encode("ascii"),
            path.encode("ascii"),
            header_block(lines),
        )

    async def _exchange(self, message: bytes, *, head_only: bool, again: bool) -> Answer:
        while (connection := self._pool.take()) is not None:
            try:
                return await _Collector().run(connection, message, head_only=head_only)
            except StaleConnectionError:
                if not again:
                    raise
        return await _Collector().run(await self._pool.connect(), message, head_only=head_only)


class _Collector:
    """Gathers one response."""

    def __init__(self) -> None:
        self._done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._status = 0
        self._headers: Headers = []
        self._body: list[bytes] = []
        self._size = 0

    async def run(self, connection: UpstreamConnection, message: bytes, *, head_only: bool) -> Answer:
        connection.send(self, message, head_only=head_only)
        try:
            answer = await self._done
        except (asyncio.CancelledError, WireError):
            connection.abandon()
            raise
        return answer

    def response_head(self, status: int, headers: Headers) -> None:
        self._status, self._headers = status, headers

    def response_body(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > MAX_ANSWER_BYTES:
            self.response_lost(WireError(f"the answer is larger than {MAX_ANSWER_BYTES} bytes"))
            return
        self._body.append(data)

    def response_end(self) -> None:
        if not self._done.done():
            self._done.set_result(Answer(self._status, self._headers, b"".join(self._body)))

    def response_lost(self, error: WireError) -> None:
        if not self._done.done():
            self._done.set_exception(error)

    def pause_request(self) -> None:
        """The request is already handed to the transport as a whole."""

    def resume_request(self) -> None:
        """See :meth:`pause_request`."""
