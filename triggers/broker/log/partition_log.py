"""The log of one partition: append, read, look up by time, forget the old.

An appended batch is in the file at once but visible only below the high watermark, which follows the syncs. So a consumer
never sees what a power cut could take back.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from triggers.broker import atomic
from triggers.broker.errors import ApiError, CorruptLogError, ErrorCode
from triggers.broker.log import batch as batches
from triggers.broker.log import records
from triggers.broker.log.recovery import recover
from triggers.broker.log.segment import Segment, file_name

#: Bytes between two checkpoints: what a start after kill -9 reads per partition at most.
CHECKPOINT_BYTES = 4 << 20
_START_FILE = "start-offset"


@dataclass(frozen=True)
class LogLimits:
    """Settings of a topic that concern its files."""

    segment_bytes: int = 64 << 20
    retention_ms: int = 7 * 24 * 3600 * 1000
    """Records older than this go, a segment at a time; -1 keeps them."""
    retention_bytes: int = -1
    """Size of the partition above which the oldest segments go; -1 is no limit."""
    max_batch_bytes: int = 1_048_588
    """Largest batch accepted."""


class Appended(NamedTuple):
    base_offset: int
    next_offset: int


class SyncJob(NamedTuple):
    """A sync to be done in another thread. ``handle`` is the job's own."""

    handle: int
    next_offset: int
    position: int


class TimedOffset(NamedTuple):
    offset: int
    timestamp_ms: int


class PartitionLog:
    """Opened on its folder. Not thread-safe: all calls on one event loop; only ``SyncJob`` travels."""

    def __init__(self, folder: Path, limits: LogLimits) -> None:
        """Recover the log in ``folder``, created when absent; raises :class:`CorruptLogError`."""
        saved_start = _read_start(folder / _START_FILE)
        found = recover(folder, saved_start)
        self.folder = folder
        self.limits = limits
        self.closed = False
        #: Called after the high watermark moved, and when the log is closed.
        self.watchers: set[Callable[[], None]] = set()
        self._segments = found.segments
        self._sequences = found.sequences
        self.start_offset = max(saved_start, found.segments[0].base_offset)
        self.high_watermark = self.end_offset
        self._synced_position = self._active.size_bytes

    @property
    def _active(self) -> Segment:
        return self._segments[-1]

    @property
    def end_offset(self) -> int:
        """The offset the next record gets."""
        return self._active.next_offset

    @property
    def size_bytes(self) -> int:
        return sum(segment.size_bytes for segment in self._segments)

    def append(self, content: bytes) -> Appended:
        """Check and write one batch. A repetition of an idempotent batch answers where it lies already.

        Raises :class:`ApiError`. Durable once :attr:`high_watermark` reaches the answer's ``next_offset``.
        """
        if len(content) > self.limits.max_batch_bytes:
            raise ApiError(ErrorCode.MESSAGE_TOO_LARGE, f"max.message.bytes is {self.limits.max_batch_bytes}")
        batch = batches.received(content)
        if (written := self._sequences.earlier(batch)) is not None:
            return Appended(written.base_offset, written.next_offset)
        if self._active.size_bytes and self._active.size_bytes + len(content) > self.limits.segment_bytes:
            self.roll()
        base = self.end_offset
        try:
            self._active.append(batch._replace(base_offset=base), batches.placed(content, base))
        except OSError as error:
            raise ApiError(ErrorCode.KAFKA_STORAGE_ERROR, str(error)) from error
        self._sequences.record(batch, base)
        if self._active.size_bytes - self._active.checkpointed_bytes >= CHECKPOINT_BYTES:
            self.checkpoint()
        return Appended(base, self.end_offset)

    def sync_job(self) -> SyncJob | None:
        """What has to be synced now; None when nothing is."""
        if self.closed or self.high_watermark == self.end_offset:
            return None
        return SyncJob(self._active.duplicate_handle(), self.end_offset, self._active.size_bytes)

    def synced(self, job: SyncJob) -> None:
        """Tell that ``job`` is on disk."""
        # A roll or checkpoint may have synced more in the meantime; then the job says nothing new.
        if job.next_offset > self.high_watermark:
            self._advance(job.next_offset, job.position)

    def checkpoint(self) -> None:
        """Sync here and now, and remember the position so that a start need not read what is before it."""
        if self._active.checkpointed_bytes == self._active.size_bytes:
            return
        self._active.sync()
        self._active.checkpoint(self._sequences)
        self._advance(self.end_offset, self._active.size_bytes)

    def roll(self) -> None:
        """Complete the active segment and begin a new one."""
        self.checkpoint()
        self._active.close()
        fresh = Segment(self.folder / file_name(self.end_offset))
        fresh.open()
        self._segments.append(fresh)
        self._synced_position = 0

    def read(self, offset: int, max_bytes: int, *, whole_first: bool = True) -> bytes:
        """Batches from the one holding ``offset`` on, below the high watermark, out of one segment; empty at the end.

        Raises :class:`ApiError` (OFFSET_OUT_OF_RANGE).
        """
        if not self.start_offset <= offset <= self.end_offset:
            raise ApiError(ErrorCode.OFFSET_OUT_OF_RANGE)
        if offset >= self.high_watermark or max_bytes <= 0:
            return b""
        segment = self._segment_of(offset)
        return segment.read(offset, max_bytes, self._limit(segment), whole_first=whole_first)

    def available_bytes(self, offset: int) -> int:
        """About how much :meth:`read` could give (too much by less than an index block); 0 when nothing."""
        if offset >= self.high_watermark or offset < self.start_offset:
            return 0
        segment = self._segment_of(offset)
        return self._limit(segment) - segment.index.position(offset)

    def offset_at(self, timestamp_ms: int) -> TimedOffset | None:
        """The first record at or after the time; None when all are earlier."""
        for segment in self._segments:
            start = segment.index.position_at_time(timestamp_ms)
            if start is None:
                continue
            for position, batch in segment.batches_from(start, self._limit(segment)):
                if batch.max_timestamp_ms >= timestamp_ms and batch.next_offset > self.start_offset:
                    return TimedOffset(*records.first_at(segment.read_batch(position, batch), timestamp_ms))
        return None

    def latest(self) -> TimedOffset | None:
        """The record with the greatest time; None when the log is empty."""
        newest = max((segment.index.latest_ms for segment in self._segments), default=-1)
        return self.offset_at(newest) if newest >= 0 else None

    def delete_before(self, offset: int) -> None:
        """Hide the records before ``offset`` for ever, and free the segments that hold nothing else."""
        if not self.start_offset <= offset <= self.high_watermark:
            raise ApiError(ErrorCode.OFFSET_OUT_OF_RANGE)
        atomic.write(self.folder / _START_FILE, b"%d\n" % offset)
        self.start_offset = offset
        self._drop_while(lambda segment: segment.next_offset <= offset)

    def retain(self, now_ms: int) -> int:
        """Apply the retention limits; the count of segments that went."""
        before = len(self._segments)
        if self._is_old(self._active, now_ms):
            self.roll()
        self._drop_while(lambda segment: self._is_old(segment, now_ms) or self._is_too_much(segment))
        return before - len(self._segments)

    def close(self) -> None:
        """Checkpoint and let go of the files; for a clean end."""
        self.checkpoint()
        self._release()

    def delete(self) -> None:
        """Remove the files. Whoever waits is woken."""
        self._release()
        # Renamed first, so that a kill half-way leaves no half log under a valid name.
        grave = self.folder.with_name(f"{self.folder.name}.deleted")
        shutil.rmtree(grave, ignore_errors=True)
        self.folder.rename(grave)
        atomic.sync_folder(grave.parent)
        shutil.rmtree(grave)

    def _release(self) -> None:
        self.closed = True
        self._active.close()
        self._wake()

    def _advance(self, offset: int, position: int) -> None:
        self.high_watermark = offset
        self._synced_position = position
        self._wake()

    def _wake(self) -> None:
        for watcher in tuple(self.watchers):
            watcher()

    def _segment_of(self, offset: int) -> Segment:
        for segment in reversed(self._segments):
            if segment.base_offset <= offset:
                return segment
        return self._segments[0]

    def _limit(self, segment: Segment) -> int:
        return self._synced_position if segment is self._active else segment.size_bytes

    def _is_old(self, segment: Segment, now_ms: int) -> bool:
        if self.limits.retention_ms < 0 or not segment.size_bytes:
            return False
        return segment.index.latest_ms < now_ms - self.limits.retention_ms

    def _is_too_much(self, segment: Segment) -> bool:
        limit = self.limits.retention_bytes
        return 0 <= limit <= self.size_bytes - segment.size_bytes

    def _drop_while(self, gone: Callable[[Segment], bool]) -> None:
        while len(self._segments) > 1 and gone(self._segments[0]):
            self._segments.pop(0).delete()
        self.start_offset = max(self.start_offset, self._segments[0].base_offset)


def _read_start(path: Path) -> int:
    try:
        text = path.read_text().strip()
    except FileNotFoundError:
        return 0
    if not text.isdigit():
        raise CorruptLogError(
            f"{path} does not hold a number; remove it to show every record that is still there"
        )
    return int(text)
