from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggers.broker.errors import ApiError, ErrorCode
from triggers.broker.log import batch as batches
from triggers.broker.log.samples import batch


def test_a_header_says_what_the_producer_wrote():
    content = batch([b"a", b"b", b"c"], timestamp_ms=5, producer_id=7, producer_epoch=1, sequence=40)
    found = batches.received(content)
    assert found.size_bytes == len(content)
    assert (found.record_count, found.last_offset_delta) == (3, 2)
    assert (found.base_timestamp_ms, found.max_timestamp_ms) == (5, 7)
    assert (found.producer_id, found.producer_epoch, found.base_sequence) == (7, 1, 40)


def test_a_batch_stays_valid_when_it_gets_its_offset():
    content = batches.placed(batch([b"a", b"b"]), 1234)
    found = batches.parse(content)
    assert batches.is_whole(found, content)
    assert (found.base_offset, found.next_offset) == (1234, 1236)


@given(st.data())
def test_any_changed_byte_behind_the_leader_epoch_is_noticed(data):
    content = bytearray(batch([b"some value"]))
    # Base offset and leader epoch are ours to write, so they are not covered.
    place = data.draw(st.one_of(st.integers(8, 11), st.integers(16, len(content) - 1)))
    content[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ApiError):
        batches.received(bytes(content))


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_and_never_crash(content):
    with pytest.raises(ApiError):
        batches.received(content)


@pytest.mark.parametrize("magic", [0, 1])
def test_old_message_formats_are_refused_with_the_way_out(magic):
    content = bytearray(batch())
    content[16] = magic
    with pytest.raises(ApiError, match="use a client that writes v2") as refusal:
        batches.received(bytes(content))
    assert refusal.value.code is ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT


def test_two_batches_at_once_are_refused():
    with pytest.raises(ApiError, match="exactly one batch"):
        batches.received(batch() + batch())


def test_transactions_are_refused_with_a_sentence():
    with pytest.raises(ApiError, match="transactions are not supported"):
        batches.received(batch(transactional=True, producer_id=1, producer_epoch=0, sequence=0))
