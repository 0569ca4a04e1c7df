"""Kafka clients with the settings all parts share, and the topics that exist."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from typing import Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from triggers.changes import ChangeLog

#: How often the list of topics is read, in seconds: what a new topic waits before it is consumed.
TOPICS_INTERVAL_SECONDS = 1.0
#: Time for a request to Kafka, in seconds.
REQUEST_TIMEOUT_SECONDS = 15.0
#: Largest record we pass on, in bytes; the broker's own limit is usually the lower one.
MAX_RECORD_BYTES = 64 * 1024 * 1024
_CLOSE_SECONDS = 3.0

log = logging.getLogger(__name__)


def durable_producer(brokers: str, client_id: str) -> AIOKafkaProducer:
    """A producer whose sends are acknowledged when every in-sync replica has the record, without doubles."""
    return AIOKafkaProducer(
        bootstrap_servers=brokers,
        client_id=client_id,
        acks="all",
        enable_idempotence=True,
        linger_ms=0,
        max_batch_size=256 * 1024,
        max_request_size=MAX_RECORD_BYTES,
        request_timeout_ms=int(REQUEST_TIMEOUT_SECONDS * 1000),
    )


class Stoppable(Protocol):
    """A Kafka client that flushes and disconnects."""

    async def stop(self) -> None: ...


async def close_quietly(client: Stoppable) -> None:
    """Stop within a bound: with the broker away, aiokafka would wait for it."""
    with contextlib.suppress(TimeoutError, KafkaError, OSError):
        await asyncio.wait_for(client.stop(), _CLOSE_SECONDS)


class Topics:
    """The topics that exist: read every second, created when a function names one that does not exist yet."""

    def __init__(self, brokers: str) -> None:
        self._brokers = brokers
        self._changes = ChangeLog(log, f"Kafka at {brokers}")
        self._creating = ChangeLog(log, "creating topics")
        self._refused: dict[str, ChangeLog] = {}
        self._wanted: frozenset[str] = frozenset()
        self._changed = asyncio.Condition()
        self.names: frozenset[str] = frozenset()

    def want(self, names: Iterable[str]) -> None:
        """Create these topics, with the broker's default number of partitions, whenever they are missing."""
        self._wanted = frozenset(names)

    async def changed(self, known: frozenset[str]) -> frozenset[str]:
        """Wait until the topics differ from ``known``, and answer them."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.names != known)
            return self.names

    async def run(self) -> None:
        """Keep :attr:`names` up to date until cancelled, through any outage."""
        while True:
            admin = AIOKafkaAdminClient(
                bootstrap_servers=self._brokers, request_timeout_ms=int(REQUEST_TIMEOUT_SECONDS * 1000)
            )
            try:
                await admin.start()
                await self._follow(admin)
            except (KafkaError, OSError, TimeoutError) as error:
                self._changes.failed(error)
            finally:
                with contextlib.suppress(KafkaError, OSError):
                    await admin.close()
            await asyncio.sleep(TOPICS_INTERVAL_SECONDS / 4)

    async def _follow(self, admin: AIOKafkaAdminClient) -> None:
        while True:
            names = frozenset(await admin.list_topics())
            self._changes.recovered()
            await self._publish(names)
            if missing := self._wanted - names:
                await self._publish(names | await self._create(admin, missing))
            await asyncio.sleep(TOPICS_INTERVAL_SECONDS)

    async def _publish(self, names: frozenset[str]) -> None:
        if names != self.names:
            async with self._changed:
                self.names = names
                self._changed.notify_all()

    async def _create(self, admin: AIOKafkaAdminClient, missing: frozenset[str]) -> frozenset[str]:
        # aiokafka takes the broker's defaults (-1) only beside a replica assignment, which may be empty.
        new = [NewTopic(name, -1, -1, replica_assignments={}) for name in sorted(missing)]
        try:
            response = await admin.create_topics(new)
        except (KafkaError, TimeoutError) as error:
            # Perhaps we may not; then somebody else will, and consuming goes on meanwhile.
            self._creating.failed(error)
            return frozenset()
        self._creating.recovered()
        return frozenset(topic for topic, code, *_ in response.topic_errors if self._was_created(topic, code))

    def _was_created(self, topic: str, code: int) -> bool:
        changes = self._refused.setdefault(topic, ChangeLog(log, f"creating topic {topic}"))
        if code == 0 or for_code(code) is TopicAlreadyExistsError:
            changes.recovered()
            return True
        changes.failed(for_code(code).__name__)
        return False
