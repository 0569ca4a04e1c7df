"""What every worker function does around its work: claim, keep the lease alive, finish."""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from clustergenie.clock import Clock, system_clock
from clustergenie.db import is_outage
from clustergenie.errors import DomainError, LeaseLostError, UnavailableError
from clustergenie.jobs import _leases
from clustergenie.jobs._record import Attempt, Job
from clustergenie.jobs._store import get

_UNFORESEEN = "the worker met an error nobody foresaw; the job's log lines say what"
#: Heartbeats per lease: two may get lost.
_BEATS_PER_LEASE = 3

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What the work found or did: a sentence, and the same for programs."""

    result: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """A claimed job, as its work sees it."""

    job: Job
    attempt: Attempt
    engine: Engine
    clock: Clock
    lease_seconds: float

    def progress(self, percent: int, message: str) -> None:
        """Tell how far it is; raises LeaseLostError when the work is no longer wanted."""
        _leases.progress(
            self.engine, self.attempt, percent, message, lease_seconds=self.lease_seconds, clock=self.clock
        )
        _log.info("%s (%d %%)", message, percent)


def perform(
    engine: Engine,
    job_id: str,
    work: Callable[[Run], Outcome],
    *,
    worker: str,
    clock: Clock = system_clock,
    lease_seconds: float = _leases.LEASE_SECONDS,
) -> Job:
    """Do ``work`` unless the job is finished already; the job as it is then.

    An error of the domain, or one nobody foresaw, ends the job as failed. An outage is raised, so that the event comes
    again. Raises LeaseHeldError, LeaseLostError and NotFoundError as the steps do.
    """
    claimed = _leases.claim(engine, job_id, worker, lease_seconds=lease_seconds, clock=clock)
    if isinstance(claimed, Job):
        _log.info("nothing to do: the job is %s already", claimed.status)
        return claimed
    run = Run(get(engine, job_id), claimed, engine, clock, lease_seconds)
    _log.info("attempt %d of the %s job begins", claimed.number, run.job.type)
    with _heartbeats(run):
        outcome = _outcome(work, run)
    if isinstance(outcome, str):
        _log.error("the job failed: %s", outcome)
        return _leases.fail(engine, claimed, outcome, clock=clock)
    finished = _leases.complete(engine, claimed, outcome.result, outcome.data, clock=clock)
    _log.info("the job is completed: %s", outcome.result)
    return finished


def _outcome(work: Callable[[Run], Outcome], run: Run) -> Outcome | str:
    try:
        return work(run)
    except (LeaseLostError, UnavailableError):
        raise
    except DomainError as error:
        return str(error)
    except Exception as error:
        if is_outage(error):
            raise
        _log.exception("the work raised")
        return _UNFORESEEN


@contextmanager
def _heartbeats(run: Run) -> Iterator[None]:
    stop = threading.Event()
    # Its log lines belong to the job too.
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(_beat, run, stop), name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _beat(run: Run, stop: threading.Event) -> None:
    while not stop.wait(run.lease_seconds / _BEATS_PER_LEASE):
        try:
            _leases.heartbeat(run.engine, run.attempt, lease_seconds=run.lease_seconds, clock=run.clock)
        except LeaseLostError as error:
            _log.warning("%s", error)
            return
        except Exception as error:  # noqa: BLE001  (the next beat may succeed; the lease says when it is too late)
            _log.warning("a heartbeat failed: %s", error)
