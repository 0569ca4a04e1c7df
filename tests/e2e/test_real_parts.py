"""The way of a job on MariaDB and redis-server from Debian instead of the embedded parts."""

from __future__ import annotations

import importlib
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.stack import Stack, eventually, running_stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

#: What replaces which embedded part: variable, module below tests.integration, and its context manager.
_PARTS = {
    "mariadb+redis": [("DATABASE_URL", "mariadb", "mariadb"), ("REDIS_URL", "redis_server", "redis_server")],
}


@pytest.fixture(scope="module", params=list(_PARTS))
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    with ExitStack() as parts:
        env = {}
        for variable, module, name in _PARTS[request.param]:
            part = importlib.import_module(f"tests.integration.{module}")
            if (reason := part.available()) is not None:
                pytest.skip(reason)
            folder: Path = tmp_path_factory.mktemp(name)
            env[variable] = parts.enter_context(getattr(part, name)(folder))
        yield parts.enter_context(running_stack(**env))


def test_jobs_complete_with_their_events_and_log_lines(stack: Stack):
    cluster = stack.create_cluster("real-parts")
    jobs = [stack.create_job(cluster) for _ in range(20)]
    assert {stack.finished(job, 90)["status"] for job in jobs} == {"completed"}
    path = f"/api/v1/jobs/{jobs[0]}?include=events,logs"
    eventually(lambda: "job.completed" in {event["type"] for event in stack.get(path)["events"]}, 60)
    eventually(lambda: "job-diagnose" in {line["function"] for line in stack.get(path)["logs"]}, 60)


def test_a_killed_gateway_and_killed_triggers_lose_no_job(stack: Stack):
    cluster = stack.create_cluster("real-kills")
    jobs = [stack.create_job(cluster) for _ in range(10)]
    stack.kill(stack.pid("triggers"))
    stack.kill(stack.pid("gateway"))
    eventually(lambda: stack.call("GET", "/readyz").status == 200, 60)
    assert {stack.finished(job, 90)["status"] for job in jobs} == {"completed"}
