"""The primary's work: start what should run and does not, notice at once what dies, say what happened.

One thread, one selector. Components are noticed dead through pidfds, whoever started them; where the system has none
their locks are asked a few times a second.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from clustergenie.settings import Home
from genie.supervisor import logfiles
from genie.supervisor.backoff import STABLE_SECONDS, Backoff
from genie.supervisor.component import Component
from genie.supervisor.privatefiles import write_json
from genie.supervisor.processes import POLL_SECONDS, kill_group, open_pidfd, reap

#: Between two looks at the sizes of the log files, in seconds.
_LOG_CHECK_SECONDS = 5.0
#: Longest sleep of the loop, in seconds: the plan is looked at this often.
_TICK_SECONDS = 1.0
#: Another look at a lock that was held by nobody in particular (somebody was only asking), in seconds.
_PROBED_SECONDS = 0.02
#: Time between the end of a process and the release of its lock, in seconds; usually far less.
_UNLOCK_SECONDS = 0.005


@dataclass
class Watched:
    """One component and its present life."""

    component: Component
    pid: int | None = None
    pidfd: int | None = None
    child: subprocess.Popen[bytes] | None = None
    since: float = 0.0
    due: float = 0.0
    backoff: Backoff = field(default_factory=Backoff)
    restarts: int = 0
    last_exit: str = ""

    def to_json(self, now: float) -> dict[str, Any]:
        waiting = 0.0 if self.pid else max(0.0, self.due - now)
        looping = self.backoff.crash_loop and not (self.pid and now - self.since >= STABLE_SECONDS)
        return {
            "pid": self.pid,
            "restarts": self.restarts,
            "crash_loop": looping,
            "last_exit": self.last_exit,
            "next_start_seconds": round(waiting, 1),
        }


class Watch:
    """Keeps ``components`` running until ``wanted`` says no. Ending them is not its business (``genie down``)."""

    def __init__(
        self, home: Home, components: tuple[Component, ...], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._home = home
        self._clock = clock
        self._watched = [Watched(component) for component in components]
        self._selector = selectors.DefaultSelector()
        self._next_log_check = clock()
        self._reported: dict[str, Any] = {}

    def wake_by(self, descriptor: int) -> None:
        """End the present sleep when ``descriptor`` becomes readable (signals)."""
        self._selector.register(descriptor, selectors.EVENT_READ)

    def run(self, wanted: Callable[[], bool]) -> None:
        while wanted():
            self.step()
            self._sleep()

    def step(self) -> None:
        """One round without sleeping: bury the dead, start what is due, rotate logs, report."""
        for watched in self._watched:
            if watched.pid is not None and self._is_dead(watched):
                self._bury(watched)
            if watched.pid is None and watched.due <= self._clock():
                self._start(watched)
        self._check_logs()
        self._report()

    def _is_dead(self, watched: Watched) -> bool:
        # The lock is the truth: it also outlives a leader whose helper still works.
        return not watched.component.lock(self._home).is_held()

    def _bury(self, watched: Watched) -> None:
        uptime = self._clock() - watched.since
        watched.last_exit = f"{_cause(watched)} after {uptime:.1f} s, {_now()}"
        self._forget_process(watched)
        watched.backoff = watched.backoff.after(uptime)
        watched.due = self._clock() + watched.backoff.delay_seconds
        watched.restarts += 1
        print(f"{_now()} {watched.component.name} ended: {watched.last_exit}", flush=True)  # noqa: T201 - the log

    def _forget_process(self, watched: Watched) -> None:
        self._close_pidfd(watched)
        watched.pid = watched.child = None

    def _close_pidfd(self, watched: Watched) -> None:
        if watched.pidfd is not None:
            self._selector.unregister(watched.pidfd)
            os.close(watched.pidfd)
            watched.pidfd = None

    def _start(self, watched: Watched) -> None:
        child = watched.component.start(self._home)
        pid = child.pid if child else watched.component.lock(self._home).holder()
        if pid is None:
            watched.due = self._clock() + _PROBED_SECONDS
            return
        watched.pid, watched.child, watched.since = pid, child, self._clock()
        self._attach(watched, pid)

    def _attach(self, watched: Watched, pid: int) -> None:
        try:
            watched.pidfd = open_pidfd(pid)
        except ProcessLookupError:
            return  # dead already; the next round sees its lock free
        if watched.pidfd is not None:
            self._selector.register(watched.pidfd, selectors.EVENT_READ)

    def _sleep(self) -> None:
        now = self._clock()
        waits = [watched.due - now for watched in self._watched if watched.pid is None]
        if any(watched.pid is not None and watched.pidfd is None for watched in self._watched):
            waits.append(POLL_SECONDS)
        for key, _ in self._selector.select(max(0.0, min([_TICK_SECONDS, *waits]))):
            self._await_unlock(key.fd)

    def _await_unlock(self, descriptor: int) -> None:
        # A pidfd is readable a moment before the kernel lets go of the lock. What holds it after that is a helper
        # that would keep its dead leader from being started again.
        for watched in self._watched:
            if watched.pidfd != descriptor or self._is_dead(watched):
                continue
            time.sleep(_UNLOCK_SECONDS)
            if not self._is_dead(watched):
                kill_group(watched.pid or 0)
                self._close_pidfd(watched)

    def _check_logs(self) -> None:
        if self._clock() < self._next_log_check:
            return
        self._next_log_check = self._clock() + _LOG_CHECK_SECONDS
        for path in {watched.component.log(self._home) for watched in self._watched}:
            logfiles.rotate_in_place(path)

    def _report(self) -> None:
        now = self._clock()
        components = {watched.component.name: watched.to_json(now) for watched in self._watched}
        if components != self._reported:
            write_json(self._home.run / "supervisor.json", {"pid": os.getpid(), "components": components})
            self._reported = components


def _cause(watched: Watched) -> str:
    code = watched.child.wait() if watched.child is not None else reap(watched.pid or 0)
    if code is None:
        return "ended"  # started by another process, which alone is told the exit code
    return f"exit code {code}" if code >= 0 else f"signal {-code}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
