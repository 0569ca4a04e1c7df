"""Looking into a batch, for the one question that needs it: which record was the first at or after a time?"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from triggers.broker.log import batch as batches
from triggers.broker.log.batch import HEADER_BYTES, Batch

_NONE = 0
_GZIP = 1
#: zlib's window bits for a gzip stream.
_GZIP_WINDOW = 31
#: A batch that unpacks to more than this is not searched; its first offset is answered.
_MAX_UNPACKED_BYTES = 16 << 20


def first_at(content: bytes, timestamp_ms: int) -> tuple[int, int]:
    """``(offset, timestamp)`` of the batch's first record at or after the time.

    With a compression that the standard library cannot undo (snappy, lz4, zstd) it is the batch's first offset: early, never late.
    """
    batch = batches.parse(content)
    if batch.base_timestamp_ms >= timestamp_ms:
        return batch.base_offset, batch.base_timestamp_ms
    for offset, at_ms in _times(batch, content):
        if at_ms >= timestamp_ms:
            return offset, at_ms
    return batch.base_offset, batch.max_timestamp_ms


def _times(batch: Batch, content: bytes) -> Iterator[tuple[int, int]]:
    body = _unpacked(batch, content[HEADER_BYTES:])
    position = 0
    for _ in range(batch.record_count if body else 0):
        length, position = _varint(body, position)
        # A record begins with one byte of attributes.
        delta_ms, after = _varint(body, position + 1)
        offset_delta, _ = _varint(body, after)
        yield batch.base_offset + offset_delta, batch.base_timestamp_ms + delta_ms
        position += length


def _unpacked(batch: Batch, body: bytes) -> bytes:
    if batch.compression == _NONE:
        return body
    if batch.compression == _GZIP:
        unpacker = zlib.decompressobj(_GZIP_WINDOW)
        unpacked = unpacker.decompress(body, _MAX_UNPACKED_BYTES)
        return b"" if unpacker.unconsumed_tail else unpacked
    return b""


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """A zigzag variable-length number and the position after it."""
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the continuation bit
            return (value >> 1) ^ -(value & 1), position
        shift += 7
