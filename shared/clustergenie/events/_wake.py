"""The relay's wake-up call over Redis. Losing one costs a sweep interval (1 s), never an event."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import redis

#: Longest a request waits for Redis, in seconds.
TIMEOUT_SECONDS = 0.1
#: After a failure Redis is left alone for this long, so that its absence does not slow every request.
PAUSE_SECONDS = 1.0

_log = logging.getLogger(__name__)


class Wake:
    """Publishes on :data:`clustergenie.events.OUTBOX_CHANNEL`. Connects at first use; safe for several threads."""

    def __init__(self, redis_url: str, *, now: Callable[[], float] = time.monotonic) -> None:
        self._url = redis_url
        self._now = now
        self._quiet_until = float("-inf")

    def publish(self) -> None:
        """Tell the relay that there are rows. Never raises: a failure is logged."""
        from redis.exceptions import RedisError  # noqa: PLC0415  (0.1 s that only writers need pay)

        if self._now() < self._quiet_until:
            return
        try:
            self._client.publish("clustergenie:outbox", "1")
        except (RedisError, OSError) as error:
            self._quiet_until = self._now() + PAUSE_SECONDS
            _log.warning("the outbox relay was not woken, it will find the event itself: %s", error)

    @cached_property
    def _client(self) -> redis.Redis:
        from redis import Redis  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415

        # One more try at once, for a connection the server closed while it was idle.
        return Redis.from_url(
            self._url,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 1),
        )
