"""A gateway of its own for a measurement, in a temporary home on a free port."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clustergenie import credentials
from clustergenie.settings import Home
from gateway.images import ImageStore, build

_ROOT = Path(__file__).resolve().parent.parent
_HELLO = "def handle(event, context):\n    return {'statusCode': 200, 'body': 'hello'}\n"
_START_SECONDS = 30.0


@dataclass(frozen=True)
class Instance:
    home: Home
    port: int

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def system(self, method: str, path: str, body: object = None) -> bytes:
        """A management request; raises urllib.error.HTTPError when it is refused."""
        password = credentials.read(self.home, credentials.BASIC_AUTH_PASSWORD)
        login = b64encode(f"admin:{password}".encode()).decode()
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"http://{self.address}{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return bytes(answer.read())

    def deploy_hello(self, name: str, **labels: str) -> None:
        """Build and deploy a function that answers ``hello``."""
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "handler.py").write_text(_HELLO)
            build(
                ImageStore(self.home.images), image=f"{name}:latest",
                template=_ROOT / "template" / "python3-http", handler=Path(folder),
            )  # fmt: skip
        self.system(
            "POST", "/system/functions", {"service": name, "image": f"{name}:latest", "labels": labels}
        )

    def replicas(self, name: str) -> int:
        return int(json.loads(self.system("GET", f"/system/function/{name}")).get("availableReplicas", 0))

    def scale(self, name: str, replicas: int) -> None:
        """Returns when that many replicas are ready."""
        self.system("POST", f"/system/scale-function/{name}", {"serviceName": name, "replicas": replicas})
        wait_until(lambda: self.replicas(name) == replicas)


def wait_until(condition: object, seconds: float = _START_SECONDS) -> None:
    """Ask every few milliseconds; raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise TimeoutError("the instance did not get there in time")
        time.sleep(0.002)


@contextlib.contextmanager
def running_gateway() -> Iterator[Instance]:
    """A started gateway; it and all it started has ended afterwards."""
    with tempfile.TemporaryDirectory(prefix="genie-bench-") as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        home = Home(Path(folder))
        home.create()
        credentials.ensure(home)
        env = os.environ | {"GENIE_HOME": folder, "GENIE_PORT": str(port)}
        with (home.logs / "gateway.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "gateway"], env=env, stdout=log, stderr=log, cwd=_ROOT
            )
        try:
            wait_until(lambda: _is_ready(port) or process.poll() is not None)
            if process.poll() is not None:
                raise RuntimeError((home.logs / "gateway.log").read_text())
            yield Instance(home, port)
        finally:
            process.terminate()
            process.wait(30)


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
