"""Group commit: syncs run in threads, and all that was appended to a file meanwhile shares its next sync."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

#: Files synced at the same time.
SYNC_THREADS = 4


class Syncable(Protocol):
    """Something appended to on the event loop and synced elsewhere."""

    def sync_job(self) -> Any | None:
        """What to sync now, with a ``handle`` of its own; None when all is on disk."""

    def synced(self, job: Any) -> None:
        """The job, one of :meth:`sync_job`, is done."""


class Flusher:
    """Keeps at most one sync per file under way. ``failed`` is told when the disk refuses: from then on nothing is certain."""

    def __init__(self, failed: Callable[[OSError], None]) -> None:
        self._failed = failed
        self._threads = ThreadPoolExecutor(SYNC_THREADS, thread_name_prefix="sync")
        self._under_way: dict[Syncable, asyncio.Task[None]] = {}

    def request(self, target: Syncable) -> None:
        """Have everything that was appended so far synced soon."""
        if target not in self._under_way:
            self._under_way[target] = asyncio.get_running_loop().create_task(self._flush(target))

    async def close(self) -> None:
        """Wait for what is under way."""
        await asyncio.gather(*self._under_way.values())
        self._threads.shutdown()

    async def _flush(self, target: Syncable) -> None:
        loop = asyncio.get_running_loop()
        try:
            while (job := target.sync_job()) is not None:
                await loop.run_in_executor(self._threads, _sync, job.handle)
                target.synced(job)
        except OSError as error:
            self._failed(error)
        finally:
            del self._under_way[target]


def _sync(handle: int) -> None:
    try:
        os.fdatasync(handle)
    finally:
        os.close(handle)
