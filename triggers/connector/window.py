"""Which records may run now, and which offsets may be committed: the connector's core, free of any I/O.

A :class:`Window` holds the records of one function between fetching and committing. It hands them out as
:class:`Work` (one call each), never two of the same *lane* at a time, and advances a partition's commit position only
over a contiguous run of finished records. A lane is what must stay in order: a key, a partition or a single record.

Invariants, checked by the tests beside this file: a record leaves by :meth:`Window.finish` or :meth:`Window.pass_over`
only; positions never go back and never pass an unfinished record; records of a lane are finished in offset order.
"""

from __future__ import annotations

import enum
import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

R = TypeVar("R")
#: Topic and partition.
Source = tuple[str, int]


class Ordering(enum.Enum):
    """What stays in order: records of a key (records without one are free), of a partition, or nothing."""

    KEY = "key"
    PARTITION = "partition"
    NONE = "none"


@dataclass(frozen=True)
class Limits:
    """How much one window works on and holds."""

    concurrency: int
    """Calls under way at once."""
    batch: int = 1
    """Records per call."""
    records: int = 1000
    """Unfinished records held before :attr:`Window.is_full`."""
    bytes: int = 16 * 1024 * 1024
    """Payload of unfinished records held before :attr:`Window.is_full`."""
    span: int = 50_000
    """Records between the commit position and the last one fetched: what a crash may deliver again."""


class _Partition:
    """Entries in offset order; those finished at the front are dropped and move ``position``."""

    __slots__ = ("dirty", "pending", "position")

    def __init__(self) -> None:
        self.pending: deque[_Slot] = deque()
        self.position = -1
        self.dirty = False


class _Slot:
    """A record's place in its partition, kept until everything before it is finished."""

    __slots__ = ("finished", "offset")

    def __init__(self, offset: int, *, finished: bool = False) -> None:
        self.offset = offset
        self.finished = finished


class _Lane(Generic[R]):
    """Records that run one after another. ``name`` is None for a lane made for a single record."""

    __slots__ = ("busy", "name", "queue")

    def __init__(self, name: tuple[Source, bytes] | None) -> None:
        self.name = name
        self.queue: deque[_Held[R]] = deque()
        self.busy = False


class _Held(Generic[R]):
    __slots__ = ("alone", "lane", "partition", "record", "size", "slot")

    def __init__(self, record: R, size: int, slot: _Slot, partition: _Partition, lane: _Lane[R]) -> None:
        self.record = record
        self.size = size
        self.slot = slot
        self.partition = partition
        self.lane = lane
        self.alone = False


class Work(Generic[R]):
    """The records of one call, in order. ``epoch`` tells which assignment of partitions they came with.

    ``failures`` and ``retries`` belong to whoever makes the call: what went wrong so far, and how often it counted.
    """

    __slots__ = ("epoch", "failures", "held", "retries")

    def __init__(self, held: list[_Held[R]], epoch: int) -> None:
        self.held = held
        self.epoch = epoch
        self.failures: list[object] = []
        self.retries = 0

    @property
    def records(self) -> list[R]:
        return [held.record for held in self.held]


class Window(Generic[R]):
    """See the module. ``now`` answers seconds on a monotonic clock. Not for use from several threads."""

    def __init__(self, ordering: Ordering, limits: Limits, now: Callable[[], float]) -> None:
        self._ordering = ordering
        self._limits = limits
        self._now = now
        self._epoch = 0
        self._in_flight = 0
        self._held_open = True
        self._serial = 0
        self._clear()

    def _clear(self) -> None:
        self._partitions: dict[Source, _Partition] = {}
        self._lanes: dict[tuple[Source, bytes], _Lane[R]] = {}
        self._ready: deque[_Lane[R]] = deque()
        self._postponed: list[tuple[float, int, Work[R]]] = []
        self._unfinished = 0
        self._bytes = 0
        self._span = 0

    # what came in

    def add(self, source: Source, offset: int, key: bytes | None, record: R, size: int) -> None:
        """Take in a fetched record; offsets of a source ascend, with gaps allowed. ``size`` in bytes."""
        partition = self._partition(source)
        slot = _Slot(offset)
        partition.pending.append(slot)
        lane = self._lane(source, key)
        lane.queue.append(_Held(record, size, slot, partition, lane))
        if not lane.busy and len(lane.queue) == 1:
            self._ready.append(lane)
        self._unfinished += 1
        self._bytes += size
        self._span += 1

    def pass_over(self, source: Source, offset: int) -> None:
        """A record that needs no call: it counts as finished."""
        partition = self._partition(source)
        partition.pending.append(_Slot(offset, finished=True))
        self._span += 1
        self._settle(partition)

    # what goes out

    def take(self) -> Work[R] | None:
        """The next call to make, or None: nothing is ready, concurrency is used up, or the window is on hold."""
        if self._in_flight >= self._limits.concurrency or not self._held_open:
            return None
        if self._postponed and self._postponed[0][0] <= self._now():
            work = heapq.heappop(self._postponed)[2]
        elif self._ready:
            work = Work(self._gather(), self._epoch)
        else:
            return None
        self._in_flight += 1
        return work

    def finish(self, work: Work[R]) -> None:
        """The call is over and its records need no other: they were handled, or parked as dead letters."""
        self._in_flight -= 1
        if work.epoch != self._epoch:
            return
        for held in work.held:
            held.slot.finished = True
            self._unfinished -= 1
            self._bytes -= held.size
            self._settle(held.partition)
        self._free(work)

    def postpone(self, work: Work[R], until: float) -> None:
        """The call is to be repeated at ``until``; its lanes wait, all others go on."""
        self._in_flight -= 1
        if work.epoch == self._epoch:
            self._serial += 1
            heapq.heappush(self._postponed, (until, self._serial, work))

    def split(self, work: Work[R]) -> None:
        """The call is to be repeated record by record, because one of them spoils it for the others."""
        self._in_flight -= 1
        if work.epoch != self._epoch:
            return
        for held in reversed(work.held):
            held.alone = True
            held.lane.queue.appendleft(held)
        self._free(work)

    # what may be committed

    def commits(self) -> dict[Source, int]:
        """Positions that moved since the last call: per source the offset of the first record not yet finished."""
        moved = {source: each for source, each in self._partitions.items() if each.dirty}
        for partition in moved.values():
            partition.dirty = False
        return {source: partition.position for source, partition in moved.items()}

    def mark_uncommitted(self, positions: dict[Source, int]) -> None:
        """Committing ``positions`` failed: offer them again."""
        for source in positions:
            partition = self._partitions.get(source)
            if partition is not None and partition.position >= 0:
                partition.dirty = True

    # taking partitions away

    def hold(self) -> None:
        """Hand out nothing more until :meth:`reset`, so that what is in flight can drain."""
        self._held_open = False

    def reset(self) -> None:
        """Forget every record. Calls still in flight keep their place in the concurrency limit, nothing else."""
        self._epoch += 1
        self._held_open = True
        self._clear()

    # how it stands

    @property
    def in_flight(self) -> int:
        return self._in_flight

    @property
    def unfinished(self) -> int:
        """Records held whose call has not ended well yet."""
        return self._unfinished

    @property
    def is_full(self) -> bool:
        """Whether fetching should stop."""
        limits = self._limits
        return self._unfinished >= limits.records or self._bytes >= limits.bytes or self._span >= limits.span

    @property
    def due(self) -> float | None:
        """When the next postponed call is to be repeated, on the window's clock."""
        return self._postponed[0][0] if self._postponed else None

    # inside

    def _partition(self, source: Source) -> _Partition:
        partition = self._partitions.get(source)
        if partition is None:
            partition = self._partitions[source] = _Partition()
        return partition

    def _lane(self, source: Source, key: bytes | None) -> _Lane[R]:
        if self._ordering is Ordering.NONE or (self._ordering is Ordering.KEY and key is None):
            return _Lane(None)
        name = (source, key or b"" if self._ordering is Ordering.KEY else b"")
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = _Lane(name)
        return lane

    def _gather(self) -> list[_Held[R]]:
        # A lane gives as many as fit, so that a batch holds its records in order.
        gathered: list[_Held[R]] = []
        while self._ready and len(gathered) < self._limits.batch:
            lane = self._ready[0]
            if lane.queue[0].alone and gathered:
                break
            self._ready.popleft()
            lane.busy = True
            gathered.append(lane.queue.popleft())
            if gathered[-1].alone:
                break
            while lane.queue and not lane.queue[0].alone and len(gathered) < self._limits.batch:
                gathered.append(lane.queue.popleft())
        return gathered

    def _free(self, work: Work[R]) -> None:
        for held in work.held:
            lane = held.lane
            if not lane.busy:
                continue
            lane.busy = False
            if lane.queue:
                self._ready.append(lane)
            elif lane.name is not None:
                del self._lanes[lane.name]

    def _settle(self, partition: _Partition) -> None:
        pending = partition.pending
        while pending and pending[0].finished:
            partition.position = pending.popleft().offset + 1
            partition.dirty = True
            self._span -= 1
