"""One file of a partition's log: batches one after another, named by the offset of the first."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from triggers.broker import atomic
from triggers.broker.log import batch as batches
from triggers.broker.log.batch import HEADER_BYTES, Batch
from triggers.broker.log.checkpoint import Checkpoint
from triggers.broker.log.index import SparseIndex
from triggers.broker.log.producers import SequenceTable

LOG_SUFFIX = ".log"
_CHECKPOINT_SUFFIX = ".index"
#: Bytes read at once while looking for a batch.
_LOOK_BYTES = 16 << 10


def file_name(base_offset: int) -> str:
    """Twenty digits, so that names sort as offsets do."""
    return f"{base_offset:020d}{LOG_SUFFIX}"


class Segment:
    """A segment that is appended to (open handle), or sealed (opened per read, so that handles stay few)."""

    def __init__(
        self,
        path: Path,
        *,
        size_bytes: int = 0,
        next_offset: int | None = None,
        index: SparseIndex | None = None,
    ) -> None:
        self.path = path
        self.base_offset = int(path.stem)
        self.size_bytes = size_bytes
        self.next_offset = self.base_offset if next_offset is None else next_offset
        self.checkpointed_bytes = 0
        self._index = index
        self._handle: int | None = None

    @property
    def index(self) -> SparseIndex:
        """Read from the checkpoint when first needed; recovery has made sure that a sealed segment has one."""
        if self._index is None:
            saved = Checkpoint.load(self.checkpoint_path)
            # Without a checkpoint every look begins at the first batch: slow, but right.
            self._index = saved.index if saved else SparseIndex()
        return self._index

    @property
    def checkpoint_path(self) -> Path:
        return self.path.with_suffix(_CHECKPOINT_SUFFIX)

    def open(self) -> None:
        """Begin appending; creates the file."""
        is_new = not self.path.exists()
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._handle = os.open(self.path, flags, 0o600)
        if is_new:
            atomic.sync_folder(self.path.parent)

    def append(self, batch: Batch, content: bytearray) -> None:
        """Write a placed batch. On OSError (disk full) the file is as before."""
        handle = self._open_handle()
        try:
            atomic.write_all(handle, content)
        except OSError:
            os.ftruncate(handle, self.size_bytes)
            raise
        self.took(batch)

    def took(self, batch: Batch) -> None:
        """Account for a batch that lies at the end of the file."""
        self.index.add(batch, self.size_bytes)
        self.size_bytes += batch.size_bytes
        self.next_offset = batch.next_offset

    def sync(self) -> None:
        os.fdatasync(self._open_handle())

    def duplicate_handle(self) -> int:
        """A handle of its own for a sync in another thread, which the caller closes."""
        return os.dup(self._open_handle())

    def checkpoint(self, sequences: SequenceTable) -> None:
        """Remember all up to here. Everything in the file must be synced."""
        Checkpoint(self.size_bytes, self.next_offset, self.index, sequences).save(self.checkpoint_path)
        self.checkpointed_bytes = self.size_bytes

    def close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def delete(self) -> None:
        """Close and remove; a name that is gone already is fine, because a killed deletion is repeated."""
        self.close()
        self.path.unlink(missing_ok=True)
        self.checkpoint_path.unlink(missing_ok=True)

    def read(self, offset: int, max_bytes: int, limit: int, *, whole_first: bool) -> bytes:
        """Bytes from the batch holding ``offset`` on, below position ``limit``; the last batch may be cut, as clients expect.

        ``whole_first``: return the first batch entirely even when it is larger than ``max_bytes``, so that a consumer
        with a small limit gets on. Otherwise nothing is returned then: clients take a lone cut batch for a fault.
        """
        with self._reading() as handle:
            found = next(self._from(handle, self.index.position(offset), offset, limit), None)
            if found is None:
                return b""
            position, first = found
            if first.size_bytes > max_bytes and not whole_first:
                return b""
            wanted = max(max_bytes, first.size_bytes)
            return os.pread(handle, min(wanted, limit - position), position)

    def batches_from(self, position: int, limit: int) -> Iterator[tuple[int, Batch]]:
        """``(position, header)`` of every batch from a block's start on."""
        with self._reading() as handle:
            yield from self._from(handle, position, self.base_offset, limit)

    def read_batch(self, position: int, batch: Batch) -> bytes:
        with self._reading() as handle:
            return os.pread(handle, batch.size_bytes, position)

    def _from(self, handle: int, position: int, offset: int, limit: int) -> Iterator[tuple[int, Batch]]:
        while position + HEADER_BYTES <= limit:
            start = position
            chunk = os.pread(handle, min(_LOOK_BYTES, limit - start), start)
            for at, batch in batches.headers(chunk):
                position = start + at + batch.size_bytes
                if batch.next_offset > offset:
                    yield start + at, batch
            if position == start:
                return

    def _reading(self) -> _Reading:
        return _Reading(self.path, self._handle)

    def _open_handle(self) -> int:
        if self._handle is None:
            raise RuntimeError(f"segment {self.path.name} is sealed")
        return self._handle


class _Reading:
    """The segment's own handle, or one opened for the length of the block."""

    def __init__(self, path: Path, handle: int | None) -> None:
        self._path = path
        self._handle = handle
        self._opened: int | None = None

    def __enter__(self) -> int:
        if self._handle is None:
            self._opened = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        return self._handle if self._opened is None else self._opened  # type: ignore[return-value]

    def __exit__(self, *_: object) -> None:
        if self._opened is not None:
            os.close(self._opened)
