import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from sqlalchemy.exc import OperationalError

from clustergenie import db
from clustergenie.events import Event, outbox
from clustergenie.events.outbox import OutboxRow
from clustergenie.settings import Home
from triggers.metrics import Metrics
from triggers.relay.relay import ROWS_AT_ONCE, Relay
from triggers.relay.store import OutboxStore
from triggers.test_doubles import FakeProducer, eventually


def row(number: int, key: str = "job-1") -> OutboxRow:
    return OutboxRow(number, f"event-{number}", "cluster-events", key, {"ce_id": str(number)}, b"%d" % number)


@dataclass
class FakeStore:
    rows: list[OutboxRow] = field(default_factory=list)
    outage: Exception | None = None
    most_read: int = 0
    reads: int = 0

    async def oldest(self, limit: int) -> list[OutboxRow]:
        self.reads += 1
        if self.outage is not None:
            raise self.outage
        found = self.rows[:limit]
        self.most_read = max(self.most_read, len(found))
        return found

    async def delete(self, ids: Collection[int]) -> None:
        if self.outage is not None:
            raise self.outage
        self.rows = [each for each in self.rows if each.id not in set(ids)]

    def close(self) -> None:
        """Nothing to close."""


def relay(store: FakeStore, producer: FakeProducer, wake: asyncio.Event | None = None) -> Relay:
    return Relay(wake or asyncio.Event(), Metrics(), new_store=lambda: store, new_producer=lambda: producer)


@asynccontextmanager
async def running(subject: Relay) -> AsyncIterator[None]:
    task = asyncio.create_task(subject.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def sent(producer: FakeProducer) -> list[bytes]:
    return [value for _, value, _, _ in producer.sent]


async def test_rows_are_sent_in_order_with_key_and_headers_and_then_deleted():
    store, producer = FakeStore([row(1), row(2), row(3)]), FakeProducer()
    async with running(relay(store, producer)):
        await eventually(lambda: not store.rows)
    assert sent(producer) == [b"1", b"2", b"3"]
    assert producer.sent[0] == ("cluster-events", b"1", b"job-1", {"ce_id": b"1"})


async def test_a_wake_up_is_answered_at_once():
    store, producer, wake = FakeStore(), FakeProducer(), asyncio.Event()
    async with running(relay(store, producer, wake)):
        await eventually(lambda: store.reads == 2)
        store.rows.append(row(1))
        wake.set()
        await eventually(lambda: not store.rows, 0.5)


async def test_a_lost_wake_up_costs_one_sweep():
    store, producer = FakeStore(), FakeProducer()
    async with running(relay(store, producer)):
        await eventually(lambda: store.reads == 2)
        store.rows.append(row(1))
        await eventually(lambda: not store.rows, 3)


async def test_a_long_backlog_is_read_in_bounded_pieces():
    store, producer = FakeStore([row(number) for number in range(3 * ROWS_AT_ONCE)]), FakeProducer()
    async with running(relay(store, producer)):
        await eventually(lambda: not store.rows)
    assert store.most_read == ROWS_AT_ONCE
    assert len(producer.sent) == 3 * ROWS_AT_ONCE


async def test_without_an_acknowledgement_no_row_is_deleted():
    store, producer = FakeStore([row(1)]), FakeProducer(outage=KafkaError("away"))
    subject = relay(store, producer)
    with pytest.raises(KafkaError):
        await subject.run()
    assert len(store.rows) == 1
    producer.outage = None
    async with running(subject):
        await eventually(lambda: not store.rows)


async def test_a_database_outage_ends_the_run_and_the_next_one_goes_on():
    store, producer = FakeStore([row(1)], OperationalError("", None, Exception("away"))), FakeProducer()
    subject = relay(store, producer)
    with pytest.raises(OperationalError):
        await subject.run()
    store.outage = None
    async with running(subject):
        await eventually(lambda: not store.rows)


async def test_a_row_kafka_will_never_take_stays_and_the_others_pass_it():
    store = FakeStore([row(1), row(2)])
    producer = FakeProducer(refuses={b"1": MessageSizeTooLargeError("too large")})
    async with running(relay(store, producer)):
        await eventually(lambda: [each.id for each in store.rows] == [1])
    assert sent(producer) == [b"2"]


async def test_the_store_reads_what_functions_append(home: Home):
    url = f"sqlite:///{home.data / 'test.db'}"
    db.migrate(url)
    engine = db.connect(url)
    data = {"cluster_id": "cluster-1", "name": "a", "region": "nyc3", "status": "healthy"}
    event = Event("cluster.created", "cluster-1", data)
    with db.writing(engine) as connection:
        outbox.append(connection, "cluster-events", "cluster-1", event)
    store = OutboxStore(url)
    (found,) = await store.oldest(10)
    assert (found.key, found.headers["ce_type"]) == ("cluster-1", "cluster.created")
    await store.delete([found.id])
    assert await store.oldest(10) == []
    store.close()
    engine.dispose()
