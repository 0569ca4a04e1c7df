"""Wake-up calls over Redis. They only save time: everything they announce is also found by looking."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from clustergenie.events import OUTBOX_CHANNEL

#: The gateway publishes here when functions were deployed, updated or removed.
FUNCTIONS_CHANNEL = "clustergenie:functions"
__all__ = ["FUNCTIONS_CHANNEL", "OUTBOX_CHANNEL", "Wakeups"]


class Wakeups:
    """A part of the process: sets the event that belongs to a channel when something is published on it.

    After (re)connecting every event is set, because nobody knows what was published meanwhile.
    """

    name = "wake-ups"

    def __init__(self, redis_url: str, events: Mapping[str, asyncio.Event]) -> None:
        self._url = redis_url
        self._events = {channel.encode(): event for channel, event in events.items()}

    async def run(self) -> None:
        """Raises RedisError when the connection ends."""
        # Without retries of its own: a connection made again in silence would miss what was published meanwhile.
        once = Retry(NoBackoff(), 0)
        async with Redis.from_url(self._url, retry=once) as redis, redis.pubsub() as subscriber:
            await subscriber.subscribe(*self._events)
            for event in self._events.values():
                event.set()
            async for message in subscriber.listen():
                if message["channel"] in self._events:
                    self._events[message["channel"]].set()
