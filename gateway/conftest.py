"""A gateway in the test's own loop, with replicas that are small scripted servers on Unix sockets."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
import uvloop

from clustergenie.identity import API_AUDIENCE, FUNCTION_AUDIENCE, Identity, Role, TokenSigner
from gateway.auth import BasicAuthenticator, BearerAuthenticator
from gateway.contract import FunctionDeployment, FunctionKey
from gateway.dispatch import Dispatcher
from gateway.fleet import Fleet
from gateway.logs import FunctionLogs
from gateway.pages import Pages
from gateway.problems import bad_request
from gateway.providers.base import DeployError, Endpoint, EndpointListener, ReplicaStatus, Usage
from gateway.secrets import SecretStore
from gateway.specs import SpecStore
from gateway.system.api import SystemApi
from gateway.wire.client import HttpClient
from gateway.wire.server import HttpServer

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
TOKEN_KEY, IDENTITY_KEY = "t" * 64, "i" * 64


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers every request with its own head and body."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        body = await _body(reader, head)
        text = head + body
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text)
        )


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    lower = head.lower()
    if b"transfer-encoding: chunked" in lower:
        pieces = []
        while size := int(await reader.readuntil(b"\r\n"), 16):
            pieces.append(await reader.readexactly(size))
            await reader.readexactly(2)
        await reader.readexactly(2)
        return b"".join(pieces)
    if b"content-length: " not in lower:
        return b""
    return await reader.readexactly(int(lower.split(b"content-length: ")[1].split(b"\r\n")[0]))


def pytest_asyncio_loop_factories(config, item):
    """The data path runs on uvloop, so its tests do."""
    return {"uvloop": uvloop.new_event_loop}


class FakeProvider:
    """Starts a scripted server per replica when asked; tests hold the strings."""

    name = "process"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scripts: dict[str, Script] = {}
        self.start_error = ""
        """When set, replicas fail to start with it."""
        self.held = False
        """When true, replicas start only at ``release``."""
        self.scaled: list[tuple[str, int]] = []
        self._desired: dict[FunctionKey, int] = {}
        self._running: dict[FunctionKey, list[tuple[Endpoint, asyncio.Server]]] = {}
        self._count = 0

    async def start(self, listener: EndpointListener) -> None:
        self.listener = listener

    async def stop(self) -> None:
        for key in list(self._running):
            await self.scale(key, 0)

    async def deploy(self, deployment: FunctionDeployment, replicas: int) -> None:
        if deployment.image == "missing:latest":
            raise DeployError("unknown image missing:latest; run: genie build")
        self._running.setdefault(deployment.key, [])
        await self._reach(deployment.key, replicas)

    async def remove(self, key: FunctionKey) -> None:
        await self._reach(key, 0)
        del self._running[key]

    async def scale(self, key: FunctionKey, replicas: int) -> None:
        self.scaled.append((key.name, replicas))
        await self._reach(key, replicas)

    async def release(self, key: FunctionKey) -> None:
        self.held = False
        await self._reach(key, self._desired[key])

    async def crash(self, key: FunctionKey) -> None:
        endpoint, server = self._running[key].pop()
        server.close()
        self.listener.gone(key, endpoint)

    async def _reach(self, key: FunctionKey, replicas: int) -> None:
        self._desired[key] = replicas
        running = self._running[key]
        if self.start_error and replicas:
            self.listener.start_failed(key, self.start_error)
            return
        while len(running) < replicas and not self.held:
            await self._spawn(key)
        while len(running) > replicas:
            endpoint, server = running.pop()
            await self.listener.drain(key, endpoint, 5)
            server.close()
            self.listener.gone(key, endpoint)

    async def _spawn(self, key: FunctionKey) -> None:
        self._count += 1
        path = str(self.folder / f"{self._count}.sock")
        script = self.scripts.get(key.name, echo)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await script(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError):
                return
            finally:
                writer.close()

        server = await asyncio.start_unix_server(serve, path)
        endpoint = Endpoint(f"{key.name}-{self._count}", path)
        self._running[key].append((endpoint, server))
        self.listener.ready(key, endpoint)

    def status(self, key: FunctionKey) -> ReplicaStatus:
        return ReplicaStatus(self._desired.get(key, 0), len(self._running[key]))

    async def usage(self, key: FunctionKey) -> Usage:  # noqa: ARG002 - the shape of a provider
        return Usage(12.0, 9.0e6)


@dataclass
class Bench:
    """Everything a test of the data path needs."""

    provider: FakeProvider
    fleet: Fleet
    client: HttpClient
    port: int
    folder: Path
    tokens: TokenSigner
    server: HttpServer
    system: SystemApi
    basic: tuple[str, str] = ("Authorization", "Basic YWRtaW46c2VjcmV0")
    extra: dict[str, str] = field(default_factory=dict)

    async def deploy(self, name: str, *, script: Script = echo, **fields: object) -> FunctionKey:
        """Deploy ``name``; keyword arguments are JSON fields of the deployment."""
        self.provider.scripts[name] = script
        deployment = FunctionDeployment.from_json({"service": name, "image": f"{name}:latest", **fields})
        await self.fleet.create(deployment)
        return deployment.key

    def bearer(self, role: Role, lifetime: timedelta = timedelta(hours=1)) -> tuple[str, str]:
        return ("Authorization", "Bearer " + self.tokens.issue(Identity("ada", role), lifetime))


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Bench]:
    with tempfile.TemporaryDirectory(prefix="gw") as short:  # socket paths have a small limit
        provider = FakeProvider(Path(short))
        for name in ("specs", "secrets", "logs"):
            (tmp_path / name).mkdir()
        fleet = Fleet(provider, SpecStore(tmp_path / "specs"))
        tokens = TokenSigner(TOKEN_KEY, API_AUDIENCE)
        bearer = BearerAuthenticator(tokens, TokenSigner(IDENTITY_KEY, FUNCTION_AUDIENCE))
        basic = BasicAuthenticator("admin", "secret")
        system = SystemApi(fleet, SecretStore(tmp_path / "secrets"), FunctionLogs(tmp_path / "logs"), basic)
        server = HttpServer(Dispatcher(fleet, bearer, system=system, pages=Pages(fleet).table()), bad_request)
        port = await server.listen("127.0.0.1", 0)
        await fleet.start()
        client = HttpClient(f"127.0.0.1:{port}")
        yield Bench(provider, fleet, client, port, tmp_path, tokens, server, system)
        client.close()
        await server.stop(1)
        await fleet.stop()
