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
        """The holders of this home's locks and everything they started."""
        holders = [LockFile(lock).holder() for lock in self.home.run.glob("*.lock")]
        found = [pid for pid in holders if pid is not None]
        for pid in found:  # grows while it is walked
            found += [child for child in children(pid) if child not in found]
        return found

    def worker(self, function: str) -> int:
        """A running worker of ``function``."""
        (template,) = children(self.pid("gateway"))
        return next(pid for pid in children(template) if f"worker {function}" in title(pid))

    def template(self) -> int:
        """The template process the workers are forked from."""
        (template,) = children(self.pid("gateway"))
        return template

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)


def children(pid: int) -> list[int]:
    """Direct children of a process; none when it has ended."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in text.split()]


def title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def is_alive(pid: int) -> bool:
    """False also for a zombie that nobody has collected yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def eventually(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Ask until it holds, and return what it said; a refused connection counts as 'not yet'."""
    deadline = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < deadline:
        try:
            if result := condition():
                return result
        except (OSError, AssertionError, StopIteration, ValueError) as error:
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
        left = stack.processes()
        stack.genie("down", check=False)
        for pid in filter(is_alive, left):
            stack.kill(pid)
        shutil.rmtree(folder, ignore_errors=True)
