"""Moves one function's records from its window through calls to their end, and decides on retries."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from typing import Protocol

from aiokafka.errors import KafkaError

from triggers.backoff import Backoff
from triggers.changes import ChangeLog
from triggers.connector.delivery import Attempt, Done, Later, Outcome, Refused
from triggers.connector.event import Record, is_wanted, size
from triggers.connector.trigger import Trigger
from triggers.connector.window import Limits, Window, Work
from triggers.metrics import Metrics

#: Unfinished records held per function: enough to find work beside keys that wait, few enough to hand over quickly.
HELD_RECORDS = 1000
#: Failures remembered per record; the first are forgotten.
_REMEMBERED = 50

log = logging.getLogger(__name__)


class Calls(Protocol):
    """Makes calls (:class:`triggers.connector.delivery.Delivery`)."""

    async def call(self, trigger: Trigger, records: Sequence[Record]) -> Outcome: ...


class Parking(Protocol):
    """Takes dead letters (:class:`triggers.connector.dead_letters.DeadLetters`)."""

    async def park(self, trigger: Trigger, record: Record, attempts: Sequence[Attempt]) -> None: ...


class Pump:
    """Runs as many calls as the trigger allows. :attr:`progress` is set whenever there is something to commit."""

    def __init__(
        self,
        trigger: Trigger,
        calls: Calls,
        parking: Parking,
        metrics: Metrics,
        backoff: Backoff | None = None,
    ) -> None:
        self._trigger = trigger
        self._calls = calls
        self._parking = parking
        self._backoff = backoff or Backoff()
        self._loop = asyncio.get_running_loop()
        self.window: Window[Record] = Window(trigger.ordering, _limits(trigger), self._loop.time)
        self.progress = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._delivered = metrics.delivered.labels(trigger.key)
        self._retried = metrics.retried.labels(trigger.key)
        self._dead_lettered = metrics.dead_lettered.labels(trigger.key)
        self._parking_changes = ChangeLog(log, f"dead letters of {trigger.key}")

    def offer(self, records: Iterable[Record]) -> None:
        """Take in records of one partition, in order."""
        window, wanted = self.window, self._trigger.filter
        for record in records:
            source = (record.topic, record.partition)
            if is_wanted(record, wanted):
                window.add(source, record.offset, record.key, record, size(record))
            else:
                window.pass_over(source, record.offset)
                self.progress.set()
        self._run()

    async def room(self) -> None:
        """Return when more records are welcome."""
        await self._room.wait()

    async def drain(self, seconds: float) -> None:
        """Begin no more calls and wait for those under way; what is not over by then is given up."""
        self.window.hold()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def reset(self) -> None:
        """Forget all records, because the partitions they came from may be another's now."""
        self.window.reset()
        self._run()

    def _run(self) -> None:
        while (work := self.window.take()) is not None:
            task = self._loop.create_task(self._handle(work))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.window.due is not None:
            self._timer = self._loop.call_at(self.window.due, self._run)
        if self.window.is_full:
            self._room.clear()
        else:
            self._room.set()

    async def _handle(self, work: Work[Record]) -> None:
        try:
            outcome = await self._call(work)
            await self._settle(work, outcome)
        except asyncio.CancelledError:
            self.window.postpone(work, self._loop.time())
            raise
        self.progress.set()
        self._run()

    async def _call(self, work: Work[Record]) -> Outcome:
        try:
            return await self._calls.call(self._trigger, work.records)
        except Exception as error:
            log.exception("calling %s failed in a way that was not foreseen", self._trigger.key)
            return Later(Attempt(time.time(), 0, repr(error)))

    async def _settle(self, work: Work[Record], outcome: Outcome) -> None:
        if isinstance(outcome, Done):
            self._delivered.inc(len(work.held))
            self.window.finish(work)
            return
        work.failures = [*work.failures[1 - _REMEMBERED :], outcome.attempt]
        if isinstance(outcome, Later):
            work.retries += outcome.counts
            if work.retries <= self._trigger.retries:
                self._put_off(work, outcome)
                return
        await self._give_up(work, outcome)

    def _put_off(self, work: Work[Record], outcome: Later) -> None:
        self._retried.inc()
        delay = self._backoff.delay(max(1, work.retries))
        if outcome.after_seconds is not None:
            delay = max(outcome.after_seconds, self._backoff.first_seconds / 2)
        self.window.postpone(work, self._loop.time() + delay)

    async def _give_up(self, work: Work[Record], outcome: Later | Refused) -> None:
        if len(work.held) > 1:
            log.info("%s failed on %d records; trying one by one", self._trigger.key, len(work.held))
            self.window.split(work)
            return
        attempts = [attempt for attempt in work.failures if isinstance(attempt, Attempt)] or [outcome.attempt]
        await self._park(work.records[0], attempts)
        self._dead_lettered.inc()
        self.window.finish(work)

    async def _park(self, record: Record, attempts: Sequence[Attempt]) -> None:
        # The record is finished only once Kafka has it: while it has not, this goes on.
        failures = 0
        while True:
            try:
                await self._parking.park(self._trigger, record, attempts)
            except (KafkaError, OSError, TimeoutError) as error:
                failures += 1
                self._parking_changes.failed(error)
                await asyncio.sleep(self._backoff.delay(failures))
                continue
            self._parking_changes.recovered()
            return


def _limits(trigger: Trigger) -> Limits:
    return Limits(
        concurrency=trigger.concurrency,
        batch=trigger.batch,
        records=max(HELD_RECORDS, 2 * trigger.batch * trigger.concurrency),
    )
