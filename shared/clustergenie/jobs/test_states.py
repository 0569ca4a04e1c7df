import itertools

import pytest

from clustergenie.db import tables
from clustergenie.errors import ConflictError
from clustergenie.jobs import JobStatus, JobType
from clustergenie.jobs._states import check

ALLOWED = {
    ("queued", "running"), ("queued", "cancelled"), ("running", "running"), ("running", "completed"),
    ("running", "failed"), ("running", "cancelled"),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after"), list(itertools.product(JobStatus, JobStatus)), ids=str)
def test_only_the_listed_changes_of_state_may_happen(before, after):
    if (before, after) in ALLOWED:
        check("job-1", before, after)
        return
    with pytest.raises(ConflictError, match=f"job-1 is {before} and cannot become {after}"):
        check("job-1", before, after)


def test_final_states_are_those_nothing_follows():
    assert {status for status in JobStatus if status.is_final} == {"completed", "failed", "cancelled"}


def test_the_database_knows_the_same_words():
    assert set(tables.JOB_STATUSES) == set(JobStatus)
    assert set(tables.JOB_TYPES) == set(JobType)
