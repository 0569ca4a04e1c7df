"""How far each log file has been shipped, kept in one small file that is replaced whole."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from clustergenie.settings import Home


@dataclass(frozen=True)
class Position:
    """Everything before ``offset`` (bytes) of the file with this inode has been acknowledged.

    Inodes are used again by the next file, so ``head`` (the file's first bytes, as text) must still be there too.
    """

    inode: int
    offset: int
    head: str
    size: int
    """The file's size when it was last seen: what is lost when it disappears is ``size - offset``."""


@dataclass(frozen=True)
class Snapshot:
    """All positions at one moment; a higher ``number`` is a later one."""

    number: int
    text: bytes


class Positions:
    """Positions by log name: the path of a ``.jsonl`` below the log folder. Read once, saved after changes."""

    def __init__(self, home: Home) -> None:
        self._path = home.data / "logagent.json"
        self._positions = _read(self._path)
        self._dirty = False
        self._taken = 0
        self._written = 0
        self._writing = threading.Lock()

    def get(self, log: str) -> Position | None:
        return self._positions.get(log)

    def set(self, log: str, position: Position) -> None:
        if self._positions.get(log) != position:
            self._positions[log] = position
            self._dirty = True

    def forget(self, log: str) -> None:
        self._dirty = self._positions.pop(log, None) is not None or self._dirty

    @property
    def logs(self) -> Iterable[str]:
        return tuple(self._positions)

    def snapshot(self) -> Snapshot | None:
        """What :meth:`write` has to store, or None when nothing changed since the last snapshot."""
        if not self._dirty:
            return None
        self._dirty = False
        self._taken += 1
        stored = {log: asdict(position) for log, position in self._positions.items()}
        return Snapshot(self._taken, orjson.dumps(stored))

    def write(self, snapshot: Snapshot) -> None:
        """Replace the file; a crash leaves the old one or the new one. For any thread: an older snapshot that comes
        after a newer one is not written."""
        with self._writing:
            if snapshot.number > self._written:
                self._replace(snapshot.text)
                self._written = snapshot.number

    def _replace(self, text: bytes) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._path.with_suffix(".tmp")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)


def _read(path: Path) -> dict[str, Position]:
    # Without readable positions everything is shipped again: twice is better than never.
    try:
        stored = orjson.loads(path.read_bytes())
        return {log: Position(**fields) for log, fields in stored.items()}
    except (FileNotFoundError, orjson.JSONDecodeError, TypeError, AttributeError):
        return {}
