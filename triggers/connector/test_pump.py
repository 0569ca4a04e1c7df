import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from aiokafka.errors import KafkaError

from triggers.backoff import Backoff
from triggers.connector.dead_letters import DeadLetters
from triggers.connector.delivery import Attempt, Done, Later, Outcome, Refused
from triggers.connector.filter import Filter
from triggers.connector.pump import HELD_RECORDS, Pump
from triggers.connector.trigger import Trigger
from triggers.metrics import Metrics
from triggers.test_doubles import FakeProducer, FakeRecord, eventually

TRIGGER = Trigger("worker", "openfaas-fn", ("events",), retries=3)
QUICK = Backoff(first_seconds=0.001, ceiling_seconds=0.002, chance=random.Random(1))
SOURCE = ("events", 0)


def failure(status: int = 503) -> Attempt:
    return Attempt(1_700_000_000.0, status, "no")


@dataclass
class Function:
    """Answers calls by a script per offset; without one it is done. ``gate`` holds calls while it is cleared."""

    script: dict[int, list[Outcome]] = field(default_factory=dict)
    calls: list[list[int]] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    running: int = 0
    most: int = 0

    async def call(self, _: Trigger, records: Sequence[FakeRecord]) -> Outcome:
        self.calls.append([record.offset for record in records])
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.gate.wait()
        finally:
            self.running -= 1
        script = next((self.script[each.offset] for each in records if self.script.get(each.offset)), None)
        return script.pop(0) if script else Done()


def pump(
    function: Function, trigger: Trigger = TRIGGER, *, is_open: bool = True
) -> tuple[Pump, FakeProducer, Metrics]:
    if is_open:
        function.gate.set()
    producer, metrics = FakeProducer(), Metrics()
    parking = DeadLetters(producer)  # type: ignore[arg-type]
    return Pump(trigger, function, parking, metrics, QUICK), producer, metrics  # type: ignore[arg-type]


def records(*keys: bytes | None, **more: object) -> list[FakeRecord]:
    return [FakeRecord(offset, key, **more) for offset, key in enumerate(keys)]  # type: ignore[arg-type]


def count(metrics: Metrics, name: str) -> float | None:
    return metrics.registry.get_sample_value(
        f"clustergenie_connector_{name}_total", {"function": TRIGGER.key}
    )


async def test_handled_records_are_counted_and_may_be_committed():
    subject, _, metrics = pump(Function())
    subject.offer(records(b"a", b"b"))
    await eventually(lambda: subject.window.unfinished == 0)
    assert subject.window.commits() == {SOURCE: 2}
    assert count(metrics, "delivered") == 2


async def test_unwanted_records_are_passed_without_a_call():
    function = Function()
    subject, *_ = pump(function, replace(TRIGGER, filter=Filter.parse("type=x")))
    subject.offer(records(None, None))
    assert subject.progress.is_set()
    assert (function.calls, subject.window.commits()) == ([], {SOURCE: 2})


async def test_never_more_calls_at_once_than_the_trigger_allows():
    function = Function()
    subject, *_ = pump(function, replace(TRIGGER, concurrency=3), is_open=False)
    subject.offer(records(*[None] * 10))
    await eventually(lambda: function.running == 3)
    function.gate.set()
    await eventually(lambda: subject.window.unfinished == 0)
    assert function.most == 3


async def test_a_failed_call_is_repeated_and_holds_up_its_key_only():
    function = Function({0: [Later(failure()), Later(failure())]})
    subject, producer, metrics = pump(function)
    subject.offer(records(b"x", b"x", b"y"))
    await eventually(lambda: subject.window.unfinished == 0)
    assert function.calls == [[0], [2], [0], [0], [1]]
    assert (producer.sent, count(metrics, "retried")) == ([], 2)


async def test_used_up_retries_end_in_the_dead_letters_with_every_attempt():
    subject, producer, metrics = pump(Function({0: [Later(failure())] * 4}))
    subject.offer(records(b"key", value=b"payload", headers=[("ce_id", b"1")]))
    await eventually(lambda: subject.window.unfinished == 0)
    ((topic, value, key, headers),) = producer.sent
    assert (topic, value, key, headers["ce_id"]) == ("events.dlq", b"payload", b"key", b"1")
    assert (headers["dlq_function"], headers["dlq_topic"]) == (b"worker.openfaas-fn", b"events")
    assert (headers["dlq_partition"], headers["dlq_offset"], headers["dlq_key"]) == (b"0", b"0", b"key")
    assert headers["dlq_attempt_count"] == b"4"
    assert headers["dlq_attempts"].count(b'{"at":"2023-11-14T22:13:20.000Z","status":503,"error":"no"}') == 4
    assert (count(metrics, "dead_lettered"), subject.window.commits()) == (1, {SOURCE: 1})


async def test_a_refused_record_is_parked_at_once():
    function = Function({0: [Refused(failure(422))]})
    subject, producer, _ = pump(function)
    subject.offer(records(b"a", b"a"))
    await eventually(lambda: subject.window.unfinished == 0)
    assert function.calls == [[0], [1]]
    assert len(producer.sent) == 1


async def test_being_told_when_to_come_uses_up_no_retries():
    patient = Later(failure(429), after_seconds=0.0, counts=False)
    subject, producer, _ = pump(Function({0: [patient] * 10}))
    subject.offer(records(None))
    await eventually(lambda: subject.window.unfinished == 0)
    assert producer.sent == []


async def test_a_dead_letter_kafka_has_not_taken_is_not_committed():
    subject, producer, _ = pump(Function({0: [Refused(failure(400))]}))
    producer.outage = KafkaError("away")
    subject.offer(records(None))
    await eventually(lambda: subject._parking_changes.is_failing)
    assert subject.window.commits() == {}
    producer.outage = None
    await eventually(lambda: subject.window.commits() == {SOURCE: 1})


async def test_of_a_batch_only_the_record_that_spoils_it_is_parked():
    function = Function({1: [Refused(failure(400)), Refused(failure(400))]})
    subject, producer, _ = pump(function, replace(TRIGGER, batch=3))
    subject.offer(records(b"k", b"k", b"k"))
    await eventually(lambda: subject.window.unfinished == 0)
    assert function.calls == [[0, 1, 2], [0], [1], [2]]
    assert [headers["dlq_offset"] for *_, headers in producer.sent] == [b"1"]


async def test_a_saturated_function_has_no_room_until_records_finish():
    function = Function()
    subject, *_ = pump(function, is_open=False)
    subject.offer(records(*[None] * HELD_RECORDS))
    assert not subject._room.is_set()
    function.gate.set()
    async with asyncio.timeout(5):
        await subject.room()


async def test_draining_lets_calls_end_and_begins_no_more():
    function = Function()
    subject, *_ = pump(function, replace(TRIGGER, concurrency=1), is_open=False)
    subject.offer(records(None, None))
    await eventually(lambda: function.running == 1)
    draining = asyncio.create_task(subject.drain(5))
    await asyncio.sleep(0)
    function.gate.set()
    await draining
    assert (function.calls, subject.window.commits()) == ([[0]], {SOURCE: 1})


async def test_a_call_that_outlasts_the_drain_is_given_up_and_comes_again():
    function = Function()
    subject, *_ = pump(function, is_open=False)
    subject.offer(records(None))
    await subject.drain(0.01)
    subject.reset()
    assert (subject.window.commits(), subject.window.in_flight, function.running) == ({}, 0, 0)
    function.gate.set()
    subject.offer(records(None))
    await eventually(lambda: subject.window.commits() == {SOURCE: 1})


async def test_a_fault_of_ours_in_a_call_is_a_retry_like_any_other():
    class Broken(Function):
        async def call(self, trigger: Trigger, records: Sequence[FakeRecord]) -> Outcome:
            if not self.calls:
                self.calls.append([0])
                raise ZeroDivisionError
            return await super().call(trigger, records)

    subject, *_ = pump(Broken())
    subject.offer(records(None))
    await eventually(lambda: subject.window.unfinished == 0)
