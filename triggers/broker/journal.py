"""A durable list of small facts: one file, one checked line per fact, replaced by a snapshot when it is mostly history.

Line: 8 hex digits of CRC32C, a space, one JSON value, newline. A torn last line is cut off at the start; a damaged line with good
ones behind it is refused.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from triggers.broker import atomic
from triggers.broker.checksum import crc32c
from triggers.broker.errors import CorruptLogError

#: A journal is replaced by a snapshot when it has grown by this factor and at least by this many bytes.
_GROWTH_FACTOR = 3
_GROWTH_BYTES = 1 << 20
_CRC_DIGITS = 8


class JournalSync(NamedTuple):
    handle: int
    written: int


class Journal:
    """Facts go in with :meth:`append` and are durable when :attr:`durable` reaches the number it answered.

    ``snapshot`` answers the facts that say all that is true now; it is asked when the file has grown.
    """

    def __init__(self, path: Path, snapshot: Callable[[], Iterable[Any]]) -> None:
        self._path = path
        self._snapshot = snapshot
        self.facts = _read(path)
        """What was found at the start; the owner replays it and may clear it."""
        self._handle = _open(path)
        self._size_bytes = self._snapshot_bytes = path.stat().st_size
        self.written = 0
        self.durable = 0
        self.closed = False
        self.watchers: set[Callable[[], None]] = set()
        os.fsync(self._handle)
        atomic.sync_folder(path.parent)

    def append(self, *facts: Any) -> int:
        """Write facts; the number that :attr:`durable` must reach. OSError when the disk is full, with nothing written."""
        content = b"".join(map(_line, facts))
        try:
            atomic.write_all(self._handle, content)
        except OSError:
            os.ftruncate(self._handle, self._size_bytes)
            raise
        self._size_bytes += len(content)
        self.written += 1
        return self.written

    def sync_job(self) -> JournalSync | None:
        if self.closed or self.durable == self.written:
            return None
        # Here and not in append(): by now the owner has taken in the facts that a snapshot must have.
        if self._size_bytes > _GROWTH_FACTOR * self._snapshot_bytes + _GROWTH_BYTES:
            self.compact()
        return JournalSync(os.dup(self._handle), self.written)

    def synced(self, job: JournalSync) -> None:
        self.durable = max(self.durable, job.written)
        for watcher in tuple(self.watchers):
            watcher()

    def compact(self) -> None:
        """Replace the file by a snapshot."""
        atomic.write(self._path, b"".join(map(_line, self._snapshot())))
        os.close(self._handle)
        self._handle = _open(self._path)
        self._size_bytes = self._snapshot_bytes = self._path.stat().st_size

    def close(self) -> None:
        if not self.closed:
            os.fdatasync(self._handle)
            os.close(self._handle)
            self.closed = True


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _line(fact: Any) -> bytes:
    body = orjson.dumps(fact)
    return b"%08x %s\n" % (crc32c(body), body)


def _read(path: Path) -> list[Any]:
    """All facts; cuts a torn end off the file."""
    if not path.exists():
        return []
    content = path.read_bytes()
    facts: list[Any] = []
    whole = 0
    for line in content.splitlines(keepends=True):
        body = line[_CRC_DIGITS + 1 : -1]
        if line != b"%08x %s\n" % (crc32c(body), body):
            break
        facts.append(orjson.loads(body))
        whole += len(line)
    if whole < len(content):
        _cut(path, content, whole)
    return facts


def _cut(path: Path, content: bytes, whole: int) -> None:
    damaged, newline, rest = content[whole:].partition(b"\n")
    if newline and any(_is_good(line) for line in rest.splitlines(keepends=True)):
        raise CorruptLogError(
            f"{path} is damaged at byte {whole} ({len(damaged)} bytes) and good lines follow; restore the file from a backup"
        )
    os.truncate(path, whole)


def _is_good(line: bytes) -> bool:
    body = line[_CRC_DIGITS + 1 : -1]
    return line == b"%08x %s\n" % (crc32c(body), body)
