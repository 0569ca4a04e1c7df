"""Backoff, and what the clock decides about restarts."""

import heapq
import itertools
import random
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from gateway.contract import FunctionDeployment
from gateway.providers.process import replica_set
from gateway.providers.process.replica_set import Limits, ReplicaSet
from gateway.providers.process.timing import Backoff


class HandTimer:
    """A clock that a test moves."""

    def __init__(self):
        self._now = 0.0
        self._due = []
        self._order = itertools.count()

    def now(self):
        return self._now

    def after(self, seconds, callback):
        entry = SimpleNamespace(cancelled=False)
        entry.cancel = lambda: setattr(entry, "cancelled", True)
        heapq.heappush(self._due, (self._now + seconds, next(self._order), entry, callback))
        return entry

    def advance(self, seconds):
        end = self._now + seconds
        while self._due and self._due[0][0] <= end:
            self._now, _, entry, callback = heapq.heappop(self._due)
            if not entry.cancelled:
                callback()
        self._now = end


@given(st.integers(0, 2**32), st.integers(1, 200))
def test_waits_double_up_to_the_cap_and_jitter_takes_at_most_half(seed, failures):
    backoff = Backoff(0.1, 30.0, random.Random(seed))
    for number in range(failures):
        full = min(30.0, 0.1 * 2**number)
        assert full / 2 <= backoff.next_seconds() <= full
    backoff.reset()
    assert backoff.next_seconds() <= 0.1


class PaperReplica:
    """A replica without a process; the test says what becomes of it."""

    made = None

    def __init__(self, plan, template, *_):
        self.made.append(self)
        self.name = f"r{len(self.made)}"
        self.plan, self.template, self.endpoint = plan, template, self.name
        self.state, self.pid, self.ready_at, self.error = replica_set.State.STARTING, 1, None, ""

    def start(self):
        pass

    def signal(self, number):
        pass

    def forget(self):
        self.state = replica_set.State.ENDED


def paper_set(monkeypatch, timer):
    monkeypatch.setattr(replica_set, "Replica", PaperReplica)
    PaperReplica.made = []
    nothing = lambda *_: None  # noqa: E731 - a listener that does not care
    deployment = FunctionDeployment(service="f", image="f")
    plan = SimpleNamespace(deployment=deployment, discard=nothing)
    return ReplicaSet(
        deployment.key,
        plan,
        listener=SimpleNamespace(ready=nothing, gone=nothing, start_failed=nothing),
        places=None,
        template_of=lambda _: SimpleNamespace(is_running=True),
        timer=timer,
        backoff=Backoff(1.0, 30.0, SimpleNamespace(random=lambda: 0.0)),
        limits=Limits(stable_seconds=10.0),
    )


def test_a_crash_loop_slows_down_and_a_stable_replica_resets_it(monkeypatch):
    timer = HandTimer()
    replicas = paper_set(monkeypatch, timer)
    replicas.scale(1)
    for wait in (1.0, 2.0, 4.0):
        made = len(PaperReplica.made)
        replicas.exited(PaperReplica.made[-1], 1)
        timer.advance(wait - 0.01)
        assert len(PaperReplica.made) == made
        timer.advance(0.02)
        assert len(PaperReplica.made) == made + 1
    replicas.replica_ready(PaperReplica.made[-1])
    timer.advance(10.0)
    replicas.exited(PaperReplica.made[-1], 1)
    timer.advance(1.0)
    assert len(PaperReplica.made) == 5
    assert replicas.status().restarts == 4


def test_waking_a_function_does_not_wait_for_its_backoff(monkeypatch):
    timer = HandTimer()
    replicas = paper_set(monkeypatch, timer)
    replicas.scale(1)
    replicas.exited(PaperReplica.made[-1], 1)
    replicas.scale(0)
    replicas.scale(1)
    assert len(PaperReplica.made) == 2


def test_a_lost_template_is_not_the_functions_failure(monkeypatch):
    timer = HandTimer()
    replicas = paper_set(monkeypatch, timer)
    replicas.scale(1)
    (first,) = PaperReplica.made
    first.pid = None
    replicas.replica_ready(first)
    replicas.template_lost(first.template, "the template process ended")
    assert len(PaperReplica.made) == 2
    assert replicas.status().restarts == 0
