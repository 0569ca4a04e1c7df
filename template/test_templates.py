"""The templates: what handlers may return, and the same answers from the image's server and from a worker."""

import asyncio
import http.client
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from clustergenie.settings import Home
from gateway.images import ImageStore, build
from gateway.providers.process.conftest import Rig

HERE = Path(__file__).parent
TEMPLATES = ("python3-http", "python3-flask")


def load(template):
    folder = HERE / template
    sys.path.insert(0, str(folder))
    try:
        spec = importlib.util.spec_from_file_location("index_under_test", folder / "index.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(folder))
    return module


@pytest.fixture(scope="module")
def http_index():
    return load("python3-http")


def client(index, result):
    handle = result if callable(result) else (lambda *_: result)
    return index.create_app(handle).test_client()


RESULTS = {
    "None": (None, 200, b""),
    "str": ("hi", 200, b"hi"),
    "bytes": (b"\x00", 200, b"\x00"),
    "list": ([1, 2], 200, b"[1,2]"),
    "tuple": (("made", 201, {"X-A": "1"}), 201, b"made"),
    "dict without the keys": ({"a": 1}, 200, b""),
    "status only": ({"statusCode": 204}, 204, b""),
    "body dict": ({"body": {"a": 1}}, 200, b'{"a":1}'),
    "body list": ({"body": [1]}, 200, b"[1]"),
    "body bytes": ({"body": b"\xff"}, 200, b"\xff"),
    "body number": ({"body": 3}, 200, b"3"),
    "body generator": ({"body": (part for part in ("a", "b"))}, 200, b"ab"),
    "header pairs": ({"body": "x", "headers": [("X-A", "1"), ("X-A", "2")]}, 200, b"x"),
}


@pytest.mark.parametrize("case", RESULTS)
def test_results_become_answers(http_index, case):
    result, status, body = RESULTS[case]
    answer = client(http_index, result).get("/")
    assert (answer.status_code, answer.data.rstrip(b"\n")) == (status, body)


def test_repeated_headers_and_default_content_types_stay(http_index):
    answer = client(http_index, RESULTS["header pairs"][0]).get("/")
    assert answer.headers.getlist("X-A") == ["1", "2"]
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert client(http_index, {"body": {}}).get("/").headers["Content-Type"] == "application/json"


def test_an_event_has_the_request(http_index):
    seen = []
    handle = lambda event, context: seen.append((event, context))  # noqa: E731 - shorter than a function
    client(http_index, handle).patch("/a//b/?q=1&q=2", data=b"\xff", headers={"X-Thing": "t"})
    ((event, context),) = seen
    assert (event.body, event.method, event.path) == (b"\xff", "PATCH", "/a//b/")
    assert event.query.getlist("q") == ["1", "2"]
    assert event.headers["x-thing"] == "t"
    assert context.hostname


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("OPTIONS", 200), ("TRACE", 405)])
def test_other_methods_are_flasks_own(http_index, method, status):
    assert client(http_index, "x").open("/", method=method).status_code == status


def test_flask_handlers_get_text_or_raw_bytes(monkeypatch):
    index = load("python3-flask")
    kind = lambda req: type(req).__name__  # noqa: E731 - shorter than a function
    assert index.create_app(kind).test_client().post("/", data=b"x").text == "str"
    monkeypatch.setenv("RAW_BODY", "true")
    assert index.create_app(kind).test_client().post("/", data=b"x").text == "bytes"
    assert index.create_app(kind).test_client().put("/").status_code == 405


def test_both_templates_have_the_same_server():
    one, other = ((HERE / name / "function_server.py").read_text() for name in TEMPLATES)
    assert one == other


def test_durations_are_read_as_the_watchdog_does(http_index):
    seconds = sys.modules["function_server"].seconds
    assert [seconds(text) for text in ("30", "1m30s", "250ms")] == [30, 90, 0.25]
    for bad in ("", "x", "1 s", "-1s", "1d"):
        with pytest.raises(ValueError, match="duration"):
            seconds(bad)


HANDLER = """
import time
def handle(event, context):
    if event.path == "/slow":
        time.sleep(0.3)
    if event.path == "/boom":
        raise RuntimeError("boom")
    if event.path == "/none":
        return None
    if event.path == "/stream":
        return (str(n) for n in range(3))
    return {"statusCode": 201, "body": {"path": event.path, "method": event.method, "body": event.body.decode(),
            "query": event.query.to_dict(), "for": event.headers.get("X-Forwarded-For")}, "headers": {"X-Own": "1"}}
"""


class Image:
    """``python index.py`` of a built bundle, as the container's CMD runs it."""

    def __init__(self, bundle, **env):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        environment = {"PATH": os.environ["PATH"], "port": str(self.port), **env}
        self.process = subprocess.Popen([sys.executable, "index.py"], cwd=bundle.path, env=environment)
        end = time.monotonic() + 20
        while not self._is_up():
            assert time.monotonic() < end, "the server did not come up"

    def _is_up(self):
        try:
            return self.call("GET", "/_/health")[0] == 200
        except OSError:
            return False

    def call(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read(), dict(answer.getheaders())
        finally:
            connection.close()


@pytest.fixture
def image(tmp_path):
    started = []

    def start(source=HANDLER, **env):
        handler = tmp_path / "handler"
        handler.mkdir()
        (handler / "handler.py").write_text(source)
        template = HERE / "python3-http"
        bundle = build(ImageStore(tmp_path / "images"), image="f", template=template, handler=handler)
        started.append(Image(bundle, **env))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()


CALLS = [
    ("GET", "/", None, {}),
    ("POST", "/a/b?c=d", b"text", {"X-Forwarded-For": "10.0.0.1:1"}),
    ("DELETE", "/none", None, {}),
    ("GET", "/stream", None, {}),
    ("GET", "/boom", None, {}),
    ("TRACE", "/", None, {}),
    ("GET", "/_/health", None, {}),
    ("POST", "/_/ready", b"", {}),
]


def comparable(answer):
    status, body, headers = answer
    # The date moves, and Flask lists the allowed methods in any order.
    return status, body, {**headers, "Date": "", "Allow": set(headers.get("Allow", "").split(", "))}


@pytest.mark.slow
async def test_a_worker_and_the_image_give_the_same_answers(image):
    server = image()
    with tempfile.TemporaryDirectory(prefix="genie-") as folder:
        rig = Rig(Home(Path(folder)))
        await rig.start()
        try:
            address = await rig.serve(HANDLER)
            for method, path, body, headers in CALLS:
                expected = await asyncio.to_thread(server.call, method, path, body, headers)
                found = await rig.call(address, method, path, body, headers)
                assert comparable(found) == comparable(expected), (method, path)
        finally:
            await rig.provider.stop()


@pytest.mark.slow
def test_health_and_readiness_are_for_get_only(image):
    server = image(ready_path="/none")
    assert server.call("GET", "/_/health")[:2] == (200, b"OK")
    assert server.call("GET", "/_/ready")[:2] == (200, b"")
    assert server.call("POST", "/_/health")[0] == 405


@pytest.mark.slow
async def test_sigterm_lets_a_request_in_flight_finish(image):
    server = image()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", "/slow")
    server.process.send_signal(signal.SIGTERM)
    answer = await asyncio.to_thread(connection.getresponse)
    assert answer.status == 201
    assert json.loads(answer.read())["path"] == "/slow"
    connection.close()
    assert await asyncio.to_thread(server.process.wait, 20) == 0


@pytest.mark.slow
async def test_health_says_503_while_requests_are_still_taken(image):
    server = image(healthcheck_interval="30s")
    server.process.send_signal(signal.SIGTERM)
    end = time.monotonic() + 20
    while server.call("GET", "/_/health")[0] != 503:
        assert time.monotonic() < end
    assert server.call("GET", "/")[0] == 201
