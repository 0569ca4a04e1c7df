from __future__ import annotations

import pytest

from triggers.broker.errors import ApiError, ErrorCode
from triggers.broker.log import batch as batches
from triggers.broker.log.batch import Batch
from triggers.broker.log.producers import REMEMBERED_BATCHES, REMEMBERED_PRODUCERS, SequenceTable
from triggers.broker.log.samples import batch


def _of(sequence: int, *, producer: int = 1, epoch: int = 0, count: int = 2) -> Batch:
    return batches.parse(batch([b"x"] * count, producer_id=producer, producer_epoch=epoch, sequence=sequence))


def _write(table: SequenceTable, one: Batch, at: int) -> None:
    assert table.earlier(one) is None
    table.record(one, at)


def test_a_repeated_batch_is_found_where_it_was_written():
    table = SequenceTable()
    for number in range(REMEMBERED_BATCHES):
        _write(table, _of(number * 2), 100 + number * 2)
    for number in range(REMEMBERED_BATCHES):
        written = table.earlier(_of(number * 2))
        assert written is not None
        assert (written.base_offset, written.next_offset) == (100 + number * 2, 102 + number * 2)


@pytest.mark.parametrize("sequence", [0, 1, 3, 10])
def test_a_gap_or_an_overlap_in_the_sequence_is_refused(sequence):
    table = SequenceTable()
    _write(table, _of(0, count=1), 0)
    _write(table, _of(1, count=1), 1)
    with pytest.raises(ApiError) as refusal:
        table.earlier(_of(sequence))
    assert refusal.value.code is ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER


def test_sequences_wrap_around_after_two_to_the_31():
    table = SequenceTable()
    _write(table, _of(0x7FFFFFFE), 0)
    _write(table, _of(0), 2)


def test_a_new_epoch_begins_at_zero_and_fences_the_old_one():
    table = SequenceTable()
    _write(table, _of(0), 0)
    with pytest.raises(ApiError, match="expected 0"):
        table.earlier(_of(5, epoch=1))
    _write(table, _of(0, epoch=1), 2)
    with pytest.raises(ApiError) as refusal:
        table.earlier(_of(2, epoch=0))
    assert refusal.value.code is ErrorCode.INVALID_PRODUCER_EPOCH


def test_batches_without_producer_are_always_new():
    table = SequenceTable()
    for at in range(3):
        _write(table, batches.parse(batch()), at)
    assert table.to_json() == []


def test_what_is_remembered_is_bounded_and_the_silent_go_first():
    table = SequenceTable()
    for producer in range(REMEMBERED_PRODUCERS + 5):
        _write(table, _of(0, producer=producer, count=1), producer)
    remembered = [row[0] for row in table.to_json()]
    assert remembered == list(range(5, REMEMBERED_PRODUCERS + 5))


def test_the_table_survives_being_written_down():
    table = SequenceTable()
    _write(table, _of(0), 0)
    again = SequenceTable.from_json(table.to_json())
    assert again.earlier(_of(0)) is not None
    assert again.earlier(_of(2)) is None
