"""The ready replicas of one function, and the requests that wait for the first of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Protocol

from gateway.providers.base import Endpoint
from gateway.wire.upstream import ConnectionPool


class Waiter(Protocol):
    """A request without a replica."""

    def replica_ready(self, target: Target) -> None: ...

    def no_replica(self, error: str) -> None: ...


class Target:
    """One ready replica with the gateway's connections to it."""

    __slots__ = ("_empty", "draining", "endpoint", "in_flight", "pool")

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.pool = ConnectionPool(endpoint.address)
        self.in_flight = 0
        self.draining = False
        self._empty: asyncio.Event | None = None

    def done(self) -> None:
        """One request less in flight."""
        self.in_flight -= 1
        if self.in_flight == 0 and self._empty is not None:
            self._empty.set()

    async def emptied(self, timeout_seconds: float) -> None:
        """Returns when nothing is in flight, or after the timeout."""
        if self.in_flight == 0:
            return
        self._empty = asyncio.Event()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), timeout_seconds)


class Balancer:
    """Chooses the replica with the fewest requests in flight; equals take turns."""

    __slots__ = ("_targets", "_waiting")

    def __init__(self) -> None:
        self._targets: list[Target] = []
        self._waiting: dict[Waiter, None] = {}

    def choose(self) -> Target | None:
        """A replica to send to, or None when there is none: then :meth:`wait`."""
        best = None
        for target in self._targets:
            if not target.draining and (best is None or target.in_flight < best.in_flight):
                best = target
        if best is not None and len(self._targets) > 1:
            # To the end of the line, so that replicas with equal load take turns.
            self._targets.remove(best)
            self._targets.append(best)
        return best

    @property
    def in_flight(self) -> int:
        """Requests at replicas and requests waiting for one."""
        return sum(target.in_flight for target in self._targets) + len(self._waiting)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def wait(self, waiter: Waiter) -> None:
        self._waiting[waiter] = None

    def leave(self, waiter: Waiter) -> None:
        """The waiter's client hung up or its deadline passed."""
        self._waiting.pop(waiter, None)

    def add(self, endpoint: Endpoint) -> None:
        target = Target(endpoint)
        self._targets.append(target)
        self._release(lambda waiter: waiter.replica_ready(self.choose() or target))

    def fail_waiting(self, error: str) -> None:
        self._release(lambda waiter: waiter.no_replica(error))

    async def drain(self, endpoint: Endpoint, timeout_seconds: float) -> None:
        """Choose it no more; returns when its requests in flight are answered, or after the timeout."""
        for target in self._of(endpoint):
            target.draining = True
            await target.emptied(timeout_seconds)

    def remove(self, endpoint: Endpoint) -> None:
        """It is dead: its connections close, and requests in flight on them fail."""
        for target in self._of(endpoint):
            self._targets.remove(target)
            target.pool.close()

    def close_idle(self, older_than: float) -> None:
        for target in self._targets:
            target.pool.close_idle(older_than)

    def _of(self, endpoint: Endpoint) -> list[Target]:
        return [target for target in self._targets if target.endpoint.replica == endpoint.replica]

    def _release(self, tell: Callable[[Waiter], None]) -> None:
        waiting, self._waiting = self._waiting, {}
        for waiter in waiting:
            tell(waiter)
