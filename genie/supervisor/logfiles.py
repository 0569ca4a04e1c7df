"""Size-bounded log files of components, which write to them directly and know nothing of rotation.

Before a start the file may simply be renamed. While its component runs, a big file is copied to ``.1`` and emptied in
place: every writer appends (``O_APPEND``), so that it goes on at the new end. A line written between the copy and the
emptying is lost; these are the words of components about themselves, functions' logs take another way.
"""

from __future__ import annotations

import os
import shutil
from collections import deque
from datetime import UTC, datetime
from pathlib import Path

#: A log file is rotated when it is larger than this, in bytes; one older file of that size is kept.
MAX_LOG_BYTES = 16 * 1024 * 1024
_TAIL_BYTES = 64 * 1024


def open_log(path: Path, note: str) -> int:
    """A descriptor that appends to ``path``, after a line that says when and why."""
    if _size(path) > MAX_LOG_BYTES:
        path.replace(_older(path))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.write(descriptor, f"{datetime.now(UTC).isoformat(timespec='milliseconds')} genie: {note}\n".encode())
    return descriptor


def rotate_in_place(path: Path, limit_bytes: int = MAX_LOG_BYTES) -> bool:
    """Keep ``path`` below the limit while somebody writes to it; True when it was rotated."""
    if _size(path) <= limit_bytes:
        return False
    temporary = path.with_suffix(".copying")
    shutil.copyfile(path, temporary)
    temporary.chmod(0o600)
    os.truncate(path, 0)
    temporary.replace(_older(path))
    return True


def tail(path: Path, lines: int) -> list[str]:
    """The last lines, without line ends; empty when there is no file."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, _size(path) - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    return list(deque(text.splitlines(), maxlen=lines))


def _older(path: Path) -> Path:
    return path.with_name(f"{path.name}.1")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
