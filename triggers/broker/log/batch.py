"""The header of a record batch (message format v2). What is behind the header is opaque to the broker.

Layout, big endian: base offset (8) · length of what follows (4) · leader epoch (4) · magic (1) · CRC32C (4) · attributes (2) ·
last offset delta (4) · base timestamp (8) · max timestamp (8) · producer id (8) · producer epoch (2) · base sequence (4) · count (4).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from triggers.broker.checksum import Buffer, crc32c
from triggers.broker.errors import ApiError, ErrorCode

_HEADER = struct.Struct(">qiibIhiqqqhii")
_PLACE = struct.Struct(">qii")
#: Bytes of a batch before its records.
HEADER_BYTES = _HEADER.size
#: Bytes of a batch that its length field does not count: base offset and length.
PREFIX_BYTES = 12
#: Where the CRC's cover begins: at the attributes.
_CRC_FROM = 21
_MAGIC_AT = 16
_MAGIC = 2
_COMPRESSION = 0x07
_TRANSACTIONAL = 0x10
_CONTROL = 0x20
#: The only leader epoch there is on one node.
LEADER_EPOCH = 0


class Batch(NamedTuple):
    """Facts of one batch's header."""

    base_offset: int
    size_bytes: int
    """The whole batch, header included."""
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp_ms: int
    max_timestamp_ms: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    record_count: int

    @property
    def next_offset(self) -> int:
        return self.base_offset + self.last_offset_delta + 1

    @property
    def compression(self) -> int:
        """0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd."""
        return self.attributes & _COMPRESSION


def parse(data: Buffer, at: int = 0) -> Batch:
    """Read the header at ``at``, which must have HEADER_BYTES behind it. Checks nothing."""
    (
        base, length, _epoch, magic, crc, attributes, last_delta, base_ms, max_ms, producer, epoch, sequence, count,
    ) = _HEADER.unpack_from(data, at)  # fmt: skip
    return Batch(
        base, length + PREFIX_BYTES, magic, crc, attributes, last_delta, base_ms, max_ms, producer, epoch, sequence,
        count,
    )  # fmt: skip


def is_whole(batch: Batch, data: Buffer, at: int = 0) -> bool:
    """True when ``data`` holds the batch from ``at`` on, in our format and with a matching checksum."""
    end = at + batch.size_bytes
    if batch.magic != _MAGIC or batch.size_bytes < HEADER_BYTES or end > len(data):
        return False
    return crc32c(memoryview(data)[at + _CRC_FROM : end]) == batch.crc


def received(data: Buffer) -> Batch:
    """The one batch a producer sent for a partition; raises :class:`ApiError` when it is not one whole v2 batch."""
    batch = _checked(memoryview(data))
    if batch.size_bytes != len(data):
        raise ApiError(
            ErrorCode.INVALID_RECORD, "a produce request must hold exactly one batch per partition"
        )
    return batch


def _checked(view: memoryview) -> Batch:
    if len(view) > _MAGIC_AT and view[_MAGIC_AT] != _MAGIC:
        raise ApiError(
            ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT,
            f"message format v{view[_MAGIC_AT]} is not kept here; use a client that writes v2 (Kafka 0.11 or newer)",
        )
    if len(view) < HEADER_BYTES:
        raise ApiError(ErrorCode.CORRUPT_MESSAGE, "the record batch ends inside its header")
    batch = parse(view)
    if not is_whole(batch, view):
        raise ApiError(ErrorCode.CORRUPT_MESSAGE, "the record batch is cut or its checksum does not match")
    if batch.record_count < 1 or batch.last_offset_delta != batch.record_count - 1:
        raise ApiError(ErrorCode.INVALID_RECORD, "the record batch's count and last offset do not match")
    if batch.attributes & (_TRANSACTIONAL | _CONTROL):
        raise ApiError(ErrorCode.INVALID_RECORD, "transactions are not supported by the embedded broker")
    return batch


def placed(data: Buffer, base_offset: int) -> bytearray:
    """A copy of the batch with its offset and leader epoch filled in. Both lie before the checksum's cover."""
    copy = bytearray(data)
    _PLACE.pack_into(copy, 0, base_offset, len(copy) - PREFIX_BYTES, LEADER_EPOCH)
    return copy


def headers(data: Buffer, at: int = 0) -> Iterator[tuple[int, Batch]]:
    """``(position, header)`` of each batch whose header lies whole in ``data``; ends at the first that does not parse."""
    while at + HEADER_BYTES <= len(data):
        batch = parse(data, at)
        if batch.size_bytes < HEADER_BYTES:
            return
        yield at, batch
        at += batch.size_bytes
