"""One client: requests in, answers out in the same order, both bounded."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections import deque
from typing import Any

from triggers.broker.api.context import Context
from triggers.broker.api.table import APIS, Api, versions_answer
from triggers.broker.broker import Broker
from triggers.broker.errors import ErrorCode
from triggers.broker.frames import Frame, FrameError, parse, without_tags
from triggers.broker.schema import ApiVersionsRequest

_log = logging.getLogger(__name__)
_LENGTH = struct.Struct(">i")
#: Requests of one client that are worked on at the same time; more stay in its socket.
MAX_IN_FLIGHT = 32


class Connection(asyncio.Protocol):
    """Requests are begun in the order they come, each in a task of its own, so that a produce request waiting for the disk does
    not hold up the next; the answers go out in that order too, as the protocol wants it."""

    def __init__(self, broker: Broker, connections: set[Connection]) -> None:
        self._broker = broker
        self._connections = connections
        self._buffer = bytearray()
        self._answers: deque[asyncio.Task[Any]] = deque()
        self._is_congested = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._loop = asyncio.get_running_loop()
        self._connections.add(self)
        # So that a client whose machine went away is noticed some day.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._client_host = str(transport.get_extra_info("peername")[0])
        self._host, self._port = _advertised(self._broker, transport)

    def connection_lost(self, _error: Exception | None) -> None:
        self._connections.discard(self)
        for task in self._answers:
            task.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._begin_requests()

    def pause_writing(self) -> None:
        self._is_congested = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._is_congested = False
        self._begin_requests()

    def close(self) -> None:
        self._transport.abort()

    def _begin_requests(self) -> None:
        while not self._is_full and not self._transport.is_closing():
            frame = self._next_frame()
            if frame is None:
                break
            task = self._loop.create_task(self._answer(frame))
            self._answers.append(task)
            task.add_done_callback(self._write_finished)
        if self._is_full:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    @property
    def _is_full(self) -> bool:
        return self._is_congested or len(self._answers) >= MAX_IN_FLIGHT

    def _next_frame(self) -> bytes | None:
        if len(self._buffer) < _LENGTH.size:
            return None
        (size,) = _LENGTH.unpack_from(self._buffer)
        if not 0 < size <= self._broker.settings.max_request_bytes:
            self._refuse(f"a request of {size} bytes; the limit is {self._broker.settings.max_request_bytes}")
            return None
        end = _LENGTH.size + size
        if len(self._buffer) < end:
            return None
        frame = bytes(memoryview(self._buffer)[_LENGTH.size : end])
        del self._buffer[:end]
        return frame

    async def _answer(self, data: bytes) -> bytes | None:
        frame = parse(data)
        api = APIS.get(frame.api_key)
        if api is None:
            raise FrameError(f"request {frame.api_key} is not known here")
        if not api.oldest <= frame.version <= api.newest:
            return _refuse_version(frame, api)
        request = _decoded(frame, api)
        context = Context(
            self._broker, frame.version, frame.client_id, self._client_host, self._host, self._port
        )
        answer = await api.handle(context, request)
        return None if answer is None else _encoded(answer, frame.version, frame.correlation_id)

    def _write_finished(self, _task: asyncio.Task[Any]) -> None:
        while self._answers and self._answers[0].done():
            task = self._answers.popleft()
            if task.cancelled():
                continue
            if (error := task.exception()) is not None:
                self._fail(error)
            elif (content := task.result()) is not None and not self._transport.is_closing():
                self._transport.write(content)
        if not self._transport.is_closing():
            self._begin_requests()

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, FrameError):
            self._refuse(str(error))
            return
        _log.error("a request of %s failed; its connection is closed", self._client_host, exc_info=error)
        self.close()

    def _refuse(self, reason: str) -> None:
        _log.warning("closed the connection of %s: %s", self._client_host, reason)
        self.close()


def _decoded(frame: Frame, api: Api) -> Any:
    body = without_tags(frame.body) if api.is_flexible(frame.version) else frame.body
    try:
        return api.request.decode(body, version=frame.version)
    except (struct.error, ValueError, IndexError, TypeError) as error:
        name = api.request.__name__
        raise FrameError(
            f"{name} v{frame.version} of client {frame.client_id!r} cannot be read: {error}"
        ) from error


def _encoded(answer: Any, version: int, correlation_id: int) -> bytes:
    answer.API_VERSION = version
    answer.with_header(correlation_id=correlation_id)
    content: bytes = answer.encode(header=True, framed=True)
    return content


def _refuse_version(frame: Frame, api: Api) -> bytes:
    # Only here a client may ask in a version that we do not know; version 0 of the answer tells it ours.
    if api.request is ApiVersionsRequest:
        return _encoded(versions_answer(ErrorCode.UNSUPPORTED_VERSION), 0, frame.correlation_id)
    raise FrameError(
        f"{api.request.__name__} v{frame.version} is not between v{api.oldest} and v{api.newest}"
    )


def _advertised(broker: Broker, transport: asyncio.BaseTransport) -> tuple[str, int]:
    if broker.settings.advertised is not None:
        host, _, port = broker.settings.advertised.rpartition(":")
        return host, int(port)
    # Where this client reached us works for it, whatever interface that was.
    host, port = transport.get_extra_info("sockname")[:2]
    return str(host), int(port)
