"""Waiting for processes that need not be children of ours, and ending them."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time

from genie.supervisor.locks import LockFile

#: Between two looks at a process where the system has no pidfd, in seconds.
POLL_SECONDS = 0.1


def open_pidfd(pid: int) -> int | None:
    """A descriptor that becomes readable when ``pid`` ends; None where there is none (macOS, old kernels).

    Raises ProcessLookupError when the process is gone already.
    """
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        raise
    except OSError:  # a kernel before 5.3, or a sandbox that forbids it
        return None


def wait_until_free(lock: LockFile, pid: int, timeout_seconds: float) -> bool:
    """Wait for ``pid`` to end and so to let go of ``lock``. False when it still has it after the timeout."""
    deadline = time.monotonic() + timeout_seconds
    while lock.is_held():
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            return False
        _wait_exit(pid, min(remaining, 1.0))
    return True


def _wait_exit(pid: int, timeout_seconds: float) -> None:
    try:
        pidfd = open_pidfd(pid)
    except ProcessLookupError:
        time.sleep(0.001)  # the kernel is still closing its files
        return
    if pidfd is None:
        time.sleep(min(timeout_seconds, POLL_SECONDS))
        return
    try:
        ended, _, _ = select.select([pidfd], [], [], timeout_seconds)
    finally:
        os.close(pidfd)
    if ended:
        reap(pid)
        time.sleep(0.001)  # readable at exit; another holder of the lock is asked for again, not spun on


def reap(pid: int) -> int | None:
    """Exit status of a dead child of ours (as of :func:`os.waitstatus_to_exitcode`); None for other processes."""
    try:
        done, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return os.waitstatus_to_exitcode(status) if done else None


def end(lock: LockFile, drain_seconds: float) -> bool:
    """End whoever holds ``lock``: SIGTERM, time to drain, then SIGKILL to its whole process group.

    True when there was somebody to end. Returns when the lock is free.
    """
    ended = False
    while (pid := lock.holder()) is not None:
        ended = True
        _signal(pid, signal.SIGTERM)
        if not wait_until_free(lock, pid, drain_seconds):
            _signal(pid, signal.SIGKILL)
            wait_until_free(lock, pid, drain_seconds)
        kill_group(pid)
    return ended


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
    with contextlib.suppress(ProcessLookupError):  # a stopped process would keep SIGTERM for later
        os.kill(pid, signal.SIGCONT)


def kill_group(leader: int) -> None:
    """End what is left in the group of a component: it led a session of its own, so these are its helpers."""
    if leader <= 1:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
