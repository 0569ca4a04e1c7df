"""Lock files that live exactly as long as a process, whatever program it runs.

The starter opens and locks the file and lets the child inherit the descriptor: the kernel keeps the lock until the
child is gone, also after ``kill -9``. The child's pid is in the file, for those who want to signal it.
"""

from __future__ import annotations

import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path

from genie.errors import GenieError

#: How long a lock may be held by a starter that has not written the pid yet, in seconds.
_PID_PATIENCE_SECONDS = 1.0
_RETRY_SECONDS = 0.005
_PROC = Path("/proc")


@dataclass(frozen=True)
class LockFile:
    """One lock file. The file itself is never deleted: a second inode under the same name would be a second lock."""

    path: Path

    def take(self) -> int | None:
        """An open descriptor that holds the lock (close it to let go), or None when another process has it.

        May also answer None while somebody probes with :meth:`holder`; who must know asks that next.
        """
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        os.ftruncate(descriptor, 0)
        return descriptor

    def wait(self) -> int:
        """Like :meth:`take`, but waits for the holder to go."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.ftruncate(descriptor, 0)
        return descriptor

    def is_held(self) -> bool:
        """Whether a living process has the lock."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def holder(self) -> int | None:
        """Pid of the process that holds the lock, None when it is free."""
        deadline = time.monotonic() + _PID_PATIENCE_SECONDS
        while self.is_held():
            pid = self._written_pid()
            if pid is not None and _has_open(pid, self.path):
                return pid
            if time.monotonic() > deadline:
                return self._search()
            time.sleep(_RETRY_SECONDS)
        return None

    def _written_pid(self) -> int | None:
        text = self.path.read_text(encoding="ascii", errors="replace").strip()
        return int(text) if text.isascii() and text.isdigit() else None

    def _search(self) -> int | None:
        # The named process died and left the descriptor to a child of its own, which is now what keeps the lock.
        for entry in _PROC.glob("[0-9]*"):
            if _has_open(int(entry.name), self.path) and int(entry.name) != os.getpid():
                return int(entry.name)
        if not self.is_held():
            return None
        raise GenieError(
            f"{self.path} is locked by a process that cannot be found; see who has it open with: lsof {self.path}"
        )


def _has_open(pid: int, path: Path) -> bool:
    if not _PROC.joinpath("self").exists():  # no /proc (macOS): the written pid is all there is
        return _exists(pid)
    try:
        lock = path.stat()
        descriptors = list(_PROC.joinpath(str(pid), "fd").iterdir())
    except OSError:
        return False
    return any(_is_same(descriptor, lock) for descriptor in descriptors)


def _is_same(descriptor: Path, lock: os.stat_result) -> bool:
    try:
        return os.path.samestat(descriptor.stat(), lock)
    except OSError:  # closed since it was listed
        return False


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
