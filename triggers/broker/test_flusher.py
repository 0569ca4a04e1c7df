from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import NamedTuple

import pytest

from triggers.broker import flusher as flushers
from triggers.broker.flusher import Flusher


class _Job(NamedTuple):
    handle: int
    upto: int


class _File:
    """Counts what was written and what was synced."""

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_CREAT | os.O_RDWR)
        self.written = self.synced_upto = self.syncs = 0

    def sync_job(self) -> _Job | None:
        return None if self.written == self.synced_upto else _Job(os.dup(self._handle), self.written)

    def synced(self, job: _Job) -> None:
        self.synced_upto = job.upto
        self.syncs += 1


@pytest.fixture
def file(tmp_path) -> _File:
    return _File(tmp_path / "f")


async def test_all_that_is_written_during_a_sync_shares_the_next_one(file):
    flusher = Flusher(pytest.fail)
    for _ in range(100):
        file.written += 1
        flusher.request(file)
    await asyncio.sleep(0)
    for _ in range(100):
        file.written += 1
        flusher.request(file)
    await flusher.close()
    assert (file.synced_upto, file.syncs) == (200, 2)


async def test_a_disk_that_refuses_is_told_and_nothing_counts_as_synced(file, monkeypatch):
    def refuse(_handle: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(flushers.os, "fdatasync", refuse)
    errors: list[OSError] = []
    flusher = Flusher(errors.append)
    file.written = 1
    flusher.request(file)
    await flusher.close()
    assert ([error.errno for error in errors], file.synced_upto) == ([5], 0)
