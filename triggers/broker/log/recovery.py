"""Finding a partition's log again after any kind of end.

A crash can only tear the end of the last segment: batches behind the last sync, none of them acknowledged. That is cut off. Damage
anywhere else is refused, because going on would lose acknowledged records without a word.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from triggers.broker.errors import CorruptLogError
from triggers.broker.log import batch as batches
from triggers.broker.log.batch import HEADER_BYTES, Batch
from triggers.broker.log.checkpoint import Checkpoint
from triggers.broker.log.index import SparseIndex
from triggers.broker.log.producers import SequenceTable
from triggers.broker.log.segment import LOG_SUFFIX, Segment, file_name

_READ_BUFFER_BYTES = 256 << 10


@dataclass(frozen=True)
class Recovered:
    segments: list[Segment]
    """In order, at least one; the last is open for appending, and all of it is synced."""
    sequences: SequenceTable


def recover(folder: Path, first_offset: int = 0) -> Recovered:
    """Open the log in ``folder`` (created when absent, beginning at ``first_offset``). Raises :class:`CorruptLogError`."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    paths = sorted(folder.glob(f"*{LOG_SUFFIX}")) or [folder / file_name(first_offset)]
    sequences = SequenceTable()
    segments: list[Segment] = []
    for path in paths:
        if segments and segments[-1].next_offset != int(path.stem):
            raise CorruptLogError(_gap(path, segments[-1].next_offset))
        segment, sequences = _open(path, sequences, last=path is paths[-1])
        segments.append(segment)
    segments[-1].open()
    if segments[-1].size_bytes > segments[-1].checkpointed_bytes:
        segments[-1].sync()
    return Recovered(segments, sequences)


def _open(path: Path, sequences: SequenceTable, *, last: bool) -> tuple[Segment, SequenceTable]:
    size = path.stat().st_size if path.exists() else 0
    segment = Segment(path)
    saved = Checkpoint.load(segment.checkpoint_path)
    if saved is not None and saved.position <= size:
        segment = Segment(
            path,
            size_bytes=saved.position,
            next_offset=saved.next_offset,
            index=saved.index if last else None,
        )
        segment.checkpointed_bytes = saved.position
        sequences = saved.sequences
    elif saved is not None and not last:
        raise CorruptLogError(_damage(path, size, "it is shorter than it was when it was completed"))
    if segment.size_bytes < size:
        _scan(segment, size, sequences, last=last)
        if not last:
            segment.checkpoint(sequences)
    return segment, sequences


def _scan(segment: Segment, size: int, sequences: SequenceTable, *, last: bool) -> None:
    if segment.size_bytes == 0:
        segment._index = SparseIndex()  # noqa: SLF001 - the checkpoint, if any, is not to be trusted
    with segment.path.open("rb", buffering=_READ_BUFFER_BYTES) as file:
        file.seek(segment.size_bytes)
        while (batch := _next_whole(file, segment.next_offset)) is not None:
            segment.took(batch)
            sequences.record(batch, batch.base_offset)
        if segment.size_bytes == size:
            return
        if not last or _follows_whole_batch(file, segment, size):
            raise CorruptLogError(_damage(segment.path, segment.size_bytes, "whole batches follow it"))
    _cut(segment)


def _next_whole(file: BinaryIO, offset: int) -> Batch | None:
    """The batch at the file's position if it is whole and begins with ``offset``."""
    head = file.read(HEADER_BYTES)
    if len(head) < HEADER_BYTES:
        return None
    batch = batches.parse(head)
    if batch.base_offset != offset or batch.size_bytes < HEADER_BYTES:
        return None
    content = head + file.read(batch.size_bytes - HEADER_BYTES)
    return batch if batches.is_whole(batch, content) else None


def _follows_whole_batch(file: BinaryIO, segment: Segment, size: int) -> bool:
    """True when behind the first bad batch there is a good one: the damage is then not a torn end."""
    file.seek(segment.size_bytes)
    head = file.read(HEADER_BYTES)
    if len(head) < HEADER_BYTES:
        return False
    bad = batches.parse(head)
    follower = segment.size_bytes + bad.size_bytes
    if bad.size_bytes < HEADER_BYTES or follower >= size:
        return False
    file.seek(follower)
    return _next_whole(file, bad.next_offset) is not None


def _cut(segment: Segment) -> None:
    handle = os.open(segment.path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.ftruncate(handle, segment.size_bytes)
        os.fsync(handle)
    finally:
        os.close(handle)


def _damage(path: Path, position: int, reason: str) -> str:
    return (
        f"{path} is damaged at byte {position} and {reason}; restore the file, or move the folder {path.parent.name} "
        "away to start this partition empty"
    )


def _gap(path: Path, expected: int) -> str:
    return (
        f"{path.parent} misses the records from offset {expected} to {int(path.stem) - 1}; restore the missing segment, "
        "or move the folder away to start this partition empty"
    )
