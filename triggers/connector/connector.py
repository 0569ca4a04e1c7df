"""The connector as a part of the process: a consumer for each function that has a Kafka topic."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass

from triggers.changes import ChangeLog
from triggers.connector.consumer import FunctionConsumer
from triggers.connector.dead_letters import DeadLetters
from triggers.connector.delivery import Delivery
from triggers.connector.gate import Gate
from triggers.connector.pump import Pump
from triggers.connector.trigger import Trigger, TriggerError, read_trigger
from triggers.directory import Directory, Function, Http
from triggers.kafka import Topics, close_quietly, durable_producer
from triggers.metrics import Metrics
from triggers.parts import keep_running
from triggers.tokens import SystemToken

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Running:
    trigger: Trigger
    task: asyncio.Task[None]


class Connector:
    """See the module. ``member`` names this process within each consumer group, and stays the same over restarts."""

    name = "connector"

    def __init__(
        self,
        directory: Directory,
        http: Http,
        token: SystemToken,
        metrics: Metrics,
        *,
        brokers: str,
        member: str,
    ) -> None:
        self._directory = directory
        self._http = http
        self._token = token
        self._metrics = metrics
        self._brokers = brokers
        self._member = member
        self._refusals: dict[str, ChangeLog] = {}

    async def run(self) -> None:
        producer = durable_producer(self._brokers, "clustergenie-dead-letters")
        gate = Gate(self._http, self._metrics)
        topics = Topics(self._brokers)
        running: dict[str, _Running] = {}
        try:
            await producer.start()
            delivery = Delivery(self._http, gate, self._token)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(topics.run())
                tasks.create_task(self._follow(running, topics, delivery, DeadLetters(producer)))
        finally:
            await _stop(running.values())
            await gate.close()
            await close_quietly(producer)

    async def _follow(
        self, running: dict[str, _Running], topics: Topics, delivery: Delivery, parking: DeadLetters
    ) -> None:
        functions: tuple[Function, ...] | None = None
        while True:
            functions = await self._directory.changed(functions)
            wanted = self._triggers(functions)
            topics.want(topic for trigger in wanted.values() for topic in trigger.literal_topics)
            outdated = [key for key, each in running.items() if wanted.get(key) != each.trigger]
            await _stop([running.pop(key) for key in outdated])
            for key in outdated:
                log.info("function %s is not triggered any more as it was", key)
            for key in wanted.keys() - running.keys():
                pump = Pump(wanted[key], delivery, parking, self._metrics)
                running[key] = self._start(wanted[key], pump, topics)

    def _start(self, trigger: Trigger, pump: Pump, topics: Topics) -> _Running:
        log.info("function %s is triggered by %s", trigger.key, ", ".join(trigger.topics))
        consumer = FunctionConsumer(
            trigger, pump, topics, self._metrics, brokers=self._brokers, member=self._member
        )
        return _Running(trigger, asyncio.create_task(keep_running(consumer, self._metrics)))

    def _triggers(self, functions: Iterable[Function]) -> dict[str, Trigger]:
        found = {}
        for function in functions:
            refusals = self._refusals.setdefault(
                f"{function.name}.{function.namespace}", ChangeLog(log, "trigger")
            )
            try:
                trigger = read_trigger(function)
            except TriggerError as error:
                refusals.failed(error)
                continue
            refusals.recovered()
            if trigger is not None:
                found[trigger.key] = trigger
        return found


async def _stop(running: Iterable[_Running]) -> None:
    tasks = [each.task for each in running]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
