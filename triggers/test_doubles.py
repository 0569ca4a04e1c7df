"""Test doubles shared by the tests of the triggers."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from gateway.wire.message import Answer

Handler = Callable[[str, str, dict[str, str], bytes], Answer | Exception]


@dataclass
class FakeHttp:
    """Answers every request with ``handler(method, path, headers, body)``; exceptions are raised."""

    handler: Handler
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    async def request(
        self,
        method: str,
        path: str,
        *,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        timeout_seconds: float = 1.0,  # noqa: ARG002 - part of the shape
    ) -> Answer:
        request = (method, path, dict(headers), body)
        self.requests.append(request)
        await asyncio.sleep(0)
        answer = self.handler(*request)
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class FakeProducer:
    """Acknowledges what it gets, or fails with ``outage`` when that is set."""

    sent: list[tuple[str, bytes, bytes | None, dict[str, bytes]]] = field(default_factory=list)
    outage: Exception | None = None
    refuses: dict[bytes, Exception] = field(default_factory=dict)
    is_stopped: bool = False

    async def start(self) -> None:
        if self.outage is not None:
            raise self.outage

    async def stop(self) -> None:
        self.is_stopped = True

    async def send(
        self,
        topic: str,
        value: bytes,
        *,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> Awaitable[object]:
        if value in self.refuses:
            raise self.refuses[value]
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        if self.outage is not None:
            answer.set_exception(self.outage)
        else:
            self.sent.append((topic, value, key, dict(headers)))
            answer.set_result(None)
        return answer

    async def send_and_wait(self, topic: str, value: bytes, **more: object) -> object:
        return await (await self.send(topic, value, **more))


@dataclass(frozen=True)
class FakeRecord:
    """What the connector reads of a consumed record."""

    offset: int = 0
    key: bytes | None = None
    value: bytes | None = b"{}"
    headers: Sequence[tuple[str, bytes | None]] = ()
    topic: str = "events"
    partition: int = 0
    timestamp: int = 1_700_000_000_000


async def eventually(holds: Callable[[], object], seconds: float = 5.0) -> None:
    """Return when ``holds()`` is true; fails with its source line after ``seconds``."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - conditions of any kind have no event
            await asyncio.sleep(0.002)
