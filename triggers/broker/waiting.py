"""Waiting for logs to reach a state, without polling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Protocol


class Watched(Protocol):
    """A log or journal that calls its watchers after every sync."""

    @property
    def watchers(self) -> set[Callable[[], None]]: ...


async def until(ready: Callable[[], bool], logs: Collection[Watched], timeout_seconds: float | None) -> bool:
    """Return as soon as ``ready()`` is true, asked again after every sync of one of ``logs``; False after the timeout (None: never)."""
    if ready():
        return True
    if timeout_seconds is not None and timeout_seconds <= 0:
        return False
    woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def look() -> None:
        if not woken.done() and ready():
            woken.set_result(None)

    for log in logs:
        log.watchers.add(look)
    try:
        done, _ = await asyncio.wait((woken,), timeout=timeout_seconds)
        return bool(done)
    finally:
        for log in logs:
            log.watchers.discard(look)
