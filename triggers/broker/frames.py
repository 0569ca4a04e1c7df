"""The envelope of a request: length, header, body. The length is cut off by the connection."""

from __future__ import annotations

import struct
from typing import NamedTuple

_HEAD = struct.Struct(">hhih")
_CONTINUES = 0x80


class FrameError(ValueError):
    """The bytes are not a Kafka request; the connection is of no use any more."""


class Frame(NamedTuple):
    api_key: int
    version: int
    correlation_id: int
    client_id: str
    body: memoryview
    """For a flexible version still with the header's tags: see :func:`without_tags`."""


def parse(data: bytes) -> Frame:
    """Raises :class:`FrameError`."""
    try:
        api_key, version, correlation_id, length = _HEAD.unpack_from(data)
        end = _HEAD.size + max(length, 0)
        client_id = data[_HEAD.size : end].decode()
    except (struct.error, UnicodeDecodeError) as error:
        raise FrameError(f"not a Kafka request header: {error}") from error
    if end > len(data):
        raise FrameError("the client id is longer than the request")
    return Frame(api_key, version, correlation_id, client_id, memoryview(data)[end:])


def without_tags(body: memoryview) -> memoryview:
    """Skip the tagged fields that flexible headers end with; none of them means anything to us."""
    try:
        count, position = _varint(body, 0)
        for _ in range(count):
            _, position = _varint(body, position)
            size, position = _varint(body, position)
            position += size
    except IndexError as error:
        raise FrameError("the request ends inside its header") from error
    return body[position:]


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & ~_CONTINUES) << shift
        if not byte & _CONTINUES:
            return value, position
        shift += 7
