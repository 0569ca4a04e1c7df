import json

import pytest


def run(functions, outbox_events):
    """A diagnosed cluster, its events delivered."""
    job = functions.create_job(functions.create_cluster()["id"])
    functions.deliver("job-diagnose", outbox_events()[-1])
    for event in outbox_events():
        functions.deliver("event-handler", event)
    return job


def test_a_finished_job_is_shown_with_all_that_belongs_to_it(functions, outbox_events):
    job = run(functions, outbox_events)
    line = {"ts": "2100-01-01T00:00:00.000Z", "level": "info", "msg": "looking", "job_id": job["id"]}
    deliver_line(functions, json.dumps(line))
    answer = functions("jobs-get", path=f"/{job['id']}", include="events,logs,attempts")
    assert answer.status == 200
    assert answer.body["job"]["status"] == "completed"
    assert "prod" in answer.body["job"]["result"]
    assert [event["type"] for event in answer.body["events"]] == [
        "job.requested", "job.started", "job.progress", "job.completed"
    ]  # fmt: skip
    assert [line["msg"] for line in answer.body["logs"]] == ["looking"]
    assert [(each["number"], each["status"]) for each in answer.body["attempts"]] == [(1, "completed")]


def deliver_line(functions, line):
    record = {
        "topic": "logs.job-diagnose",
        "partition": 0,
        "offset": 1,
        "key": None,
        "timestamp_ms": 4_102_444_800_000,
        "headers": {},
    }
    functions("log-enricher", "POST", body=json.dumps(record | {"value": line}).encode())


def test_by_itself_it_is_just_the_job(functions):
    job = functions.create_job(functions.create_cluster()["id"])
    answer = functions("jobs-get", path=f"/{job['id']}")
    assert set(answer.body) == {"job", "message"}
    assert answer.body["job"] == job


def test_an_unknown_id_is_not_found(functions):
    assert functions("jobs-get", path="/job-none").status == 404


@pytest.mark.parametrize("include", ["secrets", "events,secrets"])
def test_what_cannot_be_included_is_refused(functions, include):
    assert functions("jobs-get", path="/job-1", include=include).status == 422
