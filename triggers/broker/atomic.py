"""Files that are either the old or the new content, never something between."""

from __future__ import annotations

import os
from pathlib import Path


def write(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Replace ``path`` by a file with ``content``, mode 600. ``durable``: survive a power cut from the moment of return."""
    fresh = path.with_name(path.name + ".new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        write_all(handle, content)
        if durable:
            os.fsync(handle)
    finally:
        os.close(handle)
    fresh.replace(path)
    if durable:
        sync_folder(path.parent)


def write_all(handle: int, content: bytes | bytearray | memoryview) -> None:
    """Write every byte; the kernel may take fewer at a time (a full disk raises OSError)."""
    view = memoryview(content)
    while view:
        view = view[os.write(handle, view) :]


def sync_folder(folder: Path) -> None:
    """Make created, renamed and removed names of ``folder`` durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
