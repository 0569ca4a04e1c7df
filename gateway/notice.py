"""Tells the connector that functions changed, so that a new trigger works at once instead of after its next look."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from redis.asyncio import Redis
from redis.exceptions import RedisError

#: Redis channel the connector listens on; must match ``triggers.wakeups.FUNCTIONS_CHANNEL``.
CHANNEL = "clustergenie:functions"
#: A notice that takes longer is given up: the connector looks by itself every few seconds, in seconds.
_TIMEOUT_SECONDS = 1.0

_log = logging.getLogger(__name__)


class ChangeNotice:
    """Publishes one message per burst of changes. Losing one costs a few seconds, so errors are only logged."""

    def __init__(self, redis_url: str | None) -> None:
        self._redis = (
            Redis.from_url(
                redis_url, socket_connect_timeout=_TIMEOUT_SECONDS, socket_timeout=_TIMEOUT_SECONDS
            )
            if redis_url
            else None
        )
        self._sending: asyncio.Task[None] | None = None
        self._again = False

    def changed(self) -> None:
        """Called on the event loop after every deploy, update and removal; returns at once."""
        if self._redis is None:
            return
        if self._sending is not None and not self._sending.done():
            self._again = True
            return
        self._sending = asyncio.get_running_loop().create_task(self._send(self._redis))

    async def _send(self, redis: Redis) -> None:
        self._again = True
        while self._again:
            self._again = False
            try:
                await redis.publish(CHANNEL, "1")
            except (RedisError, OSError) as error:
                _log.warning(
                    "cannot tell the connector about changed functions: %s; it finds out by itself", error
                )
                return

    async def close(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sending
        if self._redis is not None:
            await self._redis.aclose()
