"""What can go wrong in the domain, whoever asked. No HTTP here: ``clustergenie.http.problems`` maps each to a status.

::

    DomainError
    ├── InvalidError        the caller sent a value that is not accepted        (the caller can fix it)
    ├── NotFoundError       there is no such thing                              (the caller)
    ├── ConflictError       the thing is in a state that does not allow it      (the caller, by changing the state)
    │   ├── LeaseHeldError  another worker is at it; try again after some time  (time)
    │   └── LeaseLostError  another worker has taken over; stop                 (nobody: let it go)
    ├── StaleError          it was changed since the caller read it             (the caller, by reading again)
    └── UnavailableError    something we depend on does not answer              (the operator)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FieldProblem:
    """One value that is not accepted: ``field`` is its dotted path, ``message`` what is accepted."""

    field: str
    message: str


class DomainError(Exception):
    """Base of all; its text is written for the person who called."""


class InvalidError(DomainError):
    """One or more values are not accepted; :attr:`fields` names each."""

    def __init__(self, *fields: FieldProblem) -> None:
        super().__init__("; ".join(f"{problem.field}: {problem.message}" for problem in fields))
        self.fields: Sequence[FieldProblem] = fields


class NotFoundError(DomainError):
    """``NotFoundError("cluster", "cluster-1")`` reads "there is no cluster cluster-1"."""

    def __init__(self, kind: str, key: str) -> None:
        super().__init__(f"there is no {kind} {key}")
        self.kind = kind
        self.key = key


class ConflictError(DomainError):
    """The state of the thing does not allow it; the text says which state and what would help."""


class LeaseHeldError(ConflictError):
    """Another worker holds the job; ask again after :attr:`retry_after_seconds`."""

    def __init__(self, job_id: str, holder: str, remaining_seconds: float) -> None:
        self.retry_after_seconds = max(1, math.ceil(remaining_seconds))
        super().__init__(
            f"{job_id} is being worked on by {holder}; its lease ends in {self.retry_after_seconds} s"
        )


class LeaseLostError(ConflictError):
    """This attempt no longer owns its job (another took over, or the job was cancelled): nothing was written."""

    def __init__(self, job_id: str, number: int) -> None:
        super().__init__(f"attempt {number} no longer owns {job_id}; its outcome was not recorded")


class StaleError(DomainError):
    """The thing was changed since the caller read it."""


class UnavailableError(DomainError):
    """``dependency`` (database, log store, …) does not answer; the text says what to check."""

    def __init__(self, dependency: str, reason: str, *, retry_after_seconds: int = 1) -> None:
        super().__init__(f"the {dependency} is not available: {reason}")
        self.dependency = dependency
        self.retry_after_seconds = retry_after_seconds
