import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from clustergenie import credentials
from clustergenie.settings import Home
from gateway.wire.errors import WireError
from gateway.wire.message import Answer
from triggers.directory import Directory, Function
from triggers.test_doubles import FakeHttp, eventually


def listing(*names: str) -> bytes:
    return json.dumps(
        [{"name": name, "namespace": "openfaas-fn", "annotations": {"topic": "t"}} for name in names]
    ).encode()


@asynccontextmanager
async def running(subject: Directory) -> AsyncIterator[None]:
    task = asyncio.create_task(subject.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class Gateway:
    def __init__(self) -> None:
        self.functions: bytes = listing("a")
        self.status = 200
        self.is_down = False

    def __call__(self, _method: str, path: str, *_: object) -> Answer | Exception:
        if self.is_down:
            return WireError("refused")
        body = b'["openfaas-fn"]' if path == "/system/namespaces" else self.functions
        return Answer(self.status, [], body)


async def test_functions_are_listed_per_namespace_with_basic_auth(home: Home):
    http = FakeHttp(Gateway())
    subject = Directory(http, home, asyncio.Event())
    async with running(subject):
        assert await subject.changed(None) == (Function("a", "openfaas-fn", {"topic": "t"}),)
    assert [path for _, path, _, _ in http.requests] == [
        "/system/namespaces",
        "/system/functions?namespace=openfaas-fn",
    ]
    password = credentials.read(home, credentials.BASIC_AUTH_PASSWORD)
    expected = base64.b64encode(f"admin:{password}".encode()).decode()
    assert http.requests[0][2]["Authorization"] == f"Basic {expected}"


async def test_being_woken_beats_the_interval(home: Home):
    gateway, wake = Gateway(), asyncio.Event()
    subject = Directory(FakeHttp(gateway), home, wake)
    async with running(subject):
        known = await subject.changed(None)
        gateway.functions = listing("a", "b")
        wake.set()
        async with asyncio.timeout(1):
            assert [each.name for each in await subject.changed(known)] == ["a", "b"]


async def test_a_listing_that_fails_changes_nothing(home: Home):
    gateway, wake = Gateway(), asyncio.Event()
    http = FakeHttp(gateway)
    subject = Directory(http, home, wake)
    async with running(subject):
        known = await subject.changed(None)
        for gateway.is_down, gateway.status, gateway.functions in [
            (True, 200, b"[]"), (False, 503, b"[]"), (False, 200, b"{}"), (False, 200, b"nonsense"),
        ]:  # fmt: skip
            asked = len(http.requests)
            wake.set()
            await eventually(lambda asked=asked: len(http.requests) > asked and not wake.is_set())
            await eventually(lambda: subject._changes.is_failing)
            assert subject.functions == known
