"""Sends outbox rows to Kafka in id order and deletes them once acknowledged.

Crash-only: any outage ends :meth:`Relay.run` with nothing in memory worth keeping, and it is started again. A crash
between acknowledgement and deletion sends rows twice; consumers recognise them by event id.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Protocol

from aiokafka.errors import InvalidTopicError, MessageSizeTooLargeError

from clustergenie.clock import parse_rfc3339
from clustergenie.events.outbox import OutboxRow
from triggers.kafka import close_quietly, durable_producer
from triggers.metrics import Metrics
from triggers.relay.store import OutboxStore

#: Longest time a row waits when its wake-up was lost, in seconds.
SWEEP_SECONDS = 1.0
#: Rows read, sent and deleted at a time.
ROWS_AT_ONCE = 500
#: What no repetition will change: the row stays where it is and the others pass it.
_HOPELESS = (MessageSizeTooLargeError, InvalidTopicError)

log = logging.getLogger(__name__)


class Store(Protocol):
    """Where the rows are (:class:`OutboxStore`)."""

    async def oldest(self, limit: int) -> list[OutboxRow]: ...
    async def delete(self, ids: Collection[int]) -> None: ...
    def close(self) -> None: ...


class Producer(Protocol):
    """Where they go (aiokafka's producer)."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def send(
        self, topic: str, value: bytes, *, key: bytes, headers: Sequence[tuple[str, bytes]]
    ) -> Awaitable[object]: ...


class Relay:
    """A part of the process. ``wake`` is set when somebody says there are rows."""

    name = "outbox relay"

    def __init__(
        self,
        wake: asyncio.Event,
        metrics: Metrics,
        *,
        new_store: Callable[[], Store],
        new_producer: Callable[[], Producer],
    ) -> None:
        self._wake = wake
        self._metrics = metrics
        self._new_store = new_store
        self._new_producer = new_producer
        self._refused: set[int] = set()

    async def run(self) -> None:
        """Raises KafkaError or SQLAlchemyError when either side is away."""
        store, producer = self._new_store(), self._new_producer()
        try:
            await self._waiting(store)
            await producer.start()
            while True:
                self._wake.clear()
                while await self._pass_on(store, producer) == ROWS_AT_ONCE:
                    continue
                await self._woken()
        finally:
            await close_quietly(producer)
            store.close()

    async def _woken(self) -> None:
        try:
            async with asyncio.timeout(SWEEP_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _waiting(self, store: Store) -> list[OutboxRow]:
        rows = await store.oldest(ROWS_AT_ONCE + len(self._refused))
        rows = [row for row in rows if row.id not in self._refused]
        self._metrics.backlog_age.set(_age(rows[0]) if rows else 0)
        return rows

    async def _pass_on(self, store: Store, producer: Producer) -> int:
        rows = await self._waiting(store)
        if not rows:
            return 0
        # Handing over in id order keeps the order of each key; the broker answers in its own time.
        answers = [await _hand_over(producer, row) for row in rows]
        results = await asyncio.gather(*answers, return_exceptions=True)
        acknowledged = [row.id for row, result in zip(rows, results, strict=True) if _is_settled(result)]
        await store.delete(acknowledged)
        self._metrics.relayed.inc(len(acknowledged))
        self._look_at_failures(rows, results)
        return len(rows)

    def _look_at_failures(self, rows: list[OutboxRow], results: list[object]) -> None:
        for row, result in zip(rows, results, strict=True):
            if isinstance(result, _HOPELESS):
                self._refused.add(row.id)
                log.error(
                    "outbox row %d (event %s) cannot be sent to topic %s and stays in the table: %r; raise the"
                    " topic's max.message.bytes and restart the triggers, or delete the row",
                    row.id, row.event_id, row.topic, result,
                )  # fmt: skip
            elif isinstance(result, BaseException):
                raise result


async def _hand_over(producer: Producer, row: OutboxRow) -> Awaitable[object]:
    headers = [(name, value.encode()) for name, value in row.headers.items()]
    try:
        return await producer.send(row.topic, row.body, key=row.key.encode(), headers=headers)
    except _HOPELESS as error:
        refused: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        refused.set_exception(error)
        return refused


def _is_settled(result: object) -> bool:
    return not isinstance(result, BaseException)


def _age(row: OutboxRow) -> float:
    written = row.headers.get("ce_time")
    return max(0.0, time.time() - parse_rfc3339(written).timestamp()) if written else 0.0


def kafka_relay(wake: asyncio.Event, metrics: Metrics, *, brokers: str, database_url: str) -> Relay:
    """The relay on a real database and a real broker."""
    return Relay(
        wake,
        metrics,
        new_store=lambda: OutboxStore(database_url),
        new_producer=lambda: durable_producer(brokers, "clustergenie-relay"),
    )
