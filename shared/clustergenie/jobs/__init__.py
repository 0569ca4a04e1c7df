"""Jobs: work done in the background, exactly one result each however often its worker dies.

queued → running → completed | failed | cancelled. Work is done in attempts, which hold a lease; whoever lost the lease
can no longer write.
"""

from clustergenie.jobs._leases import (
    LEASE_SECONDS,
    MAX_ATTEMPTS,
    cancel,
    claim,
    complete,
    fail,
    heartbeat,
    progress,
)
from clustergenie.jobs._record import Attempt, Job
from clustergenie.jobs._requests import CreateJob, GetJob, ListJobs
from clustergenie.jobs._states import TRANSITIONS, JobStatus, JobType
from clustergenie.jobs._store import DEPLOYED_TYPES, attempts, create, find, get
from clustergenie.jobs._worker import Outcome, Run, perform

__all__ = [
    "DEPLOYED_TYPES", "LEASE_SECONDS", "MAX_ATTEMPTS", "TRANSITIONS", "Attempt", "CreateJob", "GetJob", "Job",
    "JobStatus", "JobType", "ListJobs", "Outcome", "Run", "attempts", "cancel", "claim", "complete", "create",
    "fail", "find", "get", "heartbeat", "perform", "progress",
]  # fmt: skip
