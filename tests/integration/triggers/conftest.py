"""The triggers as a real process, between a real broker and a scripted gateway."""

import asyncio
import base64
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from clustergenie import credentials, db
from clustergenie.settings import Home

#: A call of a function as the gateway saw it.
Call = tuple[str, dict[str, str], bytes]


@dataclass
class ScriptedGateway:
    """Lists ``functions`` and answers their calls by ``answer(name, headers, body)``: a status and extra headers."""

    functions: dict[str, dict[str, str]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    answer: Callable[[str, dict[str, str], bytes], tuple[int, str]] = lambda *_: (200, "")
    port: int = 0
    _server: asyncio.Server | None = None
    _connections: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._connections):
            writer.transport.abort()

    def calls_of(self, name: str) -> list[Call]:
        return [call for call in self.calls if call[0] == name]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                request, *lines = head.rstrip("\r\n").split("\r\n")
                headers = {name.lower(): text for name, _, text in (line.partition(": ") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                status, more, answer = self._reply(request.split(" ")[1], headers, body)
                writer.write(
                    f"HTTP/1.1 {status} X\r\nContent-Length: {len(answer)}\r\n{more}\r\n".encode() + answer
                )
        self._connections.discard(writer)
        writer.close()

    def _reply(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, str, bytes]:
        if path.startswith("/function/"):
            name = path.removeprefix("/function/").removesuffix(".openfaas-fn")
            self.calls.append((name, headers, body))
            return (*self.answer(name, headers, body), b"")
        if path.startswith("/system/functions"):
            listed = [
                {"name": name, "namespace": "openfaas-fn", "annotations": annotations}
                for name, annotations in self.functions.items()
            ]
            return 200, "", json.dumps(listed).encode()
        return 200, "", b'["openfaas-fn"]' if path == "/system/namespaces" else b""


@pytest.fixture
async def gateway() -> AsyncIterator[ScriptedGateway]:
    gateway = ScriptedGateway()
    await gateway.start()
    yield gateway
    await gateway.stop()


@dataclass
class Kafka:
    """A broker and what the tests ask of it."""

    address: str
    folder: Path | None = None
    """Where the embedded broker keeps its log; None for a broker that is not ours to kill."""
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the embedded broker, on the port it had before."""
        port = self.address.rpartition(":")[2]
        arguments = ("--data", str(self.folder), "--host", "127.0.0.1", "--port", port)
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "triggers.broker", *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert self.process.stdout is not None
        said = await asyncio.wait_for(self.process.stdout.readline(), 10)
        self.address = json.loads(said)["address"]

    async def kill(self) -> None:
        if self.process is None:
            pytest.skip("needs a broker that may be killed")
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()

    async def produce(
        self, topic: str, records: Iterable[tuple[bytes | None, bytes, dict[str, str]]]
    ) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.address, acks="all")
        await producer.start()
        try:
            answers = [
                await producer.send(
                    topic, value, key=key, headers=[(name, text.encode()) for name, text in headers.items()]
                )
                for key, value, headers in records
            ]
            await asyncio.gather(*answers)
        finally:
            await producer.stop()

    @asynccontextmanager
    async def reading(self, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = AIOKafkaConsumer(
            topic, bootstrap_servers=self.address, auto_offset_reset="earliest", fetch_max_wait_ms=50
        )
        await consumer.start()
        try:
            yield consumer
        finally:
            await consumer.stop()


@pytest.fixture
async def kafka(tmp_path: Path) -> AsyncIterator[Kafka]:
    """The embedded broker, or the one that ``KAFKA_TEST_BROKERS`` names."""
    given = os.environ.get("KAFKA_TEST_BROKERS")
    if given:
        yield Kafka(given)
        return
    broker = Kafka("127.0.0.1:0", tmp_path / "broker")
    await broker.start()
    yield broker
    await broker.kill()


@dataclass
class Triggers:
    """``python -m triggers``, started and ended by signals."""

    home: Home
    environment: dict[str, str]
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with (self.home.logs / "triggers.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "triggers", env=self.environment, stdout=log, stderr=log
            )

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal it and answer its exit status."""
        assert self.process is not None
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), 15)

    @property
    def log(self) -> str:
        return (self.home.logs / "triggers.log").read_text()

    @property
    def database_url(self) -> str:
        return self.environment["DATABASE_URL"]


@pytest.fixture
async def triggers(tmp_path: Path, gateway: ScriptedGateway, kafka: Kafka) -> AsyncIterator[Triggers]:
    """Not started yet, with a home, a database and a name in the group of their own."""
    home = Home(tmp_path / "home")
    home.create()
    credentials.ensure(home)
    url = f"sqlite:///{home.data / 'clustergenie.db'}"
    db.migrate(url)
    passed_on = {name: os.environ[name] for name in ("PATH", "HOME", "REDIS_URL") if name in os.environ}
    environment = {
        **passed_on,
        "GENIE_HOME": str(home.root),
        "GENIE_PORT": str(gateway.port),
        "KAFKA_BROKERS": kafka.address,
        "DATABASE_URL": url,
    }
    subject = Triggers(home, environment)
    yield subject
    if subject.process is not None and subject.process.returncode is None:
        await subject.end(signal.SIGKILL)


@pytest.fixture
def eventually() -> Callable[..., object]:
    """``await eventually(condition, seconds=20)`` returns when the condition holds."""

    async def wait(holds: Callable[[], object], seconds: float = 20.0) -> None:
        async with asyncio.timeout(seconds):
            while not holds():  # noqa: ASYNC110 - conditions of any kind have no event
                await asyncio.sleep(0.01)

    return wait


@pytest.fixture
def unique(tmp_path: Path) -> str:
    """Names topics and functions, so that a broker that outlives a test tells them apart."""
    return base64.b32encode(os.urandom(5)).decode().lower()


@pytest.fixture
async def valkey_url(tmp_path: Path) -> AsyncIterator[str]:
    """A Redis server of the test's own, on a Unix socket."""
    program = (
        shutil.which("redis-server")
        or shutil.which("valkey-server")
        or shutil.which("valkey-server", path=str(Path(sys.executable).parent))
    )
    if program is None:
        pytest.skip("no redis-server or valkey-server on this machine")
    path = Path(tempfile.mkdtemp(dir=tmp_path)) / "s"
    arguments = ("--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(tmp_path))
    process = await asyncio.create_subprocess_exec(program, *arguments, stdout=asyncio.subprocess.DEVNULL)
    try:
        async with asyncio.timeout(10):
            while not path.exists():  # noqa: ASYNC110 - the server tells of itself in no other way
                await asyncio.sleep(0.01)
        yield f"unix://{path}"
    finally:
        process.terminate()
        await process.wait()
