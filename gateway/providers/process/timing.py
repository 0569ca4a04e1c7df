"""Clock, timers and backoff, as parameters: tests move them by hand."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Protocol


class Scheduled(Protocol):
    def cancel(self) -> None: ...


class Timer(Protocol):
    """Monotonic seconds, and callbacks in so many seconds."""

    def now(self) -> float: ...

    def after(self, seconds: float, callback: Callable[[], None]) -> Scheduled: ...


class LoopTimer:
    """The running event loop's clock."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def after(self, seconds: float, callback: Callable[[], None]) -> Scheduled:
        return asyncio.get_running_loop().call_later(seconds, callback)


class Backoff:
    """Waiting times that double from ``base_seconds`` to ``cap_seconds``, each shortened by up to half at random."""

    def __init__(self, base_seconds: float, cap_seconds: float, randomness: random.Random) -> None:
        self._base = base_seconds
        self._cap = cap_seconds
        self._random = randomness
        self._failures = 0

    def next_seconds(self) -> float:
        """How long to wait after one more failure."""
        # The exponent is bounded so that a function that fails for a year does not overflow a float.
        full = min(self._cap, self._base * 2.0 ** min(self._failures, 32))
        self._failures += 1
        return full * (1.0 - self._random.random() / 2.0)

    def reset(self) -> None:
        self._failures = 0
