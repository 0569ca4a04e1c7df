"""Function logs as ``/system/logs`` tells them, read from the replicas' own files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson
from watchfiles import awatch

from gateway.contract import FunctionKey

_SUFFIX = ".jsonl"
_ROTATED = ".jsonl.1"


@dataclass(frozen=True)
class LogQuery:
    key: FunctionKey
    tail: int = 0
    """Newest lines to tell; 0 or less = all that are kept."""
    since: datetime | None = None
    instance: str = ""
    """Only this replica; empty = all."""


@dataclass(frozen=True, order=True)
class LogEntry:
    timestamp: str
    """RFC 3339."""
    instance: str
    text: str

    def to_wire(self, key: FunctionKey) -> bytes:
        """One line of ``application/x-ndjson`` (contract section 9)."""
        message = {
            "name": key.name,
            "namespace": key.namespace,
            "instance": self.instance,
            "timestamp": self.timestamp,
            "text": self.text,
        }
        return orjson.dumps(message) + b"\n"


class FunctionLogs:
    """Reads below ``Home.logs/functions``; never writes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def history(self, query: LogQuery) -> list[LogEntry]:
        """What is kept, oldest first."""
        entries = sorted(entry for path in self._files(query) for entry in _entries(path, query.since))
        return entries[-query.tail :] if query.tail > 0 else entries

    async def follow(self, query: LogQuery) -> AsyncIterator[LogEntry]:
        """History, then every new line as it is written, until the reader leaves."""
        folder = self._of(query.key)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        positions = _Positions()
        for path in self._files(query):
            positions.skip_to_end(path)
        for entry in self.history(query):
            yield entry
        async for _ in awatch(
            folder, debounce=50, step=10, recursive=False, rust_timeout=1000, yield_on_timeout=True
        ):
            for path in self._files(query):
                for entry in positions.news(path):
                    yield entry

    def _of(self, key: FunctionKey) -> Path:
        return self._folder / str(key)

    def _files(self, query: LogQuery) -> list[Path]:
        folder = self._of(query.key)
        paths = [*folder.glob(f"*{_ROTATED}"), *folder.glob(f"*{_SUFFIX}")]
        return [path for path in paths if not query.instance or _instance(path) == query.instance]


class _Positions:
    """How far each file has been told."""

    def __init__(self) -> None:
        self._told: dict[tuple[int, int], int] = {}

    def skip_to_end(self, path: Path) -> None:
        stat = path.stat()
        self._told[(stat.st_dev, stat.st_ino)] = stat.st_size

    def news(self, path: Path) -> Iterator[LogEntry]:
        try:
            with path.open("rb") as file:
                stat = path.stat()
                told = self._told.get((stat.st_dev, stat.st_ino), 0)
                file.seek(told)
                text = file.read()
        except FileNotFoundError:
            return  # rotated away between listing and opening
        whole, newline, _ = text.rpartition(b"\n")  # a line still being written waits
        self._told[(stat.st_dev, stat.st_ino)] = told + len(whole) + len(newline)
        for line in whole.splitlines():
            yield _entry(line, _instance(path))


def _entries(path: Path, since: datetime | None) -> Iterator[LogEntry]:
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return
    earliest = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z" if since else ""
    for line in lines:
        entry = _entry(line, _instance(path))
        if entry.timestamp >= earliest:
            yield entry


def _entry(line: bytes, instance: str) -> LogEntry:
    try:
        record = orjson.loads(line)
        return LogEntry(str(record["ts"]), str(record.get("instance", instance)), str(record["msg"]))
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        # The last words of a crashing interpreter are not JSON, and worth most.
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        return LogEntry(now, instance, line.decode("utf-8", "replace"))


def _instance(path: Path) -> str:
    return path.name.removesuffix(".1").removesuffix(_SUFFIX)
