import logging
import multiprocessing
import os
import signal
import threading
import time

import pytest

from clustergenie import clusters, db, jobs
from clustergenie.errors import ConflictError, LeaseHeldError, LeaseLostError, UnavailableError
from clustergenie.jobs import CreateJob, JobType, Outcome
from clustergenie.logs import context, scope


@pytest.fixture
def job(engine, origin):
    cluster = clusters.create(engine, clusters.CreateCluster(name="prod", region="nyc1"), origin)
    return jobs.create(engine, CreateJob(type=JobType.DIAGNOSE, cluster_id=cluster.id), origin)


def well(_run):
    return Outcome("done", {})


def test_work_that_ends_well_completes_the_job(engine, job):
    assert jobs.perform(engine, job.id, well, worker="w").result == "done"


def test_a_finished_job_is_not_worked_on_again(engine, job):
    calls = []
    done = jobs.perform(engine, job.id, well, worker="w")
    assert jobs.perform(engine, job.id, calls.append, worker="w") == done
    assert calls == []


def test_an_error_of_the_domain_becomes_the_jobs_error(engine, job):
    def work(_run):
        raise ConflictError("the cluster is full")

    failed = jobs.perform(engine, job.id, work, worker="w")
    assert (failed.status, failed.error) == ("failed", "the cluster is full")


def test_an_error_nobody_foresaw_fails_the_job_and_is_only_logged(engine, job, caplog):
    def work(_run):
        raise RuntimeError("secret detail")

    failed = jobs.perform(engine, job.id, work, worker="w")
    assert failed.status == "failed"
    assert "secret" not in failed.error
    assert "secret detail" in caplog.text


def test_an_outage_leaves_the_job_to_the_next_delivery(engine, job):
    def work(_run):
        raise UnavailableError("provider", "it is away")

    with pytest.raises(UnavailableError):
        jobs.perform(engine, job.id, work, worker="w")
    assert jobs.get(engine, job.id).status == "running"


def test_work_that_is_cancelled_meanwhile_writes_nothing(engine, job):
    def work(run):
        jobs.cancel(engine, run.job.id, "tester")
        return Outcome("done", {})

    with pytest.raises(LeaseLostError):
        jobs.perform(engine, job.id, work, worker="w")
    assert jobs.get(engine, job.id).status == "cancelled"


def test_a_heartbeat_keeps_the_lease_while_the_work_takes_longer(engine, job):
    def work(run):
        first = jobs.attempts(engine, job.id)[0].lease_until
        wait_for(lambda: jobs.attempts(engine, job.id)[0].lease_until > first)
        with pytest.raises(LeaseHeldError):
            jobs.claim(engine, run.job.id, "another")
        return Outcome("done", {})

    assert jobs.perform(engine, job.id, work, worker="w", lease_seconds=0.6).status == "completed"
    assert all(thread.name != "heartbeat" for thread in threading.enumerate())


def test_lines_of_the_work_and_of_its_heartbeat_carry_the_job(engine, job, caplog):
    seen = []

    class Listener(logging.Handler):
        def emit(self, record):
            seen.append((record.getMessage(), context.job_id.get()))

    def work(run):
        jobs.cancel(engine, run.job.id, "tester")
        wait_for(lambda: any("no longer owns" in message for message, _ in seen))
        return Outcome("done", {})

    logger = logging.getLogger("clustergenie.jobs")
    logger.addHandler(listener := Listener())
    with caplog.at_level(logging.INFO), scope(job_id=job.id), pytest.raises(LeaseLostError):
        jobs.perform(engine, job.id, work, worker="w", lease_seconds=0.3)
    logger.removeHandler(listener)
    assert {job_id for _, job_id in seen} == {job.id}


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        threading.Event().wait(0.01)


def _work_in_another_process(url, job_id, started):
    engine = db.connect(url)

    def work(_run):
        started.set()
        signal.pause()

    jobs.perform(engine, job_id, work, worker=f"pid {os.getpid()}", lease_seconds=0.5)


def test_the_job_of_a_killed_worker_is_taken_up_again(engine, database_url, job):
    context = multiprocessing.get_context("fork")
    started = context.Event()
    process = context.Process(target=_work_in_another_process, args=(database_url, job.id, started))
    process.start()
    assert started.wait(20)
    os.kill(process.pid, signal.SIGKILL)
    process.join(20)

    def take_over():
        try:
            return jobs.perform(engine, job.id, well, worker="w2")
        except LeaseHeldError:
            return None

    wait_for(lambda: take_over() is not None)
    assert jobs.get(engine, job.id).status == "completed"
    assert [attempt.status for attempt in jobs.attempts(engine, job.id)] == ["lost", "completed"]


def _claim_all(url, job_ids, worker, won):
    engine = db.connect(url)
    for job_id in job_ids:
        try:
            claimed = jobs.claim(engine, job_id, worker)
        except LeaseHeldError:
            continue
        if isinstance(claimed, jobs.Attempt):
            won.put(job_id)
    won.put(None)


def test_competing_processes_share_jobs_without_doubles(engine, database_url, origin, job):
    ids = [
        jobs.create(engine, CreateJob(type=JobType.DIAGNOSE, cluster_id=job.cluster_id), origin).id
        for _ in range(15)
    ]
    engine.dispose()
    context = multiprocessing.get_context("fork")
    won = context.Queue()
    processes = [
        context.Process(target=_claim_all, args=(database_url, ids, f"w{number}", won)) for number in range(3)
    ]
    for process in processes:
        process.start()
    seen, ended = [], 0
    while ended < len(processes):
        value = won.get(timeout=60)
        ended += value is None
        seen += [value] if value else []
    for process in processes:
        process.join(20)
    assert sorted(seen) == sorted(ids)
