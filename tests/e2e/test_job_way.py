"""The whole way of a job, from POST to its log lines, through a running instance."""

from __future__ import annotations

import socket

import pytest

from clustergenie.identity import Role
from tests.e2e.stack import Stack, eventually, is_alive, running_stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def stack():
    with running_stack() as running:
        yield running


def test_a_diagnose_job_completes_with_the_clusters_real_state_its_events_and_its_log_lines(stack: Stack):
    cluster = stack.create_cluster("the-way")
    job = stack.finished(stack.create_job(cluster))
    assert job["status"] == "completed"
    assert "the-way" in str(job["result"])
    assert (job["progress"], job["cluster_id"]) == (100, cluster)
    types = [f"job.{kind}" for kind in ("requested", "started", "completed")]
    path = f"/api/v1/jobs/{job['id']}?include=events,logs,attempts"
    eventually(lambda: set(types) <= {event["type"] for event in stack.get(path)["events"]})
    eventually(
        lambda: {"jobs-create", "job-diagnose"} <= {line["function"] for line in stack.get(path)["logs"]}
    )
    for line in stack.get(path)["logs"]:
        assert line["job_id"] == job["id"]
        assert line["trace_id"] == job["trace_id"]


def test_two_hundred_jobs_in_a_burst_all_complete_with_one_result_each(stack: Stack):
    cluster = stack.create_cluster("burst")
    jobs = [stack.create_job(cluster) for _ in range(200)]
    assert len(set(jobs)) == 200
    assert {stack.finished(job, 120)["status"] for job in jobs} == {"completed"}
    eventually(lambda: _completed_events(stack, jobs) == 200, 60)


def _completed_events(stack: Stack, jobs: list[str]) -> int:
    return sum(
        1 for job in jobs for event in stack.get(f"/api/v1/jobs/{job}/events?page_size=200")["items"]
        if event["type"] == "job.completed"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "role", "status"),
    [
        ("POST", "/api/v1/clusters", b"{not json", Role.ADMIN, 400),
        ("POST", "/api/v1/clusters", {"name": 7, "region": "nyc1"}, Role.ADMIN, 422),
        ("POST", "/api/v1/clusters", {"name": "", "region": "nyc1"}, Role.ADMIN, 422),
        ("POST", "/api/v1/clusters", {"name": "x", "region": "nyc1"}, Role.VIEWER, 403),
        ("POST", "/api/v1/clusters", {"name": "x", "region": "nyc1"}, None, 401),
        ("POST", "/api/v1/clusters", b"x" * 2_000_000, Role.ADMIN, 413),
        ("GET", "/api/v1/clusters/cluster-unknown", None, Role.VIEWER, 404),
        ("DELETE", "/api/v1/clusters/cluster-unknown", None, Role.ADMIN, 404),
        ("POST", "/api/v1/jobs", {"type": "dance", "cluster_id": "x"}, Role.ADMIN, 422),
        ("GET", "/api/v1/jobs/job-unknown", None, Role.VIEWER, 404),
        ("GET", "/api/v1/jobs?page_size=100000", None, Role.VIEWER, 422),
        ("GET", "/api/v1/nothing", None, Role.VIEWER, 404),
        ("POST", "/function/nobody", {}, Role.ADMIN, 404),
        ("POST", "/function/job-diagnose", {}, Role.VIEWER, 403),
    ],
)
def test_what_is_wrong_is_a_problem_document_with_the_right_status(
    stack: Stack, method, path, body, role, status
):
    before = stack.get("/api/v1/clusters")["total"]
    reply = stack.call(method, path, body, role=role)
    assert reply.status == status, reply.body
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.json["status"] == status
    assert reply.json["error"]
    assert reply.json["request_id"]
    assert stack.get("/api/v1/clusters")["total"] == before


def test_a_second_up_keeps_all_data_and_down_leaves_no_process_and_no_port(stack: Stack):
    cluster = stack.create_cluster("kept")
    started = stack.processes()
    assert len(started) > 5
    stack.genie("down")
    assert [pid for pid in started if is_alive(pid)] == []
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", stack.port)) != 0
    stack.genie("up")
    assert stack.get(f"/api/v1/clusters/{cluster}")["cluster"]["name"] == "kept"
    assert stack.finished(stack.create_job(cluster))["status"] == "completed"
