"""Events on their way from a topic to a function, with processes that die on the way."""

import asyncio
import json
import signal
from collections import defaultdict

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def events(count: int, keys: int = 5) -> list[tuple[bytes, bytes, dict[str, str]]]:
    return [
        (b"key-%d" % (number % keys), b'{"number": %d}' % number, {"ce_type": "made"})
        for number in range(count)
    ]


def numbers(calls) -> list[int]:
    return [json.loads(body)["number"] for _, _, body in calls]


def first_deliveries(calls) -> dict[str, list[int]]:
    """Numbers per key in the order in which each was first seen."""
    seen: dict[str, list[int]] = defaultdict(list)
    for _, headers, body in calls:
        number = json.loads(body)["number"]
        if number not in seen[headers["x-kafka-key"]]:
            seen[headers["x-kafka-key"]].append(number)
    return seen


async def test_wanted_events_reach_their_function_in_order_per_key(
    kafka, gateway, triggers, eventually, unique
):
    gateway.functions = {f"f-{unique}": {"topic": f"t-{unique}", "trigger.filter": "type=made"}}
    await triggers.start()
    await kafka.produce(f"t-{unique}", [*events(200), (None, b"{}", {"ce_type": "other"})])
    await eventually(lambda: len(gateway.calls) >= 200)
    assert sorted(numbers(gateway.calls)) == list(range(200))
    assert all(each == sorted(each) for each in first_deliveries(gateway.calls).values())
    _, headers, _ = gateway.calls[0]
    assert (headers["ce-type"], headers["x-topic"]) == ("made", f"t-{unique}")
    assert headers["authorization"].startswith("Bearer ")
    assert await triggers.end() == 0


async def test_after_a_clean_stop_nothing_comes_twice(kafka, gateway, triggers, eventually, unique):
    gateway.functions = {f"f-{unique}": {"topic": f"t-{unique}"}}
    await triggers.start()
    await kafka.produce(f"t-{unique}", events(50))
    await eventually(lambda: len(gateway.calls) == 50)
    assert await triggers.end() == 0
    await kafka.produce(f"t-{unique}", [(b"last", b'{"number": 50}', {})])
    await triggers.start()
    await eventually(lambda: 50 in numbers(gateway.calls))
    assert numbers(gateway.calls).count(50) == 1
    assert len(gateway.calls) == 51


async def test_a_connector_killed_again_and_again_loses_nothing_and_keeps_the_order_per_key(
    kafka, gateway, triggers, eventually, unique
):
    total = 3000
    gateway.functions = {f"f-{unique}": {"topic": f"t-{unique}", "trigger.concurrency": "16"}}
    await kafka.produce(f"t-{unique}", events(total, keys=40))
    for share in (0.2, 0.4, 0.6):
        await triggers.start()
        await eventually(lambda share=share: len(set(numbers(gateway.calls))) > total * share, 30)
        await triggers.end(signal.SIGKILL)
    await triggers.start()
    await eventually(lambda: len(set(numbers(gateway.calls))) == total, 30)
    assert all(each == sorted(each) for each in first_deliveries(gateway.calls).values())
    # Twice come only records that finished since the last commit before a kill: a window's worth each at most.
    assert len(gateway.calls) - total <= 3 * 1500


async def test_what_a_function_refuses_lies_in_the_dead_letters_with_its_story(
    kafka, gateway, triggers, eventually, unique
):
    gateway.functions = {f"f-{unique}": {"topic": f"t-{unique}"}, f"all-{unique}": {"topic": f"t-{unique}*"}}
    gateway.answer = lambda name, _, body: (422 if name == f"f-{unique}" and b": 3}" in body else 200, "")
    await triggers.start()
    await kafka.produce(f"t-{unique}", events(10))
    async with kafka.reading(f"t-{unique}.dlq") as parked, asyncio.timeout(30):
        letter = await parked.getone()
    headers = dict(letter.headers)
    assert (letter.key, letter.value) == (b"key-3", b'{"number": 3}')
    assert headers["dlq_function"].decode() == f"f-{unique}.openfaas-fn"
    assert headers["dlq_topic"].decode() == f"t-{unique}"
    assert (headers["ce_type"], headers["dlq_key"]) == (b"made", b"key-3")
    assert [attempt["status"] for attempt in json.loads(headers["dlq_attempts"])] == [422]
    await eventually(lambda: len(gateway.calls_of(f"f-{unique}")) == 10)
    # The pattern t-…* fits the dead letter topic's name, yet its letter is not delivered again.
    await kafka.produce(f"t-{unique}", [(b"key-1", b'{"number": 10}', {})])
    await eventually(lambda: len(gateway.calls_of(f"all-{unique}")) == 11)
    assert {headers["x-topic"] for _, headers, _ in gateway.calls_of(f"all-{unique}")} == {f"t-{unique}"}


async def test_a_gateway_that_is_down_is_waited_for_without_using_up_retries(
    kafka, gateway, triggers, eventually, unique
):
    gateway.functions = {f"f-{unique}": {"topic": f"t-{unique}", "trigger.retries": "0"}}
    await triggers.start()
    await kafka.produce(f"t-{unique}", events(1))
    await eventually(lambda: len(gateway.calls) == 1)
    await gateway.stop()
    await kafka.produce(f"t-{unique}", events(20))
    await eventually(lambda: "the gateway: " in triggers.log)
    await gateway.start()
    await eventually(lambda: len(gateway.calls) >= 21)
    assert triggers.log.count("the gateway: ") == 2  # away, and back
    assert "parked" not in triggers.log


async def test_a_failing_record_holds_up_its_key_alone(kafka, gateway, triggers, eventually, unique):
    gateway.functions = {f"f-{unique}": {"topic": f"t-{unique}"}}
    gateway.answer = lambda _, headers, __: (
        503 if headers["x-kafka-key"] == "key-0" else 200,
        "Retry-After: 1\r\n",
    )
    await triggers.start()
    await kafka.produce(f"t-{unique}", events(50))
    await eventually(lambda: len({n for n in numbers(gateway.calls) if n % 5}) == 40)
    assert {number for number in numbers(gateway.calls) if number % 5 == 0} == {0}


async def test_a_deployed_function_is_triggered_and_a_removed_one_is_not(
    kafka, gateway, triggers, eventually, unique
):
    await triggers.start()
    await kafka.produce(f"t-{unique}", events(5))
    gateway.functions = {f"f-{unique}": {"topic": f"t-{unique}"}}
    await eventually(lambda: len(gateway.calls) == 5)
    gateway.functions = {}
    listed = "is triggered by"
    assert listed in triggers.log
    await eventually(lambda: "is not triggered any more" in triggers.log)
    await kafka.produce(f"t-{unique}", events(5))
    gateway.functions = {f"g-{unique}": {"topic": f"t-{unique}"}}
    await eventually(lambda: len(gateway.calls_of(f"g-{unique}")) == 10)
    assert len(gateway.calls_of(f"f-{unique}")) == 5
