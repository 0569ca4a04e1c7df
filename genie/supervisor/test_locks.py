from __future__ import annotations

import os
import signal
import subprocess
import sys

from genie.supervisor.component import Component
from genie.supervisor.locks import LockFile

SLEEPER = (sys.executable, "-S", "-c", "import time; time.sleep(600)")
# Leaves a child behind that has inherited the lock.
LEAKY = (sys.executable, "-S", "-c", "import os, time\nos.fork()\ntime.sleep(600)")


def test_a_free_lock_has_no_holder(home):
    lock = LockFile(home.run / "x.lock")

    assert not lock.is_held()
    assert lock.holder() is None


def test_only_one_takes_a_lock(home):
    lock = LockFile(home.run / "x.lock")
    first = lock.take()

    assert first is not None
    assert lock.take() is None
    os.close(first)
    second = lock.take()
    assert second is not None
    os.close(second)


def test_any_program_holds_its_lock_without_cooperating_and_lets_go_when_killed(home, eventually):
    sleeper = Component("sleeper", SLEEPER)
    child = sleeper.start(home)

    assert child is not None
    assert sleeper.lock(home).holder() == child.pid
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    eventually(lambda: not sleeper.lock(home).is_held())


def test_the_same_component_is_not_started_twice(home):
    sleeper = Component("sleeper", SLEEPER)
    child = sleeper.start(home)

    assert sleeper.start(home) is None
    assert child is not None
    child.kill()
    child.wait()


def test_a_stale_pid_in_the_file_is_not_believed(home):
    lock = LockFile(home.run / "x.lock")
    lock.path.write_text("1\n")

    assert lock.holder() is None


def test_the_heir_of_a_leaked_lock_is_found(home, eventually):
    leaky = Component("leaky", LEAKY)
    child = leaky.start(home)
    assert child is not None
    eventually(lambda: len(_group(child.pid)) == 2)
    child.kill()
    child.wait()

    heir = leaky.lock(home).holder()

    assert heir in _group(child.pid)
    os.killpg(child.pid, signal.SIGKILL)
    eventually(lambda: not leaky.lock(home).is_held())


def _group(leader: int) -> list[int]:
    found = subprocess.run(["pgrep", "-g", str(leader)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in found.stdout.split()]
