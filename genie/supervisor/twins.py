"""Two equal processes that compete for one lock.

Each begins as the *standby* (it inherits ``run/standby.lock`` from its starter, as every component inherits its own)
and waits for ``run/supervisor.lock``. Whoever gets that is the *primary*: it lets go of the standby's lock, so that a
new twin can be started, and keeps the plan's components and the twin running.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from types import FrameType

from clustergenie.settings import Home
from genie.supervisor.component import LOCK_FD_VARIABLE, Component
from genie.supervisor.locks import LockFile
from genie.supervisor.plan import Plan
from genie.supervisor.watch import Watch


def twin(home: Home) -> Component:
    """The supervisor as a component: what ``genie up`` starts once, and each primary again and again."""
    return Component(
        name="standby",
        argv=(sys.executable, "-P", "-m", "genie.supervisor", str(home.root)),
        drain_seconds=2.0,
        log_name="supervisor",
    )


def primary_lock(home: Home) -> LockFile:
    return LockFile(home.run / "supervisor.lock")


def serve(home: Home) -> None:
    """Be the standby, then the primary, until SIGTERM or until the plan is gone."""
    lock = primary_lock(home).wait()
    os.write(lock, b"%d\n" % os.getpid())
    os.close(int(os.environ.pop(LOCK_FD_VARIABLE)))
    stop = _Stop()
    plan = Plan.read(home)
    if plan is None:
        return
    watch = Watch(home, (*plan.components, twin(home)))
    watch.wake_by(stop.descriptor)
    watch.run(lambda: not stop.asked and Plan.read(home) == plan)


class _Stop:
    """Remembers SIGTERM and wakes the loop."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self.asked = False
        signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the operator's shell is not meant for us
        signal.set_wakeup_fd(self._writer.fileno())

    @property
    def descriptor(self) -> int:
        return self._reader.fileno()

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True
