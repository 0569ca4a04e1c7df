"""The replicas of one function: what is desired, what runs, and the steps from one to the other."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

from gateway.contract import FunctionKey
from gateway.providers.base import EndpointListener, ReplicaStatus
from gateway.providers.process.plan import Plan
from gateway.providers.process.replica import Places, Replica, State, describe_exit
from gateway.providers.process.template import Template
from gateway.providers.process.timing import Backoff, Scheduled, Timer

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """Times of a replica's life, in seconds."""

    start_seconds: float = 30.0
    """From the order to ``ready``; a handler that takes longer to import is killed."""
    stop_seconds: float = 10.0
    """From SIGTERM to SIGKILL."""
    stable_seconds: float = 10.0
    """A replica that was ready this long and then died is no crash loop: the backoff begins anew."""


class ReplicaSet:
    """Drives one function towards ``desired`` replicas of its newest plan. All methods run on the event loop."""

    def __init__(
        self,
        key: FunctionKey,
        plan: Plan,
        *,
        listener: EndpointListener,
        places: Places,
        template_of: Callable[[Plan], Template],
        timer: Timer,
        backoff: Backoff,
        limits: Limits,
    ) -> None:
        self.key = key
        self.plan = plan
        self.desired = 0
        self.replicas: dict[str, Replica] = {}
        self._listener = listener
        self._places = places
        self._template_of = template_of
        self._timer = timer
        self._backoff = backoff
        self._limits = limits
        self._held: Scheduled | None = None
        self._restarts = 0
        self._last_error = ""
        self._retiring: set[asyncio.Task[None]] = set()

    def status(self) -> ReplicaStatus:
        return ReplicaStatus(self.desired, self._count(State.READY), self._restarts, self._last_error)

    def pids(self) -> list[int]:
        return [replica.pid for replica in self.replicas.values() if replica.pid is not None]

    def scale(self, desired: int) -> None:
        """Set the count. A raise does not wait for a backoff that is running."""
        if desired > self.desired:
            self._release()
        self.desired = desired
        self.reconcile()

    def update(self, plan: Plan, desired: int) -> None:
        """Replace the replicas by those of ``plan``: new ones are ready before old ones are drained."""
        previous, self.plan = self.plan, plan
        self._backoff.reset()
        self._release()
        self._last_error = ""
        self.desired = desired
        self.reconcile()
        self._discard_unused(previous)

    async def end(self) -> None:
        """Drain and end everything; returns when the last process is gone."""
        self._release()
        self.desired = 0
        self.reconcile()
        while self.replicas:
            await next(iter(self.replicas.values())).ended.wait()
        self.plan.discard()

    def reconcile(self) -> None:
        """One step towards what is desired; called after every change on either side."""
        current = [r for r in self._running() if r.plan is self.plan]
        old = [r for r in self._running() if r.plan is not self.plan]
        for _ in range(self.desired - len(current)):
            if self._held is not None or not self._start():
                break
        for replica in _least_useful_first(current)[: max(0, len(current) - self.desired)]:
            self._retire(replica)
        self._retire_old(old)

    def _retire_old(self, old: list[Replica]) -> None:
        """As many old replicas as the ready new ones make superfluous; those that never got ready at once."""
        ready_new = sum(r.plan is self.plan for r in self._running() if r.state is State.READY)
        superfluous = sum(r.state is State.READY for r in old) + ready_new - self.desired
        for replica in old:
            if replica.state is State.STARTING:
                self._retire(replica)
            elif superfluous > 0:
                superfluous -= 1
                self._retire(replica)

    def _running(self) -> list[Replica]:
        return [r for r in self.replicas.values() if r.state in (State.STARTING, State.READY)]

    def _count(self, state: State) -> int:
        return sum(replica.state is state for replica in self.replicas.values())

    def _start(self) -> bool:
        template = self._template_of(self.plan)
        if not template.is_running:
            # Its return calls reconcile().
            return False
        replica = Replica(self.plan, template, self._places, self)
        self.replicas[replica.name] = replica
        try:
            replica.start()
        except OSError as error:
            replica.error = f"its socket or folders cannot be made: {error}"
            self._over(replica, "could not start")
            return False
        self._timer.after(self._limits.start_seconds, functools.partial(self._start_timed_out, replica))
        return True

    def replica_ready(self, replica: Replica) -> None:
        """The worker serves; a step of a rolling update may be due."""
        replica.state = State.READY
        replica.ready_at = self._timer.now()
        if replica.plan is self.plan:
            self._last_error = ""
        self._listener.ready(self.key, replica.endpoint)
        self.reconcile()

    def _start_timed_out(self, replica: Replica) -> None:
        if replica.state is not State.STARTING:
            return
        seconds = self._limits.start_seconds
        if replica.template.is_loading:
            # Its order waits behind the template's own imports, which have a limit of their own.
            self._timer.after(seconds, functools.partial(self._start_timed_out, replica))
            return
        replica.error = f"the handler was not imported within {seconds:g} s (is it waiting for something?)"
        if replica.pid is None:
            # Not even forked: the template itself hangs.
            replica.template.kill()
        replica.signal(signal.SIGKILL)

    def forked(self, replica: Replica, pid: int) -> None:
        replica.pid = pid

    def exited(self, replica: Replica, status: int) -> None:
        """The worker's process has ended, for whatever reason."""
        self._over(replica, describe_exit(status))

    def template_lost(self, template: Template, error: str) -> None:
        """The template died and took its workers along; not the function's fault, so without backoff."""
        for replica in [r for r in self.replicas.values() if r.template is template]:
            _kill_leftovers(replica)
            if replica.state is State.STARTING and not replica.error:
                self._listener.start_failed(self.key, error)
            self._forget(replica)
            self._last_error = error
        self.reconcile()

    def _over(self, replica: Replica, how: str) -> None:
        state = replica.state
        self._forget(replica)
        if state is State.STARTING:
            self._failed(replica, replica.error or f"{replica.name} {how} before it was ready")
            self._listener.start_failed(self.key, self._last_error)
        elif state is State.READY:
            self._failed(replica, f"{replica.name} {how}")
        self.reconcile()

    def _failed(self, replica: Replica, error: str) -> None:
        _log.warning("%s: %s", self.key, error)
        self._last_error = error
        self._restarts += 1
        if (
            replica.ready_at is not None
            and self._timer.now() - replica.ready_at >= self._limits.stable_seconds
        ):
            self._backoff.reset()
        if self._held is None and replica.plan is self.plan:
            self._held = self._timer.after(self._backoff.next_seconds(), self._resume)

    def _resume(self) -> None:
        self._held = None
        self.reconcile()

    def _release(self) -> None:
        if self._held is not None:
            self._held.cancel()
            self._held = None

    def _forget(self, replica: Replica) -> None:
        del self.replicas[replica.name]
        replica.forget()
        if replica.ready_at is not None:
            self._listener.gone(self.key, replica.endpoint)
        self._discard_unused(replica.plan)

    def _discard_unused(self, plan: Plan) -> None:
        if plan is not self.plan and all(replica.plan is not plan for replica in self.replicas.values()):
            plan.discard()

    def _retire(self, replica: Replica) -> None:
        if replica.state is State.STARTING:
            replica.state = State.STOPPING
            replica.signal(signal.SIGKILL)
            return
        replica.state = State.DRAINING
        task = asyncio.get_running_loop().create_task(self._drain_and_stop(replica))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def _drain_and_stop(self, replica: Replica) -> None:
        await self._listener.drain(self.key, replica.endpoint, replica.plan.drain_seconds)
        if replica.state is State.ENDED:
            return
        replica.state = State.STOPPING
        replica.signal(signal.SIGTERM)
        self._timer.after(self._limits.stop_seconds, functools.partial(self._kill_if_alive, replica))

    def _kill_if_alive(self, replica: Replica) -> None:
        if replica.state is State.ENDED:
            return
        replica.signal(signal.SIGKILL)
        self._timer.after(self._limits.stop_seconds, functools.partial(_end_template_of, replica))


def _end_template_of(replica: Replica) -> None:
    # SIGKILL cannot be ignored: when nothing came of it, the template does not pass signals on.
    if replica.state is not State.ENDED:
        replica.template.kill()


def _least_useful_first(replicas: list[Replica]) -> list[Replica]:
    """Those not ready yet, then the newest."""
    newest_first = replicas[::-1]
    newest_first.sort(key=lambda replica: replica.state is State.READY)
    return newest_first


def _kill_leftovers(replica: Replica) -> None:
    # The worker dies with its template; what it had started itself is in its process group and would stay.
    if replica.pid is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(replica.pid, signal.SIGKILL)
