"""Sequence numbers of idempotent producers in one partition: what makes a repeated batch count once."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Any, NamedTuple

from triggers.broker.errors import ApiError, ErrorCode
from triggers.broker.log.batch import Batch

#: Batches remembered per producer; clients keep at most 5 in flight when idempotent.
REMEMBERED_BATCHES = 5
#: Producers remembered per partition; the one that wrote least recently is forgotten first.
REMEMBERED_PRODUCERS = 1000
_NO_PRODUCER = -1
_SEQUENCE_MASK = 0x7FFFFFFF


class Written(NamedTuple):
    """One batch that is in the log."""

    first_sequence: int
    last_sequence: int
    base_offset: int
    next_offset: int


class _Producer:
    __slots__ = ("batches", "epoch")

    def __init__(self, epoch: int, batches: list[Written] | None = None) -> None:
        self.epoch = epoch
        self.batches: deque[Written] = deque(batches or (), maxlen=REMEMBERED_BATCHES)


class SequenceTable:
    """Decides for each incoming batch: new, already written, or out of order."""

    def __init__(self) -> None:
        self._producers: OrderedDict[int, _Producer] = OrderedDict()

    def earlier(self, batch: Batch) -> Written | None:
        """Where the batch was written before, or None when it is new. Raises :class:`ApiError` when it must not be written.

        A producer that is not known (any more) may begin at any number, as in Apache Kafka.
        """
        producer = self._producers.get(batch.producer_id)
        if producer is None:
            return None
        if batch.producer_epoch < producer.epoch:
            raise ApiError(ErrorCode.INVALID_PRODUCER_EPOCH)
        if batch.producer_epoch > producer.epoch:
            _require(batch, 0)
            return None
        for written in producer.batches:
            if (written.first_sequence, written.last_sequence) == (
                batch.base_sequence,
                _last_sequence(batch),
            ):
                return written
        _require(batch, (producer.batches[-1].last_sequence + 1) & _SEQUENCE_MASK)
        return None

    def record(self, batch: Batch, base_offset: int) -> None:
        """Remember that the batch was written at ``base_offset``."""
        if batch.producer_id == _NO_PRODUCER:
            return
        producer = self._producers.get(batch.producer_id)
        if producer is None or producer.epoch != batch.producer_epoch:
            producer = self._producers[batch.producer_id] = _Producer(batch.producer_epoch)
        producer.batches.append(
            Written(batch.base_sequence, _last_sequence(batch), base_offset, base_offset + batch.record_count)
        )
        self._producers.move_to_end(batch.producer_id)
        if len(self._producers) > REMEMBERED_PRODUCERS:
            self._producers.popitem(last=False)

    def to_json(self) -> list[Any]:
        return [
            [number, p.epoch, [list(batch) for batch in p.batches]] for number, p in self._producers.items()
        ]

    @classmethod
    def from_json(cls, rows: list[Any]) -> SequenceTable:
        table = cls()
        for number, epoch, batches in rows:
            table._producers[number] = _Producer(epoch, [Written(*batch) for batch in batches])
        return table


def _require(batch: Batch, sequence: int) -> None:
    if batch.base_sequence != sequence:
        raise ApiError(
            ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
            f"producer {batch.producer_id} sent sequence {batch.base_sequence}, expected {sequence}",
        )


def _last_sequence(batch: Batch) -> int:
    return (batch.base_sequence + batch.last_offset_delta) & _SEQUENCE_MASK
