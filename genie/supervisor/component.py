"""One program to keep running."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clustergenie.settings import Home
from genie.supervisor import logfiles
from genie.supervisor.locks import LockFile

#: Names the inherited lock descriptor to the child, should it want to let go before it ends.
LOCK_FD_VARIABLE = "GENIE_LOCK_FD"
#: Time a component gets between SIGTERM and SIGKILL unless it says otherwise, in seconds.
DEFAULT_DRAIN_SECONDS = 10.0
_RETRY_SECONDS = 0.005
# The shell writes its own pid, which exec keeps: at no moment is there a running component with another pid in the file.
_LAUNCHER = 'echo "$$" >"$0" && exec "$@"'


@dataclass(frozen=True)
class Component:
    """A program, its arguments and what it needs. Travels through ``run/plan.json``."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to the starter's environment."""
    drain_seconds: float = DEFAULT_DRAIN_SECONDS
    log_name: str = ""
    """``<log_name>.log``; empty = the component's name."""

    def lock(self, home: Home) -> LockFile:
        return LockFile(home.run / f"{self.name}.lock")

    def log(self, home: Home) -> Path:
        return home.logs / f"{self.log_name or self.name}.log"

    def start(self, home: Home) -> subprocess.Popen[bytes] | None:
        """Start it, detached in a session of its own; None when it runs already (or is just being asked after)."""
        lock = self.lock(home).take()
        if lock is None:
            return None
        try:
            return self._launch(home, lock)
        finally:
            os.close(lock)

    def ensure(self, home: Home) -> None:
        """Start it unless it runs; sure also while others ask after its lock or an earlier one is just ending."""
        while self.start(home) is None and self.lock(home).holder() is None:
            time.sleep(_RETRY_SECONDS)

    def _launch(self, home: Home, lock: int) -> subprocess.Popen[bytes]:
        log = logfiles.open_log(self.log(home), f"starting {self.name}")
        try:
            return subprocess.Popen(  # noqa: S603 - our own plan, mode 600
                ["/bin/sh", "-c", _LAUNCHER, str(self.lock(home).path), *self.argv],
                cwd=home.root,
                env={**os.environ, **self.env, LOCK_FD_VARIABLE: str(lock)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock,),
                start_new_session=True,
            )
        finally:
            os.close(log)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "argv": list(self.argv),
            "env": dict(self.env),
            "drain_seconds": self.drain_seconds,
            "log_name": self.log_name,
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Component:
        return cls(
            name=body["name"],
            argv=tuple(body["argv"]),
            env=body["env"],
            drain_seconds=body["drain_seconds"],
            log_name=body["log_name"],
        )
