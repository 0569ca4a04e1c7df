"""Reading one replica's log: ``x.jsonl`` and, after rotation, ``x.jsonl.1``, from a position to the next."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from triggers.logagent.positions import Position

#: Most bytes read at a time; a longer line is shipped in pieces of this size.
CHUNK_BYTES = 128 * 1024
#: Bytes by which a file is recognised beside its inode.
HEAD_BYTES = 128
ROTATED = ".1"


@dataclass(frozen=True)
class Chunk:
    """Whole lines without their ends, the position behind them, and what was found to be gone."""

    lines: list[bytes]
    position: Position
    dropped_bytes: int = 0


def read_chunk(path: Path, position: Position | None, limit: int = CHUNK_BYTES) -> Chunk | None:
    """What follows ``position`` in the log at ``path``, or None when nothing new is complete.

    ``position`` None means from the beginning, rotated file first. ``dropped_bytes`` counts what was known to be there
    but was rotated away before it was read.
    """
    with _open(path) as files:
        at = _find(files, position)
        dropped = max(0, position.size - position.offset) if position is not None and at is None else 0
        start = position.offset if position is not None and at is not None else 0
        for index in range(at or 0, len(files)):
            is_over = index < len(files) - 1 or _is_rotated(path, files[index])
            chunk = _read(files[index], start, limit, dropped, is_over=is_over)
            if chunk.lines:
                return chunk
            start = 0
    # A position never stands at the beginning of a file: with nothing to recognise it by, a later file that got the
    # same inode would be taken for it.
    return None


def observe(path: Path, position: Position) -> Position:
    """``position`` with its file's present size, so that what rotation drops can be counted."""
    with _open(path) as files:
        at = _find(files, position)
        return position if at is None else replace(position, size=os.fstat(files[at].fileno()).st_size)


@contextmanager
def _open(path: Path) -> Iterator[list[BinaryIO]]:
    """The files of a log, oldest first."""
    with ExitStack() as stack:
        # The current one is opened first: when rotation comes in between, we hold it twice and drop one. The other
        # way round a file would slip through between the two.
        found: list[BinaryIO] = []
        for name in (path, path.with_name(path.name + ROTATED)):
            try:
                file = stack.enter_context(name.open("rb", buffering=0))
            except FileNotFoundError:
                continue
            if not any(os.path.sameopenfile(file.fileno(), other.fileno()) for other in found):
                found.insert(0, file)
        yield found


def _is_rotated(path: Path, file: BinaryIO) -> bool:
    try:
        return path.stat().st_ino != os.fstat(file.fileno()).st_ino
    except FileNotFoundError:
        return path.with_name(path.name + ROTATED).exists()


def _find(files: list[BinaryIO], position: Position | None) -> int | None:
    if position is None:
        return None
    for index, file in enumerate(files):
        status = os.fstat(file.fileno())
        if status.st_ino != position.inode or status.st_size < position.offset:
            continue
        if os.pread(file.fileno(), len(position.head), 0) == position.head.encode("latin-1"):
            return index
    return None


def _read(file: BinaryIO, offset: int, limit: int, dropped: int, *, is_over: bool) -> Chunk:
    number = file.fileno()
    data = os.pread(number, limit, offset)
    status = os.fstat(number)
    whole = data.rfind(b"\n") + 1
    # Half a line waits for its end, unless the end cannot come or the line is larger than we read.
    if (len(data) == limit and not whole) or (is_over and offset + len(data) >= status.st_size):
        whole = len(data)
    end = offset + whole
    head = os.pread(number, min(HEAD_BYTES, end), 0).decode("latin-1")
    lines = [line for line in data[:whole].split(b"\n") if line]
    return Chunk(lines, Position(status.st_ino, end, head, status.st_size), dropped)
