"""The plain, slow side of the gateway: whole requests in, whole or streamed answers out, one task each."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote
from uuid import uuid4

import orjson

from gateway.wire.exchange import Exchange
from gateway.wire.message import Headers

#: Largest body of a management request, in bytes.
MAX_BODY_BYTES = 16 * 1024 * 1024
TEXT = "text/plain; charset=utf-8"
JSON = "application/json"
NDJSON = "application/x-ndjson"

_log = logging.getLogger(__name__)


class RefusedError(Exception):
    """A management request cannot be done; ``status`` and the text are the answer (plain text, as OpenFaaS has it)."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@contextmanager
def refusals(statuses: Mapping[type[Exception], int]) -> Iterator[None]:
    """Turns the runtime's errors into answers: each class of ``statuses`` becomes its status with the error's text."""
    try:
        yield
    except tuple(statuses) as error:
        status = next(status for kind, status in statuses.items() if isinstance(error, kind))
        raise RefusedError(status, str(error)) from error


@dataclass(frozen=True)
class Call:
    """One management request."""

    method: str
    parts: tuple[str, ...]
    """Path segments behind ``/system``, percent-decoded: ``/system/function/hello`` → ``("function", "hello")``."""
    query: Mapping[str, str]
    """The last value wins when a key is repeated."""
    body: bytes

    def json(self) -> object:
        """The body; raises :class:`RefusedError` 400 when it is not JSON."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise RefusedError(400, f"the body is not JSON: {error}") from error


@dataclass(frozen=True)
class Result:
    status: int
    body: bytes = b""
    content_type: str = TEXT
    headers: tuple[tuple[bytes, bytes], ...] = ()
    stream: AsyncIterator[bytes] | None = field(default=None, compare=False)
    """Pieces sent after ``body``, each at once; the answer ends with the iterator."""

    @classmethod
    def json(cls, value: object, status: int = 200) -> Result:
        return cls(status, orjson.dumps(value), JSON)

    @classmethod
    def text(cls, text: str, status: int = 200) -> Result:
        return cls(status, text.encode())


Handler = Callable[[Call], Awaitable[Result]]


class ManagementPage:
    """Reads the body, runs ``handler`` in a task, writes what it returns."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._running: set[asyncio.Task[None]] = set()
        self._streams: set[asyncio.Task[None]] = set()

    def end_streams(self) -> None:
        """Break off answers that would go on for ever; the gateway stops."""
        for task in self._streams:
            task.cancel()

    def __call__(self, exchange: Exchange) -> None:
        if exchange.request.length > MAX_BODY_BYTES:
            _reply(exchange, Result.text(f"the body is larger than {MAX_BODY_BYTES} bytes", 413))
            return
        exchange.accept(_Body(exchange, self))

    def run(self, exchange: Exchange, body: bytes) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(self._answer(exchange, body))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _answer(self, exchange: Exchange, body: bytes) -> None:
        request = exchange.request
        parts = tuple(unquote(part) for part in request.path.split("/")[2:])
        query = dict(parse_qsl(request.query.decode("latin-1"), keep_blank_values=True))
        call = Call(request.method.decode("ascii"), parts, query, body)
        try:
            result = await self._handler(call)
        except RefusedError as error:
            result = Result.text(str(error), error.status)
        except Exception:  # noqa: BLE001 - the last resort, logged with its traceback
            reference = str(uuid4())
            _log.exception(
                "management request failed (reference %s): %s %s", reference, call.method, request.path
            )
            result = Result.text(f"internal error; the gateway's log tells more under {reference}", 500)
        if result.stream is None:
            _reply(exchange, result)
        else:
            await self._stream(exchange, result, result.stream)

    async def _stream(self, exchange: Exchange, result: Result, stream: AsyncIterator[bytes]) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._streams.add(task)
            task.add_done_callback(self._streams.discard)
        exchange.start(result.status, _headers(result), length=None)
        exchange.write(result.body)
        try:
            async for piece in stream:
                exchange.write(piece)
        except asyncio.CancelledError:
            exchange.abort()
            raise
        exchange.finish()


class _Body:
    """Collects a request's body; cancels the work when the client leaves."""

    def __init__(self, exchange: Exchange, page: ManagementPage) -> None:
        self._exchange = exchange
        self._page = page
        self._pieces: list[bytes] = []
        self._size = 0
        self._task: asyncio.Task[None] | None = None

    def request_body(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= MAX_BODY_BYTES:
            self._pieces.append(data)
        elif not self._exchange.started:
            self._pieces.clear()
            _reply(self._exchange, Result.text(f"the body is larger than {MAX_BODY_BYTES} bytes", 413))

    def request_end(self) -> None:
        self._task = self._page.run(self._exchange, b"".join(self._pieces))

    def client_lost(self) -> None:
        # Only streams are cut: a change of state that was asked for is carried through.
        if self._task is not None and self._exchange.started:
            self._task.cancel()

    def client_closed_writing(self) -> None:
        # Who follows a stream has nothing to say, so that this is how its leaving looks.
        self.client_lost()

    def pause_response(self) -> None:
        """Management answers are small, and streams are paced by what they report."""

    def resume_response(self) -> None:
        """See :meth:`pause_response`."""


def _reply(exchange: Exchange, result: Result) -> None:
    exchange.reply(result.status, _headers(result), result.body)


def _headers(result: Result) -> Headers:
    return [(b"Content-Type", result.content_type.encode("ascii")), *result.headers]
