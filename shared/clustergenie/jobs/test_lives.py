"""Random lives of a job: whatever order workers come, die and finish in, there is one end and it is told once."""

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clustergenie import clusters, db, jobs
from clustergenie.db.tables import outbox as outbox_table
from clustergenie.errors import ConflictError, LeaseHeldError, LeaseLostError
from clustergenie.events import outbox
from clustergenie.jobs import Attempt, CreateJob, JobType

WORKERS = ("w1", "w2", "w3")
steps = st.one_of(
    st.tuples(st.just("claim"), st.sampled_from(WORKERS)),
    st.tuples(st.sampled_from(["heartbeat", "progress", "complete", "fail"]), st.sampled_from(WORKERS)),
    st.tuples(st.just("pass"), st.sampled_from([1, 5, 11])),
    st.tuples(st.just("cancel"), st.none()),
)
FINAL_EVENTS = {"job.completed", "job.failed", "job.cancelled"}


class Life:
    def __init__(self, engine, clock, job):
        self.engine, self.clock, self.job = engine, clock, job
        self.held = {}
        self.results = []

    def do(self, step, argument):
        with contextlib.suppress(LeaseHeldError, LeaseLostError, ConflictError):
            getattr(self, f"_{step}")(argument)

    def _pass(self, seconds):
        self.clock.advance(seconds)

    def _cancel(self, _):
        self.results.append(jobs.cancel(self.engine, self.job.id, "tester", clock=self.clock))

    def _claim(self, worker):
        claimed = jobs.claim(self.engine, self.job.id, worker, lease_seconds=10, clock=self.clock)
        if isinstance(claimed, Attempt):
            self.held[worker] = claimed

    def _heartbeat(self, worker):
        if worker in self.held:
            jobs.heartbeat(self.engine, self.held[worker], lease_seconds=10, clock=self.clock)

    def _progress(self, worker):
        if worker in self.held:
            jobs.progress(self.engine, self.held[worker], 40, "on the way", clock=self.clock)

    def _complete(self, worker):
        if worker in self.held:
            self.results.append(jobs.complete(self.engine, self.held[worker], worker, {}, clock=self.clock))

    def _fail(self, worker):
        if worker in self.held:
            self.results.append(jobs.fail(self.engine, self.held[worker], worker, clock=self.clock))


@pytest.fixture
def cluster(engine, clock, origin):
    return clusters.create(engine, clusters.CreateCluster(name="prod", region="nyc1"), origin, clock=clock)


def assert_consistent(engine, life):
    job = jobs.get(engine, life.job.id)
    attempts = jobs.attempts(engine, job.id)
    with db.reading(engine) as connection:
        events = [row.headers["ce_type"] for row in outbox.oldest(connection, 1000)]
    assert [attempt.number for attempt in attempts] == list(range(1, job.attempts + 1))
    assert sum(attempt.status == "running" for attempt in attempts) == (1 if job.status == "running" else 0)
    assert len(life.results) <= 1
    assert sum(event in FINAL_EVENTS for event in events) == (1 if job.status.is_final else 0)
    assert events.count("job.started") == job.attempts
    if life.results:
        assert job == life.results[0]
    assert (job.completed_at is not None) == job.status.is_final
    assert (job.result is not None) == (job.status == "completed")
    assert (job.error is not None) == (job.status == "failed")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(life_steps=st.lists(steps, max_size=25))
def test_no_sequence_of_events_gives_a_job_two_ends(engine, clock, origin, cluster, life_steps):
    with db.writing(engine) as connection:
        connection.execute(outbox_table.delete())
    job = jobs.create(engine, CreateJob(type=JobType.DIAGNOSE, cluster_id=cluster.id), origin, clock=clock)
    life = Life(engine, clock, job)
    for step, argument in life_steps:
        life.do(step, argument)
    assert_consistent(engine, life)
