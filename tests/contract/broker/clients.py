"""Three Kafka clients behind one small shape, so that a scenario is written once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import aiokafka
import confluent_kafka
import kafka

#: How long any single step may take before the test fails.
PATIENCE_SECONDS = 30.0
_TURN_SECONDS = 0.1
#: kafka-python 3.0 can lose the end of a join, and with it its place in the group until the session ends, when the poll that began
#: it returns just then. So its polls are longer than a join takes.
_LONG_TURN_SECONDS = 1.5

Headers = list[tuple[str, bytes]]


class Message(NamedTuple):
    value: bytes
    key: bytes | None = None
    headers: Headers = []  # noqa: RUF012 - never changed
    partition: int | None = None
    timestamp_ms: int | None = None


class Place(NamedTuple):
    partition: int
    offset: int


class Record(NamedTuple):
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: Headers


class Consumer(Protocol):
    def poll(self) -> list[Record]:
        """Take part in the group and return what came within a moment."""

    def assignment(self) -> set[int]:
        """As it was at the end of the last poll, so that another thread may ask during one."""

    def commit(self) -> None: ...
    def seek(self, partition: int, offset: int) -> None: ...
    def close(self) -> None: ...


class Client(Protocol):
    def produce(
        self, topic: str, messages: Sequence[Message], *, compression: str = "none", idempotent: bool = False
    ) -> list[Place]:
        """Send with acks=all and wait for the acknowledgements."""

    def consumer(self, topic: str, group: str, *, instance: str | None = None) -> Consumer:
        """Subscribed, from the earliest offset, committing only when told to."""


def poll_until(consumers: Iterable[Consumer], done: Callable[[], bool]) -> list[Record]:
    """Poll each in a thread of its own until ``done()``; what they got.

    Not in turn: a client may stay in ``poll`` for as long as the group waits for another member that is not polled.
    """
    records: list[Record] = []
    is_done = threading.Event()

    def keep_polling(consumer: Consumer) -> None:
        while not is_done.is_set():
            records.extend(consumer.poll())

    consumers = list(consumers)
    with ThreadPoolExecutor(max(1, len(consumers))) as threads:
        polls = [threads.submit(keep_polling, consumer) for consumer in consumers]
        try:
            wait_until(done)
        finally:
            is_done.set()
    for poll in polls:
        poll.result()
    return records


def wait_until(done: Callable[[], bool]) -> None:
    """Ask again and again, until the deadline."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not done():
        assert time.monotonic() < deadline, f"not reached in {PATIENCE_SECONDS} s"
        time.sleep(0.02)


def read(consumer: Consumer, count: int) -> list[Record]:
    """Poll until ``count`` records have come."""
    records: list[Record] = []
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(records) < count:
        assert time.monotonic() < deadline, f"{len(records)} of {count} records came in {PATIENCE_SECONDS} s"
        records += consumer.poll()
    return records


class KafkaPython:
    """kafka-python 3."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap

    def produce(
        self, topic: str, messages: Sequence[Message], *, compression: str = "none", idempotent: bool = False
    ) -> list[Place]:
        producer = kafka.KafkaProducer(
            bootstrap_servers=self._bootstrap,
            acks="all",
            enable_idempotence=idempotent,
            compression_type=None if compression == "none" else compression,
            linger_ms=5,
        )
        try:
            sent = [
                producer.send(
                    topic,
                    message.value,
                    key=message.key,
                    headers=message.headers,
                    partition=message.partition,
                    timestamp_ms=message.timestamp_ms,
                )
                for message in messages
            ]
            found = [future.get(PATIENCE_SECONDS) for future in sent]
        finally:
            producer.close()
        return [Place(place.partition, place.offset) for place in found]

    def consumer(self, topic: str, group: str, *, instance: str | None = None) -> Consumer:
        return _KafkaPythonConsumer(self._bootstrap, topic, group, instance)


class _KafkaPythonConsumer:
    def __init__(self, bootstrap: str, topic: str, group: str, instance: str | None) -> None:
        self._topic = topic
        self._assigned: set[int] = set()
        self._consumer = kafka.KafkaConsumer(
            topic,
            bootstrap_servers=bootstrap,
            group_id=group,
            group_instance_id=instance,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            session_timeout_ms=6000,
            heartbeat_interval_ms=300,
        )

    def poll(self) -> list[Record]:
        found = self._consumer.poll(timeout_ms=int(_LONG_TURN_SECONDS * 1000))
        self._assigned = {place.partition for place in self._consumer.assignment()}
        return [
            Record(r.partition, r.offset, r.key, r.value, list(r.headers))
            for batch in found.values()
            for r in batch
        ]

    def assignment(self) -> set[int]:
        return self._assigned

    def commit(self) -> None:
        self._consumer.commit()

    def seek(self, partition: int, offset: int) -> None:
        self._consumer.seek(kafka.TopicPartition(self._topic, partition), offset)

    def close(self) -> None:
        self._consumer.close()


class Confluent:
    """confluent-kafka (librdkafka)."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap

    def produce(
        self, topic: str, messages: Sequence[Message], *, compression: str = "none", idempotent: bool = False
    ) -> list[Place]:
        settings = {
            "bootstrap.servers": self._bootstrap,
            "acks": "all",
            "compression.type": compression,
            "enable.idempotence": idempotent,
            "log_level": 0,
        }
        producer = confluent_kafka.Producer(settings)
        places: dict[int, Place] = {}
        errors: list[Any] = []
        for number, message in enumerate(messages):

            def delivered(error: Any, sent: Any, number: int = number) -> None:
                if error is not None:
                    errors.append(error)
                else:
                    places[number] = Place(sent.partition(), sent.offset())

            producer.produce(topic, callback=delivered, **_given(message))
        left = producer.flush(PATIENCE_SECONDS)
        assert not errors, errors
        assert left == 0, f"{left} records were not acknowledged"
        return [places[number] for number in range(len(messages))]

    def consumer(self, topic: str, group: str, *, instance: str | None = None) -> Consumer:
        return _ConfluentConsumer(self._bootstrap, topic, group, instance)


def _given(message: Message) -> dict[str, Any]:
    arguments: dict[str, Any] = {"value": message.value, "key": message.key, "headers": message.headers}
    if message.partition is not None:
        arguments["partition"] = message.partition
    if message.timestamp_ms is not None:
        arguments["timestamp"] = message.timestamp_ms
    return arguments


class _ConfluentConsumer:
    def __init__(self, bootstrap: str, topic: str, group: str, instance: str | None) -> None:
        settings: dict[str, Any] = {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "session.timeout.ms": 6000,
            "heartbeat.interval.ms": 300,
            "log_level": 0,
        }
        if instance is not None:
            settings["group.instance.id"] = instance
        self._topic = topic
        self._assigned: set[int] = set()
        self._consumer = confluent_kafka.Consumer(settings)
        self._consumer.subscribe([topic])

    def poll(self) -> list[Record]:
        found = [message for message in self._consumer.consume(500, _TURN_SECONDS) if message.error() is None]
        self._assigned = {place.partition for place in self._consumer.assignment()}
        return [Record(m.partition(), m.offset(), m.key(), m.value(), list(m.headers() or [])) for m in found]

    def assignment(self) -> set[int]:
        return self._assigned

    def commit(self) -> None:
        self._consumer.commit(asynchronous=False)

    def seek(self, partition: int, offset: int) -> None:
        self._consumer.seek(confluent_kafka.TopicPartition(self._topic, partition, offset))

    def close(self) -> None:
        self._consumer.close()


class AioKafka:
    """aiokafka, its loop in a thread."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap

    def produce(
        self, topic: str, messages: Sequence[Message], *, compression: str = "none", idempotent: bool = False
    ) -> list[Place]:
        return asyncio.run(self._produce(topic, messages, compression, idempotent=idempotent))

    async def _produce(
        self, topic: str, messages: Sequence[Message], compression: str, *, idempotent: bool
    ) -> list[Place]:
        producer = aiokafka.AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            acks="all",
            enable_idempotence=idempotent,
            compression_type=None if compression == "none" else compression,
            linger_ms=5,
        )
        async with producer:
            sent = [await producer.send(topic, **_given_to_aiokafka(message)) for message in messages]
            found = await asyncio.wait_for(asyncio.gather(*sent), PATIENCE_SECONDS)
        return [Place(place.partition, place.offset) for place in found]

    def consumer(self, topic: str, group: str, *, instance: str | None = None) -> Consumer:
        return _AioKafkaConsumer(self._bootstrap, topic, group, instance)


def _given_to_aiokafka(message: Message) -> dict[str, Any]:
    fields = message._asdict()
    return {**fields, "headers": message.headers or None}


class _AioKafkaConsumer:
    def __init__(self, bootstrap: str, topic: str, group: str, instance: str | None) -> None:
        self._topic = topic
        self._assigned: set[int] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

        async def start() -> aiokafka.AIOKafkaConsumer:
            consumer = aiokafka.AIOKafkaConsumer(
                topic,
                bootstrap_servers=bootstrap,
                group_id=group,
                group_instance_id=instance,
                auto_offset_reset="earliest",
                enable_auto_commit=False,
                session_timeout_ms=6000,
                heartbeat_interval_ms=300,
            )
            await consumer.start()
            return consumer

        self._consumer = self._run(start())

    def poll(self) -> list[Record]:
        found = self._run(self._consumer.getmany(timeout_ms=int(_TURN_SECONDS * 1000)))
        self._assigned = {place.partition for place in self._consumer.assignment()}
        return [
            Record(r.partition, r.offset, r.key, r.value, list(r.headers))
            for batch in found.values()
            for r in batch
        ]

    def assignment(self) -> set[int]:
        return self._assigned

    def commit(self) -> None:
        self._run(self._consumer.commit())

    def seek(self, partition: int, offset: int) -> None:
        self._consumer.seek(aiokafka.TopicPartition(self._topic, partition), offset)

    def close(self) -> None:
        try:
            self._run(self._consumer.stop())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(PATIENCE_SECONDS)
            self._loop.close()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_SECONDS)


CLIENTS: dict[str, Callable[[str], Client]] = {
    "kafka-python": KafkaPython,
    "aiokafka": AioKafka,
    "confluent-kafka": Confluent,
}
