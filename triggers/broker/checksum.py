"""CRC32C, the checksum of record batches, in C: about 1.2 GiB/s, against 5 MiB/s for pure Python."""

from __future__ import annotations

from triggers.broker.lean_import import bare_packages

with bare_packages("aiokafka", "aiokafka.record", "aiokafka.record._crecords"):
    from aiokafka.record._crecords.cutil import crc32c_cython

Buffer = bytes | bytearray | memoryview


def crc32c(data: Buffer) -> int:
    """The CRC-32 of ``data`` with Castagnoli's polynomial, as an unsigned number."""
    return int(crc32c_cython(data))
