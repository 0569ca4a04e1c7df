"""One function's consumer group member: fetching, following topics, committing, and giving partitions back in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from triggers.connector.pump import Pump
from triggers.connector.trigger import Trigger
from triggers.kafka import REQUEST_TIMEOUT_SECONDS, Topics
from triggers.metrics import Metrics

#: Least time between two commits of a function, in seconds; what a crash repeats is what finished in it.
COMMIT_INTERVAL_SECONDS = 0.1
#: How long calls under way may take to end when partitions are given back or the process stops, in seconds.
DRAIN_SECONDS = 6.0
#: How long the broker waits for our drain in a rebalance, in milliseconds. Must exceed the drain.
_REBALANCE_TIMEOUT_MS = 30_000
_SESSION_TIMEOUT_MS = 10_000
_HEARTBEAT_MS = 1_000
_COMMIT_TIMEOUT_SECONDS = 2.0
_STOP_SECONDS = 2.0
_LAG_INTERVAL_SECONDS = 1.0
_FETCH_WAIT_MS = 500
_PARTITION_FETCH_BYTES = 256 * 1024
_FETCH_BYTES = 1024 * 1024
#: aiokafka leaves the group when nobody polls for this long; we do not poll while the function is saturated.
_NEVER_MS = 10 * 365 * 24 * 3600 * 1000

log = logging.getLogger(__name__)


class FunctionConsumer(ConsumerRebalanceListener):  # type: ignore[misc]
    """A part of the connector. Runs until cancelled, then drains and commits."""

    def __init__(
        self, trigger: Trigger, pump: Pump, topics: Topics, metrics: Metrics, *, brokers: str, member: str
    ) -> None:
        self.name = f"consumer of {trigger.key}"
        self._trigger = trigger
        self._pump = pump
        self._topics = topics
        self._lag = metrics.lag.labels(trigger.key)
        self._brokers = brokers
        self._member = f"{member}.{trigger.key}"
        self._committing = asyncio.Lock()
        self._fetched: dict[TopicPartition, int] = {}
        self._consumer: AIOKafkaConsumer

    async def run(self) -> None:
        """Raises KafkaError when the group cannot be joined or kept; nothing is lost by starting again."""
        self._consumer = self._new_consumer()
        try:
            await self._consumer.start()
            async with asyncio.TaskGroup() as tasks:
                for work in (self._follow_topics, self._fetch, self._commit_steadily, self._watch_lag):
                    tasks.create_task(work())
        finally:
            await self._retreat()
            with contextlib.suppress(TimeoutError, KafkaError, OSError):
                await asyncio.wait_for(self._consumer.stop(), _STOP_SECONDS)

    def _new_consumer(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            bootstrap_servers=self._brokers,
            client_id=f"clustergenie-{self._member}",
            group_id=self._trigger.group,
            group_instance_id=self._member,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_min_bytes=1,
            fetch_max_wait_ms=_FETCH_WAIT_MS,
            fetch_max_bytes=_FETCH_BYTES,
            max_partition_fetch_bytes=_PARTITION_FETCH_BYTES,
            session_timeout_ms=_SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=_HEARTBEAT_MS,
            rebalance_timeout_ms=_REBALANCE_TIMEOUT_MS,
            max_poll_interval_ms=_NEVER_MS,
            request_timeout_ms=int(REQUEST_TIMEOUT_SECONDS * 1000),
        )

    # what runs side by side

    async def _follow_topics(self) -> None:
        known: frozenset[str] = frozenset()
        subscribed: frozenset[str] = frozenset()
        while True:
            known = await self._topics.changed(known)
            selected = self._trigger.select(known)
            if not selected or selected == subscribed:
                continue
            if subscribed:
                # A new subscription forgets the assignment at once, and with it the right to commit.
                await self._retreat()
            self._consumer.subscribe(sorted(selected), listener=self)
            subscribed = selected

    async def _fetch(self) -> None:
        while True:
            await self._pump.room()
            pages = await self._consumer.getmany(timeout_ms=1000)
            for partition, records in pages.items():
                self._fetched[partition] = records[-1].offset + 1
                self._pump.offer(records)
            # With records always at hand getmany never lets anybody else run.
            await asyncio.sleep(0)

    async def _commit_steadily(self) -> None:
        while True:
            await self._pump.progress.wait()
            self._pump.progress.clear()
            await self._commit()
            await asyncio.sleep(COMMIT_INTERVAL_SECONDS)

    async def _watch_lag(self) -> None:
        while True:
            behind = [self._behind(partition) for partition in self._consumer.assignment()]
            self._lag.set(sum(behind) + self._pump.window.unfinished)
            await asyncio.sleep(_LAG_INTERVAL_SECONDS)

    def _behind(self, partition: TopicPartition) -> int:
        end = self._consumer.highwater(partition)
        return 0 if end is None else max(0, end - self._fetched.get(partition, end))

    # giving back

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        del revoked  # the protocol is eager: it is always all of them
        await self._retreat()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """The window learns of partitions by their records."""

    async def _retreat(self) -> None:
        """Let calls end, commit what they did, forget the rest: it comes again, to us or to another member."""
        try:
            await self._pump.drain(DRAIN_SECONDS)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._commit(), _COMMIT_TIMEOUT_SECONDS)
        finally:
            self._fetched.clear()
            self._pump.reset()

    async def _commit(self) -> None:
        # One at a time: an older commit that arrives after a newer one would move the group back.
        async with self._committing:
            positions = self._pump.window.commits()
            if not positions:
                return
            try:
                await self._consumer.commit({TopicPartition(*source): at for source, at in positions.items()})
            except (CommitFailedError, IllegalStateError) as error:
                log.info(
                    "%s: partitions moved before a commit, some records come twice: %s", self.name, error
                )
            except (KafkaError, asyncio.CancelledError) as error:
                self._pump.window.mark_uncommitted(positions)
                self._pump.progress.set()
                if not isinstance(error, KafkaError):
                    raise
