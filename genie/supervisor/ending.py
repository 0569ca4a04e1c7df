"""Ending everything of one home, with or without a living supervisor."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from clustergenie.settings import Home
from genie.supervisor.component import DEFAULT_DRAIN_SECONDS, Component
from genie.supervisor.locks import LockFile
from genie.supervisor.plan import Plan
from genie.supervisor.processes import end
from genie.supervisor.twins import primary_lock, twin

#: The lock of ``genie up`` and ``genie down`` themselves.
OPERATOR_LOCK = "operator.lock"
_SUPERVISOR_DRAIN_SECONDS = 5.0


def end_supervisors(home: Home) -> bool:
    """End both twins; True when one was there. The plan must be gone, or they come back."""
    ended = False
    standby = twin(home).lock(home)
    while primary_lock(home).is_held() or standby.is_held():
        end(primary_lock(home), _SUPERVISOR_DRAIN_SECONDS)
        end(standby, _SUPERVISOR_DRAIN_SECONDS)
        ended = True
    return ended


def end_components(home: Home, plan: Plan | None, told: Callable[[str], None]) -> None:
    """End what runs, last started first; then what other plans left behind, found by the lock files."""
    for component in reversed(plan.components if plan else ()):
        _end(home, component, told)
    for component in leftovers(home):
        _end(home, component, told)


def leftovers(home: Home) -> Iterator[Component]:
    """Whatever holds a lock of this home now."""
    for path in sorted(home.run.glob("*.lock")):
        if path.name != OPERATOR_LOCK and LockFile(path).is_held():
            yield Component(name=path.stem, argv=(), drain_seconds=DEFAULT_DRAIN_SECONDS)


def _end(home: Home, component: Component, told: Callable[[str], None]) -> None:
    if end(component.lock(home), component.drain_seconds):
        told(component.name)
