"""kill -9 of every process, alone and in the middle of work: recovery without a person, nothing lost."""

from __future__ import annotations

import pytest

from tests.e2e.stack import Stack, eventually, running_stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def stack():
    with running_stack() as running:
        yield running


@pytest.mark.parametrize("component", ["gateway", "triggers", "broker", "redis", "supervisor"])
def test_after_kill_9_of_a_component_the_next_job_completes(stack: Stack, component: str):
    cluster = stack.create_cluster(f"kill-{component}")
    old = stack.pid(component)
    stack.kill(old)
    eventually(lambda: stack.pid(component) != old, 60)
    eventually(lambda: stack.call("GET", "/readyz").status == 200, 60)
    assert stack.finished(stack.create_job(cluster), 60)["status"] == "completed"


@pytest.mark.parametrize("victim", ["template", "worker"])
def test_after_kill_9_of_a_child_of_the_gateway_the_next_job_completes(stack: Stack, victim: str):
    cluster = stack.create_cluster(f"kill-{victim}")
    eventually(lambda: stack.worker("job-diagnose"))
    stack.kill(stack.template() if victim == "template" else stack.worker("job-diagnose"))
    # A request may be in flight on a dying worker, and is then answered 502; the next one is served.
    job = eventually(lambda: stack.create_job(cluster))
    assert stack.finished(job, 60)["status"] == "completed"


def test_no_job_of_a_burst_is_lost_when_worker_connector_and_broker_are_killed_in_the_middle(stack: Stack):
    cluster = stack.create_cluster("burst")
    jobs = []
    for number in range(200):
        jobs.append(stack.create_job(cluster))
        if number == 50:
            stack.kill(stack.worker("job-diagnose"))
        if number == 100:
            stack.kill(stack.pid("triggers"))
        if number == 150:
            stack.kill(stack.pid("broker"))
    finished = [stack.finished(job, 200) for job in jobs]
    assert {job["status"] for job in finished} == {"completed"}
    assert all(job["result"] for job in finished)
