"""Record batches as producers send them, for tests."""

from __future__ import annotations

from collections.abc import Sequence

from kafka.record.default_records import DefaultRecordBatchBuilder

_CODECS = {"none": 0, "gzip": 1}


def batch(
    values: Sequence[bytes] = (b"value",),
    *,
    timestamp_ms: int = 1000,
    step_ms: int = 1,
    compression: str = "none",
    producer_id: int = -1,
    producer_epoch: int = -1,
    sequence: int = -1,
    transactional: bool = False,
) -> bytes:
    """A v2 batch with one record per value, ``step_ms`` apart."""
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=_CODECS[compression],
        is_transactional=transactional,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        base_sequence=sequence,
        batch_size=1 << 20,
    )
    for number, value in enumerate(values):
        builder.append(number, timestamp_ms + number * step_ms, None, value, [])
    return bytes(builder.build())
