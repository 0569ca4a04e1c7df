"""Which log files can go: shipped to the end, written by nobody any more, and old or too many."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from triggers.logagent.tail import ROTATED

#: How long a dead replica's log is kept for ``faas-cli logs``, in seconds.
KEEP_SECONDS = 24 * 3600.0
#: Most bytes kept of dead replicas' logs per function; the oldest go first.
KEEP_BYTES = 64 * 1024 * 1024
#: Where nobody can tell us whether a file is still open (not Linux), silence must last this long, in seconds.
_SILENT_SECONDS = 30 * 24 * 3600.0


@dataclass(frozen=True)
class _Log:
    path: Path
    modified: float
    size: int


def removable(
    drained: Iterable[Path],
    *,
    now: Callable[[], float] = time.time,
    keep_seconds: float = KEEP_SECONDS,
    keep_bytes: int = KEEP_BYTES,
) -> list[Path]:
    """Of one function's ``drained`` logs (paths of ``.jsonl`` files) those to remove."""
    dead = sorted((log for log in map(_look, drained) if log and not _has_writer(log, now())), key=_age)
    chosen, kept = [], 0
    for log in dead:
        kept += log.size
        if now() - log.modified > keep_seconds or kept > keep_bytes:
            chosen.append(log.path)
    return chosen


def remove(path: Path) -> None:
    """Delete a log and what was rotated from it."""
    for name in (path, path.with_name(path.name + ROTATED)):
        name.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # other replicas' logs are still there
        path.parent.rmdir()


def _age(log: _Log) -> float:
    return -log.modified


def _look(path: Path) -> _Log | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return _Log(path, status.st_mtime, status.st_size)


def _has_writer(log: _Log, now: float) -> bool:
    """A silent replica may still hold its file open; deleting that would lose what it writes next."""
    set_lease = getattr(fcntl, "F_SETLEASE", None)
    if set_lease is None:
        return now - log.modified < _SILENT_SECONDS
    try:
        descriptor = os.open(log.path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        # The kernel grants a read lease only while nobody has the file open for writing.
        fcntl.fcntl(descriptor, set_lease, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, set_lease, fcntl.F_UNLCK)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
