"""The outbox table, read and emptied in one thread of its own so that a slow database holds up nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Engine

from clustergenie import db
from clustergenie.events import outbox
from clustergenie.events.outbox import OutboxRow

T = TypeVar("T")


class OutboxStore:
    """Close with :meth:`close`. Every method raises SQLAlchemyError when the database is away."""

    def __init__(self, database_url: str) -> None:
        self._engine: Engine = db.connect(database_url)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="outbox")

    async def oldest(self, limit: int) -> list[OutboxRow]:
        """Up to ``limit`` rows in the order in which they are to be sent."""
        return await self._in_thread(lambda: self._oldest(limit))

    async def delete(self, ids: Collection[int]) -> None:
        """Forget acknowledged rows."""
        await self._in_thread(lambda: self._delete(ids))

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._engine.dispose()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _oldest(self, limit: int) -> list[OutboxRow]:
        with db.reading(self._engine) as connection:
            return outbox.oldest(connection, limit)

    def _delete(self, ids: Collection[int]) -> None:
        db.transact(self._engine, lambda connection: outbox.delete(connection, ids))
