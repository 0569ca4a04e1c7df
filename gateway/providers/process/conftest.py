# ruff: noqa: ARG002, ASYNC110, S311, SLF001 - a test double: it polls on purpose, and looks inside
"""Real providers with real processes, and a listener that plays the gateway's balancer."""

import asyncio
import contextlib
import functools
import http.client
import os
import random
import shutil
import socket
import tempfile
import threading
import time
from pathlib import Path

import psutil
import pytest

from clustergenie.settings import Home
from gateway.contract import FunctionDeployment, FunctionKey
from gateway.images import ImageStore, build
from gateway.providers.process import ProcessProvider
from gateway.providers.process.replica_set import Limits
from gateway.secrets import SecretStore

TEMPLATES = Path(__file__).parents[3] / "template"
#: Longest that a test waits for anything, in seconds; far beyond what any of it takes.
DEADLINE_SECONDS = 20.0


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=DEADLINE_SECONDS)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def call(address, method="GET", path="/", body=None, headers=None):
    connection = UnixConnection(address)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())


class FakeListener:
    """Keeps ready endpoints, counts requests in flight, and drains as the gateway does."""

    def __init__(self):
        self.endpoints = {}
        self.events = []
        self.errors = []
        self.in_flight = {}
        self.lock = threading.Lock()

    def ready(self, key, endpoint):
        with self.lock:
            self.endpoints[endpoint.replica] = endpoint
            self.in_flight[endpoint.replica] = 0
        self.events.append(("ready", endpoint.replica))

    async def drain(self, key, endpoint, timeout_seconds):
        with self.lock:
            self.endpoints.pop(endpoint.replica, None)
        self.events.append(("drain", endpoint.replica))
        end = time.monotonic() + timeout_seconds
        while self.in_flight[endpoint.replica] and time.monotonic() < end:
            await asyncio.sleep(0.002)

    def gone(self, key, endpoint):
        with self.lock:
            self.endpoints.pop(endpoint.replica, None)
        self.events.append(("gone", endpoint.replica))

    def start_failed(self, key, error):
        self.errors.append(error)
        self.events.append(("failed", error))

    @contextlib.contextmanager
    def borrowed(self):
        """An endpoint with one request in flight."""
        with self.lock:
            endpoint = min(self.endpoints.values(), key=lambda e: self.in_flight[e.replica])
            self.in_flight[endpoint.replica] += 1
        try:
            yield endpoint
        finally:
            with self.lock:
                self.in_flight[endpoint.replica] -= 1


async def until(condition, what="the condition", seconds=DEADLINE_SECONDS):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"{what} did not come true within {seconds} s"
        await asyncio.sleep(0.002)
    return found


class Rig:
    """One provider in a home of its own."""

    def __init__(self, home):
        self.home = home
        self.images = ImageStore(home.images)
        self.secrets = SecretStore(home.function_secrets)
        self.listener = FakeListener()
        self.provider = None
        self.sources = home.root / "src"

    async def start(self, **limits):
        defaults = {"start_seconds": DEADLINE_SECONDS, "stop_seconds": 5.0}
        self.provider = ProcessProvider(
            self.home,
            self.images,
            self.secrets,
            randomness=random.Random(1),
            limits=Limits(**(defaults | limits)),
        )
        await self.provider.start(self.listener)

    def build(self, name, source, template="python3-http", **files):
        folder = self.sources / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "handler.py").write_text(source)
        for file, text in files.items():
            (folder / file.replace("__", ".")).write_text(text)
        return build(self.images, image=name, template=TEMPLATES / template, handler=folder)

    async def deploy(self, name, source=None, replicas=1, **fields):
        if source is not None:
            self.build(name, source, fields.pop("template", "python3-http"))
        deployment = FunctionDeployment(service=name, image=f"{name}:latest", **fields)
        await self.provider.deploy(deployment, replicas)
        return deployment.key

    async def ready(self, count=1):
        await until(lambda: len(self.listener.endpoints) == count, f"{count} ready replicas")
        return list(self.listener.endpoints.values())

    async def serve(self, source, **fields):
        """Deploy one function with one replica; answers its socket's path."""
        await self.deploy("f", source, **fields)
        (endpoint,) = await self.ready()
        return endpoint.address

    async def call(self, *arguments, **options):
        return await asyncio.get_running_loop().run_in_executor(
            None, functools.partial(call, *arguments, **options)
        )

    @property
    def template(self):
        return next(iter(self.provider._templates.values()))

    def replicas(self, name="f"):
        return list(self.provider._sets[FunctionKey(name)].replicas.values())

    def log_lines(self, name="f"):
        return [
            line
            for file in sorted((self.home.logs / "functions" / f"{name}.openfaas-fn").glob("*.jsonl*"))
            for line in file.read_text().splitlines()
        ]


@pytest.fixture
def home():
    # Not pytest's tmp_path: Unix socket paths are short.
    with tempfile.TemporaryDirectory(prefix="genie-") as folder:
        yield Home(Path(folder))


@pytest.fixture
async def rig(home):
    rig = Rig(home)
    before = {child.pid for child in psutil.Process().children()}
    yield rig
    if rig.provider is not None:
        await rig.provider.stop()
    left = [child for child in psutil.Process().children(recursive=True) if child.pid not in before]
    assert not left, f"processes left running: {left}"
    for process in left:
        os.kill(process.pid, 9)


@pytest.fixture
def eventually():
    return until
