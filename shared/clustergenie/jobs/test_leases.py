import threading

import pytest

from clustergenie import clusters, db, jobs
from clustergenie.db.tables import outbox as outbox_table
from clustergenie.errors import ConflictError, LeaseHeldError, LeaseLostError, NotFoundError
from clustergenie.events import outbox
from clustergenie.jobs import Attempt, CreateJob, Job, JobType


@pytest.fixture
def job(engine, clock, origin):
    cluster = clusters.create(engine, clusters.CreateCluster(name="prod", region="nyc1"), origin, clock=clock)
    job = jobs.create(engine, CreateJob(type=JobType.DIAGNOSE, cluster_id=cluster.id), origin, clock=clock)
    with db.writing(engine) as connection:
        connection.execute(outbox_table.delete())
    return job


def told(engine):
    """Types of the events that were stored."""
    with db.reading(engine) as connection:
        return [row.headers["ce_type"] for row in outbox.oldest(connection, 1000)]


def states(engine, job):
    return [attempt.status for attempt in jobs.attempts(engine, job.id)]


def test_a_claim_starts_the_job_and_tells_it(engine, clock, job):
    attempt = jobs.claim(engine, job.id, "w1", clock=clock)
    assert isinstance(attempt, Attempt)
    assert attempt.number == 1
    running = jobs.get(engine, job.id)
    assert (running.status, running.attempts, running.started_at) == ("running", 1, clock())
    assert told(engine) == ["job.started"]


def test_a_second_claim_is_told_how_long_to_wait(engine, clock, job):
    jobs.claim(engine, job.id, "w1", lease_seconds=10, clock=clock)
    clock.advance(7.5)
    with pytest.raises(LeaseHeldError) as caught:
        jobs.claim(engine, job.id, "w2", clock=clock)
    assert caught.value.retry_after_seconds == 3
    assert states(engine, job) == ["running"]


def test_after_the_lease_another_takes_over_and_the_first_can_write_no_more(engine, clock, job):
    first = jobs.claim(engine, job.id, "w1", lease_seconds=10, clock=clock)
    clock.advance(10)
    second = jobs.claim(engine, job.id, "w2", clock=clock)
    assert (second.number, states(engine, job)) == (2, ["lost", "running"])
    for late in (
        lambda: jobs.heartbeat(engine, first, clock=clock),
        lambda: jobs.progress(engine, first, 50, "half", clock=clock),
        lambda: jobs.complete(engine, first, "mine", {}, clock=clock),
        lambda: jobs.fail(engine, first, "mine", clock=clock),
    ):
        with pytest.raises(LeaseLostError):
            late()
    assert jobs.complete(engine, second, "theirs", {}, clock=clock).result == "theirs"
    assert told(engine) == ["job.started", "job.started", "job.completed"]


def test_a_heartbeat_prolongs_the_lease(engine, clock, job):
    attempt = jobs.claim(engine, job.id, "w1", lease_seconds=10, clock=clock)
    clock.advance(9)
    jobs.heartbeat(engine, attempt, lease_seconds=10, clock=clock)
    clock.advance(9)
    with pytest.raises(LeaseHeldError):
        jobs.claim(engine, job.id, "w2", clock=clock)


def test_a_late_worker_that_nobody_replaced_may_still_finish(engine, clock, job):
    attempt = jobs.claim(engine, job.id, "w1", lease_seconds=10, clock=clock)
    clock.advance(60)
    assert jobs.complete(engine, attempt, "late", {}, clock=clock).status == "completed"


def test_progress_is_told_and_never_goes_back(engine, clock, job):
    attempt = jobs.claim(engine, job.id, "w1", clock=clock)
    jobs.progress(engine, attempt, 60, "most", clock=clock)
    jobs.progress(engine, attempt, 30, "less", clock=clock)
    assert jobs.get(engine, job.id).progress == 60
    assert told(engine) == ["job.started", "job.progress", "job.progress"]


def test_a_completed_job_carries_its_result(engine, clock, job):
    attempt = jobs.claim(engine, job.id, "w1", clock=clock)
    clock.advance(1)
    done = jobs.complete(engine, attempt, "all is well", {"count": 2}, clock=clock)
    assert (done.status, done.progress, done.result, done.result_data) == (
        "completed",
        100,
        "all is well",
        {"count": 2},
    )
    assert done.completed_at == clock()
    assert states(engine, job) == ["completed"]


def test_a_failed_job_carries_its_error_and_stays_failed(engine, clock, job):
    attempt = jobs.claim(engine, job.id, "w1", clock=clock)
    failed = jobs.fail(engine, attempt, "no room", clock=clock)
    assert (failed.status, failed.error, failed.progress) == ("failed", "no room", 0)
    with pytest.raises(LeaseLostError):
        jobs.complete(engine, attempt, "after all", {}, clock=clock)
    assert jobs.get(engine, job.id) == failed
    assert told(engine) == ["job.started", "job.failed"]


def test_a_claim_of_a_finished_job_answers_the_job(engine, clock, job):
    attempt = jobs.claim(engine, job.id, "w1", clock=clock)
    done = jobs.complete(engine, attempt, "done", {}, clock=clock)
    assert jobs.claim(engine, job.id, "w2", clock=clock) == done


def test_a_job_that_kills_its_workers_is_given_up(engine, clock, job):
    for _ in range(jobs.MAX_ATTEMPTS):
        jobs.claim(engine, job.id, "w", lease_seconds=1, clock=clock)
        clock.advance(1)
    given_up = jobs.claim(engine, job.id, "w", clock=clock)
    assert isinstance(given_up, Job)
    assert given_up.status == "failed"
    assert "5 attempts" in given_up.error
    assert told(engine)[-1] == "job.failed"
    assert set(states(engine, job)) == {"lost"}


def test_a_queued_job_can_be_cancelled_and_is_then_never_run(engine, clock, job):
    cancelled = jobs.cancel(engine, job.id, "tester", clock=clock)
    assert (cancelled.status, cancelled.completed_at) == ("cancelled", clock())
    assert jobs.claim(engine, job.id, "w1", clock=clock) == cancelled
    assert told(engine) == ["job.cancelled"]


def test_the_worker_of_a_cancelled_job_finds_its_lease_lost(engine, clock, job):
    attempt = jobs.claim(engine, job.id, "w1", clock=clock)
    jobs.cancel(engine, job.id, "tester", clock=clock)
    with pytest.raises(LeaseLostError):
        jobs.complete(engine, attempt, "done", {}, clock=clock)
    assert states(engine, job) == ["cancelled"]


def test_a_finished_job_cannot_be_cancelled(engine, clock, job):
    jobs.complete(engine, jobs.claim(engine, job.id, "w1", clock=clock), "done", {}, clock=clock)
    with pytest.raises(ConflictError, match="is completed and cannot become cancelled"):
        jobs.cancel(engine, job.id, "tester", clock=clock)


def test_an_unknown_job_cannot_be_claimed(engine):
    with pytest.raises(NotFoundError):
        jobs.claim(engine, "job-none", "w1")


def test_of_many_workers_that_claim_at_once_exactly_one_gets_it(engine, clock, job):
    outcomes = []
    gate = threading.Barrier(5)

    def compete(name):
        gate.wait()
        try:
            outcomes.append(jobs.claim(engine, job.id, name, clock=clock))
        except LeaseHeldError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=compete, args=(f"w{number}",)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(isinstance(outcome, Attempt) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, LeaseHeldError) for outcome in outcomes) == 4
    assert told(engine) == ["job.started"]
