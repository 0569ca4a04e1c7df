"""``genie up``: start what is missing, in order, each part ready before what needs it, then hand over to the supervisor.

Safe to run again at any moment, also after it was killed half-way: whatever holds its lock is taken as it is.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from clustergenie import credentials
from clustergenie.settings import DEFAULT_NAMESPACE, Home, Settings
from genie import ports
from genie.client import SystemApi
from genie.console import Console, Step
from genie.errors import GenieError, StartError
from genie.instance_env import substitutions
from genie.parts import Part, Parts, arrange
from genie.stack import reader
from genie.stack.model import Stack
from genie.supervisor import logfiles
from genie.supervisor.ending import OPERATOR_LOCK, end_components, end_supervisors, leftovers
from genie.supervisor.locks import LockFile
from genie.supervisor.plan import Plan
from genie.supervisor.processes import wait_until_free
from genie.supervisor.twins import primary_lock, twin

if TYPE_CHECKING:
    from genie.stack.delivery import Failure

#: Time for one part to become ready, and for all functions to have a replica, in seconds.
READY_SECONDS = 60.0
#: How long to wait for another ``genie up`` or ``down`` of this home, in seconds.
_OPERATOR_SECONDS = 120.0
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.005, 0.1
_LOG_LINES_SHOWN = 12
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@contextmanager
def operating(home: Home, console: Console) -> Iterator[None]:
    """One ``up`` or ``down`` at a time."""
    lock = LockFile(home.run / OPERATOR_LOCK)
    descriptor = lock.take()
    if descriptor is None:
        pid = lock.holder()
        console.line(f"waiting for another genie up or down (pid {pid})")
        if pid is not None and not wait_until_free(lock, pid, _OPERATOR_SECONDS):
            raise GenieError(f"genie (pid {pid}) is still at work on {home.root}; wait for it, or end it")
        descriptor = lock.wait()
    os.write(descriptor, b"%d\n" % os.getpid())
    try:
        yield
    finally:
        os.close(descriptor)


class Bringup:
    """One run of ``genie up``, deploying the stack.yml of ``folder``."""

    def __init__(
        self,
        settings: Settings,
        console: Console,
        folder: Path,
        arrange: Callable[[Settings], Parts] = arrange,
    ) -> None:
        self._arrange = arrange
        self._settings = settings
        self._folder = folder
        self._home = settings.home
        self._console = console

    def run(self) -> bool:
        """Bring everything up; False when it ran already. Raises :class:`GenieError` saying what is in the way."""
        _refuse_open_door(self._settings)
        self._home.create()
        credentials.ensure(self._home)
        stack = self._read_stack()  # a mistake in it is told before anything is started
        with operating(self._home, self._console):
            parts = self._arrange(self._settings)
            self._settle_with_the_past(parts)
            running = primary_lock(self._home).is_held()
            failures = self._refresh(parts, stack) if running else self._start_or_undo(parts, stack)
        if failures:
            raise FunctionsFailedError(failures)
        return not running

    def _read_stack(self) -> Stack | None:
        path = reader.find(self._folder)
        return None if path is None else reader.read(path, substitutions(self._settings))

    def _settle_with_the_past(self, parts: Parts) -> None:
        found = Plan.read(self._home)
        if found == parts.plan():
            return
        if found is not None and primary_lock(self._home).is_held():
            raise GenieError(
                f"this home runs with other settings at {found.gateway_url}; run: genie down, then genie up"
            )
        stale = [component.name for component in leftovers(self._home)]
        if stale:
            self._console.line(f"  ending what an earlier run left behind: {', '.join(stale)}")
            Plan.remove(self._home)
            end_supervisors(self._home)
            end_components(self._home, found, lambda _: None)

    def _start_or_undo(self, parts: Parts, stack: Stack | None) -> list[str]:
        self._refuse_taken_port(parts)
        parts.plan().write(self._home)
        try:
            return self._start_all(parts, stack)
        except BaseException:
            Plan.remove(self._home)
            end_supervisors(self._home)
            end_components(self._home, parts.plan(), lambda _: None)
            raise

    def _refuse_taken_port(self, parts: Parts) -> None:
        host, port = self._settings.host, self._settings.port
        if parts.gateway.component.lock(self._home).is_held() or ports.is_free(host, port):
            return
        who = ports.holder(port)
        by = f"taken by {who}" if who else "taken, or not allowed to this user"
        raise GenieError(f"port {port} is {by}; choose another one: GENIE_PORT={port + 1} genie up")

    def _start_all(self, parts: Parts, stack: Stack | None) -> list[str]:
        for part in parts.stores:
            part.component.ensure(self._home)
        with self._console.step("database"):
            _migrate(parts.database_url)
        for part in parts.stores:
            self._bring(part)
        self._clear_sockets(parts)
        self._bring(parts.gateway)
        failures = self._deliver(parts, stack)
        self._bring(parts.triggers)
        with self._console.step("supervisor") as step:
            _await(self._is_supervised, lambda: None, step, "the supervisor")
        return failures

    def _is_supervised(self) -> bool:
        twin(self._home).ensure(self._home)
        return primary_lock(self._home).is_held()

    def _refresh(self, parts: Parts, stack: Stack | None) -> list[str]:
        """Everything runs under a supervisor: wait for what it may be restarting, then deploy what changed."""
        for part in (*parts.stores, parts.gateway, parts.triggers):
            if not part.is_ready():
                with self._console.step(part.name) as step:
                    _await(part.is_ready, lambda: None, step, f"{part.name} (being restarted)")
        return self._deliver(parts, stack)

    def _bring(self, part: Part) -> None:
        with self._console.step(part.name) as step:
            part.component.ensure(self._home)
            lock = part.component.lock(self._home)

            def died() -> str | None:
                return None if lock.is_held() else self._post_mortem(part)

            _await(part.is_ready, died, step, part.name)

    def _post_mortem(self, part: Part) -> str:
        log = part.component.log(self._home)
        said = "\n    ".join(logfiles.tail(log, _LOG_LINES_SHOWN))
        remedy = part.remedy or f"see {log}, then run: genie doctor"
        return f"{part.name} ended while starting; {remedy}. Its last lines:\n    {said}"

    def _clear_sockets(self, parts: Parts) -> None:
        # Left by a gateway that was killed; nobody listens there any more.
        if parts.gateway.component.lock(self._home).is_held():
            return
        for path in self._home.sockets.iterdir():
            if stat.S_ISSOCK(path.lstat().st_mode):
                path.unlink()

    def _deliver(self, parts: Parts, stack: Stack | None) -> list[str]:
        """Secrets, build, deploy, wait. What is wrong with a function does not keep the instance from running."""
        with SystemApi(parts.gateway_url, self._home) as api, self._console.step("functions") as step:
            _hand_over_secrets(api, parts, self._home)
            if stack is None:
                step.note = "no stack.yml here"
                return []
            failures = _build_and_deploy(stack, api, self._home, step)
            lagging = _await_functions(api, step, {failure.name for failure in failures})
            step.note = f"{len(stack.functions) - len(failures)} deployed"
            return [f"{failure.name}: {failure.reason}" for failure in failures] + lagging


class FunctionsFailedError(GenieError):
    """Everything of the instance runs; the text has a line for each function that does not."""

    def __init__(self, failures: list[str]) -> None:
        listed = "\n  ".join(failures)
        super().__init__(
            f"the instance runs, but not all functions do; mend them, then run: genie up\n  {listed}"
        )


def _build_and_deploy(stack: Stack, api: SystemApi, home: Home, step: Step) -> list[Failure]:
    from genie.stack import delivery  # noqa: PLC0415 - the gateway's image store, not needed to come this far

    functions = list(stack.functions.values())

    def told(name: str) -> None:
        step.note = name
        step.tick()

    unbuilt = delivery.build_all(stack, functions, home, told)
    broken = {failure.name for failure in unbuilt}
    refused = delivery.deploy_all(
        [function for function in functions if function.name not in broken], api, told
    )
    return [*unbuilt, *refused]


def _await_functions(api: SystemApi, step: Step, ignored: set[str]) -> list[str]:
    from genie.stack.delivery import not_ready  # noqa: PLC0415 - see above

    deadline, wait = time.monotonic() + READY_SECONDS, _FIRST_WAIT_SECONDS
    while (names := [name for name in not_ready(api) if name not in ignored]) and time.monotonic() < deadline:
        step.note = f"waiting for {', '.join(names[:3])}"
        step.tick()
        time.sleep(wait)
        wait = min(wait * 1.5, _LONGEST_WAIT_SECONDS)
    return [f"{name}: no replica became ready; see: genie logs {name}" for name in names]


def _hand_over_secrets(api: SystemApi, parts: Parts, home: Home) -> None:
    values = {
        "database-url": parts.database_url,
        "redis-url": parts.redis_url,
        "identity-key": credentials.read(home, credentials.IDENTITY_KEY),
    }
    for name, value in values.items():
        api.put_secret(name, value, DEFAULT_NAMESPACE)


def _migrate(database_url: str) -> None:
    from sqlalchemy.engine import make_url  # noqa: PLC0415
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - half a second; only up needs it

    from clustergenie.db import MigrationError, migrate  # noqa: PLC0415

    try:
        migrate(database_url)
    except MigrationError as error:
        raise StartError(str(error)) from error
    except SQLAlchemyError as error:
        shown = make_url(database_url).render_as_string(hide_password=True)
        reason = str(error).splitlines()[0]
        raise StartError(f"the database {shown} cannot be used: {reason}; check DATABASE_URL") from error


def _await(ready: Callable[[], bool], died: Callable[[], str | None], step: Step, name: str) -> None:
    deadline, wait = time.monotonic() + READY_SECONDS, _FIRST_WAIT_SECONDS
    while not ready():
        cause = died()
        if cause is not None:
            raise StartError(cause)
        if time.monotonic() > deadline:
            raise StartError(
                f"{name} was not ready in {READY_SECONDS:.0f} s; see: genie logs {name.split(maxsplit=1)[0]}"
            )
        step.tick()
        time.sleep(wait)
        wait = min(wait * 1.5, _LONGEST_WAIT_SECONDS)


def _refuse_open_door(settings: Settings) -> None:
    if not settings.auth and settings.host not in _LOOPBACK:
        raise GenieError(
            f"--no-auth is for this machine only, but GENIE_HOST={settings.host} opens it to others; drop one of them"
        )
