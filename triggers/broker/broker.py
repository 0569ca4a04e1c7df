"""The parts of the broker, put together, and the promises that need several of them."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import uuid
from collections.abc import Callable
from pathlib import Path

from triggers.broker import atomic
from triggers.broker.errors import DataFolderError
from triggers.broker.flusher import Flusher
from triggers.broker.groups.coordinator import Coordinator
from triggers.broker.journal import Journal
from triggers.broker.offsets import Offsets
from triggers.broker.producer_ids import ProducerIds
from triggers.broker.settings import BrokerSettings
from triggers.broker.topics import Topics
from triggers.broker.waiting import until

_log = logging.getLogger(__name__)
#: Our only node's number in the protocol.
NODE_ID = 1


class Broker:
    """Everything but the sockets. Made on the event loop; raises :class:`BrokerError` when the folder cannot be used."""

    def __init__(
        self, settings: BrokerSettings, failed: Callable[[OSError], None], now_ms: Callable[[], int]
    ) -> None:
        """``failed`` is told when the disk refuses a sync: the broker must then end, because nothing is certain any more."""
        self.settings = settings
        self._now_ms = now_ms
        self._lock = _lock(settings.data)
        self.cluster_id = _cluster_id(settings.data / "cluster-id")
        self.topics = Topics(settings.data, settings.limits)
        self.offsets = Offsets(settings.data)
        self.producer_ids = ProducerIds(settings.data / "producer-ids")
        self.groups = Coordinator()
        self.flusher = Flusher(self._disk_failed)
        self._failed = failed
        self._is_disk_good = True
        self._retention = asyncio.get_running_loop().create_task(self._retain_forever())

    async def durable(self, journal: Journal) -> None:
        """Return when all that was written to the journal so far is on disk."""
        number = journal.written
        self.flusher.request(journal)
        await until(lambda: journal.durable >= number, (journal,), None)

    async def close(self) -> None:
        """Sync, checkpoint and let go of the folder. Raises OSError when the disk refuses."""
        self._retention.cancel()
        self.groups.close()
        await self.flusher.close()
        # After a refused sync nothing may be called synced any more; the next start finds out what is there.
        if self._is_disk_good:
            self.topics.close()
            self.offsets.close()
        os.close(self._lock)

    def _disk_failed(self, error: OSError) -> None:
        self._is_disk_good = False
        self._failed(error)

    async def _retain_forever(self) -> None:
        while True:
            await asyncio.sleep(self.settings.retention_interval_seconds)
            try:
                self.topics.retain(self._now_ms())
            except OSError:
                _log.exception("old records could not be removed; trying again later")


def _lock(folder: Path) -> int:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DataFolderError(f"{folder} cannot be used as data folder: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise DataFolderError(
            f"{folder} is in use by another broker; stop that one or give this one another --data"
        ) from None
    return handle


def _cluster_id(path: Path) -> str:
    if not path.exists():
        atomic.write(path, uuid.uuid4().hex.encode())
    return path.read_text().strip()
