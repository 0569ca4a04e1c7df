"""Wake-up calls over a real Redis."""

import asyncio
from contextlib import suppress

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from triggers.metrics import Metrics
from triggers.parts import keep_running
from triggers.wakeups import Wakeups

pytestmark = [pytest.mark.slow]


async def test_connecting_and_publishing_set_the_event_of_the_channel_alone(valkey_url, eventually):
    first, second = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(Wakeups(valkey_url, {"first": first, "second": second}).run())
    await eventually(lambda: first.is_set() and second.is_set())
    first.clear()
    second.clear()
    async with Redis.from_url(valkey_url) as redis:
        await redis.publish("second", "1")
    await eventually(second.is_set)
    assert not first.is_set()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_lost_connection_ends_the_run_and_the_next_one_wakes_everybody(valkey_url, eventually):
    event = asyncio.Event()
    subject = Wakeups(valkey_url, {"channel": event})
    task = asyncio.create_task(subject.run())
    await eventually(event.is_set)
    async with Redis.from_url(valkey_url) as redis:
        await redis.client_kill_filter(_type="pubsub")
        with pytest.raises(RedisError):
            await asyncio.wait_for(task, 10)
        event.clear()
        kept = asyncio.create_task(keep_running(subject, Metrics()))
        await eventually(event.is_set)
    kept.cancel()
    with suppress(asyncio.CancelledError):
        await kept
