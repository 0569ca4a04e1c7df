"""Parts of the process: each runs by itself, and its failure is its own."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from aiokafka.errors import KafkaError
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from gateway.wire.errors import WireError
from triggers.backoff import Backoff
from triggers.changes import ChangeLog
from triggers.metrics import Metrics

#: A part that ran this long is well: its next failure is a new one, in seconds.
STABLE_SECONDS = 5.0
#: What fails when something outside is away, as opposed to a fault of ours.
OUTAGES = (OSError, KafkaError, RedisError, SQLAlchemyError, WireError, TimeoutError)
_RESTARTS = Backoff(first_seconds=0.1, ceiling_seconds=2.0)

log = logging.getLogger(__name__)


class Part(Protocol):
    """Something that runs until it is cancelled, then finishes what it has begun, within seconds."""

    @property
    def name(self) -> str: ...

    async def run(self) -> None:
        """Work. An exception means: start me again; nothing may be lost by that."""


async def keep_running(part: Part, metrics: Metrics, restarts: Backoff = _RESTARTS) -> None:
    """Run ``part`` until cancelled, again and again, with growing pauses while it keeps failing."""
    loop = asyncio.get_running_loop()
    changes = ChangeLog(log, part.name)
    failures = 0
    while True:
        began = loop.time()
        well = loop.call_later(STABLE_SECONDS, changes.recovered)
        try:
            await part.run()
            _note(changes, RuntimeError("ended without being told to"))
        except Exception as error:  # noqa: BLE001 - whatever ends a part, the others go on
            _note(changes, error)
        finally:
            well.cancel()
        failures = 1 if loop.time() - began >= STABLE_SECONDS else failures + 1
        metrics.restarts.labels(part.name).inc()
        await asyncio.sleep(restarts.delay(failures))


def _note(changes: ChangeLog, error: Exception) -> None:
    # A task group wraps what ended it; the log should name the cause.
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    changes.failed(error, unexpected=not isinstance(error, OUTAGES))
