"""A whole instance for end-to-end tests: ``genie up`` in a temporary home on a free port, driven over HTTP."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from clustergenie import credentials
from clustergenie.identity import API_AUDIENCE, Identity, Role, TokenSigner
from clustergenie.settings import Home
from genie.supervisor.locks import LockFile

ROOT = Path(__file__).resolve().parent.parent.parent
GENIE = Path(sys.executable).with_name("genie")


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Stack:
    """One instance. ``env`` overrides what the embedded parts would be (``DATABASE_URL``, ``KAFKA_BROKERS``…)."""

    home: Home
    port: int
    env: dict[str, str] = field(default_factory=dict)

    def genie(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        env = os.environ | {"GENIE_HOME": str(self.home.root), "GENIE_PORT": str(self.port)} | self.env
        command = [str(GENIE), *arguments]
        run = subprocess.run(
            command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False
        )
        if check and run.returncode != 0:
            raise AssertionError(
                f"genie {' '.join(arguments)} failed\n{run.stdout}\n{run.stderr}\n{self.last_logs()}"
            )
        return run

    def last_logs(self) -> str:
        return "\n".join(
            f"== {path.name}\n{path.read_text()[-2000:]}" for path in sorted(self.home.logs.glob("*.log"))
        )

    def token(self, role: Role = Role.ADMIN) -> str:
        signer = TokenSigner(credentials.read(self.home, credentials.TOKEN_KEY), API_AUDIENCE)
        return signer.issue(Identity("tester", role), timedelta(hours=1))

    def call(self, method: str, path: str, body: object = None, *, role: Role | None = Role.ADMIN) -> Reply:
        """One API request; every status is an answer, not an error."""
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        if role is not None:
            headers["Authorization"] = f"Bearer {self.token(role)}"
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return Reply(answer.status, answer.read(), dict(answer.headers))
        except urllib.error.HTTPError as refusal:
            with refusal:
                return Reply(refusal.code, refusal.read(), dict(refusal.headers))

    def get(self, path: str) -> Any:
        reply = self.call("GET", path)
        assert reply.status == 200, (path, reply.status, reply.body)
        return reply.json

    def create_cluster(self, name: str) -> str:
        reply = self.call("POST", "/api/v1/clusters", {"name": name, "region": "nyc1"})
        assert reply.status == 201, reply.body
        return str(reply.json["cluster"]["id"])

    def create_job(self, cluster_id: str) -> str:
        reply = self.call("POST", "/api/v1/jobs", {"type": "diagnose", "cluster_id": cluster_id})
        assert reply.status in (201, 202), reply.body
        return str(reply.json["job"]["id"])

    def job(self, job_id: str) -> Any:
        return self.get(f"/api/v1/jobs/{job_id}")["job"]

    def finished(self, job_id: str, seconds: float = 30.0) -> Any:
        """The job once it has ended."""
        eventually(lambda: self.job(job_id)["status"] in ("completed", "failed", "cancelled"), seconds)
        return self.job(job_id)

    def pid(self, component: str) -> int:
        """The process that holds ``run/<component>.lock``."""
        pid = LockFile(self.home.run / f"{component}.lock").holder()
        assert pid is not None, f"{component} does not run"
        return pid

    def processes(self) -> list[int]:
        """Every process that works in this home."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                environment = (folder / "environ").read_bytes()
                state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            except (OSError, IndexError):
                continue
            if f"GENIE_HOME={self.home.root}".encode() in environment.split(b"\0") and state != "Z":
                found.append(int(folder.name))
        return [pid for pid in found if pid != os.getpid()]

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)


def eventually(condition: Callable[[], Any], seconds: float = 30.0) -> None:
    """Ask until it holds; a refused connection counts as 'not yet'."""
    deadline = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except (OSError, AssertionError) as error:
            last = error
        pause()
    raise AssertionError(f"it did not come true in {seconds} s; last: {last}")


def pause() -> None:
    """Between two questions to another process; nothing here can be woken."""
    time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_stack(**env: str) -> Iterator[Stack]:
    """A started instance; stopped and deleted afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="genie-e2e-"))
    stack = Stack(Home(folder), free_port(), env)
    try:
        stack.genie("up")
        yield stack
    finally:
        stack.genie("down", check=False)
        for pid in stack.processes():
            stack.kill(pid)
        shutil.rmtree(folder, ignore_errors=True)
