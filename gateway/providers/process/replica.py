"""One worker as the gateway sees it: its sockets and folders, and where it is in its life."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import os
import secrets
import shutil
import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from gateway.providers.base import Endpoint
from gateway.providers.process.channel import ChannelClosedError, Inbox
from gateway.providers.process.plan import Plan
from gateway.providers.process.template import Template

#: Threads of a worker's server: requests it works on at once.
THREADS = 4
_BACKLOG = 1024


class State(enum.Enum):
    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    STOPPING = "stopping"
    ENDED = "ended"


@dataclass(frozen=True)
class Places:
    """Where a provider's replicas keep their things."""

    sockets: Path
    logs: Path


class ReplicaListener(Protocol):
    def replica_ready(self, replica: Replica) -> None: ...


class Replica:
    """A worker from the order to fork it until its end is known."""

    def __init__(self, plan: Plan, template: Template, places: Places, listener: ReplicaListener) -> None:
        token = secrets.token_hex(4)
        self.name = f"{plan.deployment.service}-{token}"
        self.plan = plan
        self.template = template
        self.endpoint = Endpoint(self.name, str(places.sockets / f"w-{token}"), THREADS)
        self.state = State.STARTING
        self.pid: int | None = None
        self.ready_at: float | None = None
        self.error = ""
        self.ended = asyncio.Event()
        self._listener = listener
        self._log_file = places.logs / str(plan.deployment.key) / f"{self.name}.jsonl"
        self._work_folder = plan.folder / self.name
        self._report: socket.socket | None = None
        self._inbox: Inbox | None = None

    def start(self) -> None:
        """Bind the socket and order the fork. Raises OSError when a folder or socket cannot be made."""
        self._work_folder.mkdir(mode=0o700)
        self._log_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(self.endpoint.address)
        Path(self.endpoint.address).chmod(0o600)
        listener.listen(_BACKLOG)
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self._report, self._inbox = ours, Inbox(ours)
        asyncio.get_running_loop().add_reader(ours.fileno(), self._readable)
        self.template.fork(self._order(), (listener.detach(), theirs.detach()))

    def _order(self) -> dict[str, Any]:
        deployment = self.plan.deployment
        return {
            "replica": self.name,
            "bundle": str(self.plan.bundle.path),
            "environment": self.plan.environment(self.name, self._work_folder),
            "work_folder": str(self._work_folder),
            "log_file": str(self._log_file),
            "log_fields": {
                "service": "clustergenie",
                "function": deployment.service,
                "instance": self.name,
            },
            "threads": THREADS,
            "memory_bytes": self.plan.memory_bytes,
        }

    def signal(self, number: signal.Signals) -> None:
        self.template.signal(self.name, number)

    def forget(self) -> None:
        """Its end is known: close and remove what it had."""
        self.state = State.ENDED
        self._close_report()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.endpoint.address)  # noqa: PTH108 - the address is a string everywhere
        shutil.rmtree(self._work_folder, ignore_errors=True)
        self.ended.set()

    def _readable(self) -> None:
        if self._inbox is None:
            return
        try:
            for message in self._inbox.receive():
                self._take(message)
        except BlockingIOError:
            return
        except ChannelClosedError:
            # The worker has ended, or will be heard of no more; the template tells which.
            self._close_report()

    def _take(self, message: dict[str, Any]) -> None:
        if message["event"] == "failed":
            self.error = message["error"]
        elif self.state is State.STARTING:
            self.pid = message["pid"]
            self._listener.replica_ready(self)

    def _close_report(self) -> None:
        report, self._report, self._inbox = self._report, None, None
        if report is not None:
            asyncio.get_running_loop().remove_reader(report.fileno())
            report.close()


def describe_exit(status: int) -> str:
    """``-9`` → ``was killed by SIGKILL``; ``3`` → ``ended with exit status 3``."""
    if status >= 0:
        return f"ended with exit status {status}"
    with contextlib.suppress(ValueError):
        return f"was killed by {signal.Signals(-status).name}"
    return f"was killed by signal {-status}"
