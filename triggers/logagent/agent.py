"""The log agent as a part of the process: finds what was written, ships it, remembers how far it came."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path

from watchfiles import awatch

from clustergenie.settings import Home
from triggers.kafka import close_quietly, durable_producer
from triggers.logagent.positions import Position, Positions
from triggers.logagent.retention import removable, remove
from triggers.logagent.tail import ROTATED, Chunk, observe, read_chunk
from triggers.metrics import Metrics
from triggers.relay.relay import Producer

#: How often every file is looked at, in case the system did not tell of a change, in seconds.
RESCAN_SECONDS = 5.0
#: How often old files are looked for, in seconds.
CLEAN_SECONDS = 60.0
#: Least time between two savings of the positions, in seconds; what a crash ships twice was shipped in it.
SAVE_SECONDS = 0.25
#: Lines sent before their acknowledgements are awaited.
LINES_AT_ONCE = 1000
_SUFFIX = ".jsonl"
#: watchfiles collects changes until none came for a step, at most for the debounce time, in milliseconds.
_WATCH_STEP_MS = 20
_WATCH_DEBOUNCE_MS = 100

log = logging.getLogger(__name__)


class LogAgent:
    """Ships ``logs/functions/<name>.<namespace>/<replica>.jsonl`` to topics ``logs.<name>``, keyed by replica."""

    name = "log agent"

    def __init__(
        self,
        home: Home,
        metrics: Metrics,
        *,
        brokers: str = "",
        new_producer: Callable[[], Producer] | None = None,
    ) -> None:
        self._folder = home.logs / "functions"
        self._positions = Positions(home)
        self._metrics = metrics
        self._new_producer = new_producer or (lambda: durable_producer(brokers, "clustergenie-logagent"))
        self._touched: set[str] = set()
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Raises KafkaError when the broker is away: the files keep what was not acknowledged."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        producer = self._new_producer()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch())
                tasks.create_task(self._rescan())
                tasks.create_task(self._save_steadily())
                await producer.start()
                await self._ship(producer)
        finally:
            self._save_now()
            await close_quietly(producer)

    # finding

    async def _watch(self) -> None:
        async for names in _changes(self._folder):
            self._touch(names)

    async def _rescan(self) -> None:
        loop = asyncio.get_running_loop()
        cleaned = loop.time()
        while True:
            existing = self._existing()
            for gone in set(self._positions.logs) - existing:
                self._forget(gone)
            self._observe(existing)
            self._touch(existing)
            if loop.time() - cleaned >= CLEAN_SECONDS:
                cleaned = loop.time()
                self._clean()
            await asyncio.sleep(RESCAN_SECONDS)

    def _observe(self, names: Iterable[str]) -> None:
        for name in names:
            position = self._positions.get(name)
            if position is not None:
                self._positions.set(name, observe(self._folder / name, position))

    def _existing(self) -> set[str]:
        paths = (*self._folder.glob(f"*/*{_SUFFIX}"), *self._folder.glob(f"*/*{_SUFFIX}{ROTATED}"))
        return {_log_name(self._folder, path) for path in paths}

    def _touch(self, names: Iterable[str]) -> None:
        self._touched.update(names)
        if self._touched:
            self._wake.set()

    # shipping

    async def _ship(self, producer: Producer) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._touched:
                await self._ship_some(producer)

    async def _ship_some(self, producer: Producer) -> None:
        """Send what fits into one round and move on when all of it is acknowledged."""
        read: dict[str, Chunk] = {}
        answers: list[Awaitable[object]] = []
        while self._touched and len(answers) < LINES_AT_ONCE:
            name = self._touched.pop()
            chunk = read_chunk(self._folder / name, self._positions.get(name))
            if chunk is not None:
                read[name] = chunk
                answers += [await self._send(producer, name, line) for line in chunk.lines]
        try:
            await asyncio.gather(*answers)
        except BaseException:
            self._touched.update(read)
            raise
        for name, chunk in read.items():
            self._shipped(name, chunk)
        self._touched.update(name for name, chunk in read.items() if chunk.lines)

    async def _send(self, producer: Producer, name: str, line: bytes) -> Awaitable[object]:
        function, namespace, instance = _parts(name)
        headers = {"function": function, "namespace": namespace, "instance": instance}
        encoded = [(key, text.encode()) for key, text in headers.items()]
        return await producer.send(f"logs.{function}", line, key=instance.encode(), headers=encoded)

    def _shipped(self, name: str, chunk: Chunk) -> None:
        function, namespace, _ = _parts(name)
        self._metrics.log_lines.labels(f"{function}.{namespace}").inc(len(chunk.lines))
        self._dropped(name, chunk.dropped_bytes)
        self._positions.set(name, chunk.position)

    def _dropped(self, name: str, count: int) -> None:
        if not count:
            return
        function, namespace, _ = _parts(name)
        self._metrics.log_bytes_dropped.labels(f"{function}.{namespace}").inc(count)
        log.warning("%d bytes of %s were rotated away or deleted before Kafka had them", count, name)

    # remembering

    async def _save_steadily(self) -> None:
        while True:
            snapshot = self._positions.snapshot()
            if snapshot is not None:
                await asyncio.to_thread(self._positions.write, snapshot)
            await asyncio.sleep(SAVE_SECONDS)

    def _save_now(self) -> None:
        snapshot = self._positions.snapshot()
        if snapshot is not None:
            self._positions.write(snapshot)

    def _forget(self, name: str) -> None:
        position = self._positions.get(name)
        if position is not None:
            self._dropped(name, max(0, position.size - position.offset))
        self._positions.forget(name)

    def _clean(self) -> None:
        drained: dict[str, list[Path]] = defaultdict(list)
        for name in self._positions.logs:
            if _is_drained(self._folder / name, self._positions.get(name)):
                drained[name.partition("/")[0]].append(self._folder / name)
        for paths in drained.values():
            for path in removable(paths):
                log.info("removing %s: shipped, and its replica has ended", path.name)
                remove(path)


def _is_drained(path: Path, position: Position | None) -> bool:
    try:
        status = path.stat()
    except FileNotFoundError:
        return False
    return position is not None and (status.st_ino, status.st_size) == (position.inode, position.offset)


def _log_name(folder: Path, path: Path) -> str:
    return str(path.relative_to(folder)).removesuffix(ROTATED)


def _parts(name: str) -> tuple[str, str, str]:
    """``hello.openfaas-fn/1.jsonl`` → function, namespace, instance."""
    full_name, _, file = name.partition("/")
    function, _, namespace = full_name.rpartition(".")
    return function, namespace, file.removesuffix(_SUFFIX)


async def _changes(folder: Path) -> AsyncIterator[set[str]]:
    """Names of logs as they change."""
    watching = awatch(folder, watch_filter=None, step=_WATCH_STEP_MS, debounce=_WATCH_DEBOUNCE_MS)
    async for changes in watching:
        paths = (Path(path) for _, path in changes)
        yield {_log_name(folder, path) for path in paths if path.name.endswith((_SUFFIX, _SUFFIX + ROTATED))}
