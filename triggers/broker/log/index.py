"""A sparse index of one segment: where to begin reading for an offset or a time."""

from __future__ import annotations

from array import array
from bisect import bisect_right

from triggers.broker.log.batch import Batch

#: Bytes of log per index entry. Smaller finds faster and takes more memory (24 bytes per entry).
BLOCK_BYTES = 8 << 10


class SparseIndex:
    """Blocks of about BLOCK_BYTES, each with its first offset, its position, and the latest time in it."""

    def __init__(self) -> None:
        self._offsets = array("q")
        self._positions = array("q")
        self._latest_ms = array("q")

    def add(self, batch: Batch, position: int) -> None:
        """Tell of a batch in the order of the file; cheap for all but one batch per block."""
        if self._positions and position - self._positions[-1] < BLOCK_BYTES:
            self._latest_ms[-1] = max(self._latest_ms[-1], batch.max_timestamp_ms)
            return
        self._offsets.append(batch.base_offset)
        self._positions.append(position)
        self._latest_ms.append(batch.max_timestamp_ms)

    def position(self, offset: int) -> int:
        """Start of the block that holds ``offset``, if the segment has it at all."""
        block = bisect_right(self._offsets, offset) - 1
        return self._positions[block] if block >= 0 else 0

    def position_at_time(self, timestamp_ms: int) -> int | None:
        """Start of the first block with a record at or after the time; None when all are earlier."""
        for position, latest in zip(self._positions, self._latest_ms, strict=True):
            if latest >= timestamp_ms:
                return position
        return None

    @property
    def latest_ms(self) -> int:
        """The latest record time in the segment; -1 when empty."""
        return max(self._latest_ms, default=-1)

    def to_bytes(self) -> bytes:
        return self._offsets.tobytes() + self._positions.tobytes() + self._latest_ms.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> SparseIndex:
        index = cls()
        third = len(data) // 3
        columns = (index._offsets, index._positions, index._latest_ms)
        for number, column in enumerate(columns):
            column.frombytes(data[number * third : (number + 1) * third])
        return index
