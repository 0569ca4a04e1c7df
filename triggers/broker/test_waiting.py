from __future__ import annotations

import asyncio
from collections.abc import Callable

from triggers.broker.waiting import until


class _Log:
    def __init__(self) -> None:
        self.watchers: set[Callable[[], None]] = set()

    def wake(self) -> None:
        for watcher in tuple(self.watchers):
            watcher()


async def test_what_is_true_already_is_not_waited_for():
    assert await until(lambda: True, (), 0)
    assert not await until(lambda: False, (), 0)


async def test_waiting_ends_with_the_wake_up_that_makes_it_true():
    log, state = _Log(), {"ready": False}
    waiting = asyncio.create_task(until(lambda: state["ready"], (log,), 30))
    await asyncio.sleep(0)
    log.wake()
    await asyncio.sleep(0)
    assert not waiting.done()
    state["ready"] = True
    log.wake()
    assert await waiting


async def test_nothing_is_left_behind_after_a_timeout_or_a_cancellation():
    log = _Log()
    assert not await until(lambda: False, (log,), 0.001)
    waiting = asyncio.create_task(until(lambda: False, (log,), None))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert log.watchers == set()
