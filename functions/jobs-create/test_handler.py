import logging

import pytest

from clustergenie.logs import context


def create(functions, **body):
    return functions("jobs-create", "POST", body={"type": "diagnose", **body})


def test_a_job_is_queued_and_its_worker_asked_for(functions, outbox_events):
    cluster = functions.create_cluster()
    answer = create(functions, cluster_id=cluster["id"], parameters={"depth": "full"})
    job = answer.body["job"]
    assert answer.status == 202
    assert answer.headers["Location"] == f"/api/v1/jobs/{job['id']}"
    assert job["id"].startswith("job-diagnose-")
    assert (job["status"], job["progress"], job["attempts"], job["cluster_id"]) == (
        "queued",
        0,
        0,
        cluster["id"],
    )
    assert job["parameters"] == '{"depth":"full"}'
    assert job["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    event = outbox_events()[-1]
    assert (event.type, event.subject, event.extensions) == (
        "job.requested",
        job["id"],
        {"jobtype": "diagnose"},
    )
    assert event.data["parameters"] == {"depth": "full"}


def test_the_cluster_may_stand_among_the_parameters(functions):
    cluster = functions.create_cluster()
    assert (
        create(functions, parameters={"cluster_id": cluster["id"]}).body["job"]["cluster_id"] == cluster["id"]
    )


def test_lines_logged_from_then_on_carry_the_job(functions, caplog):
    with caplog.at_level(logging.INFO):
        job = functions.create_job(functions.create_cluster()["id"])
    assert context.job_id.get() == job["id"]
    assert context.trace_id.get() == job["trace_id"]
    assert "queued" in caplog.text


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "cluster_id"),
        ({"cluster_id": ""}, "cluster_id"),
        ({"type": "paint"}, "type"),
        ({"type": None}, "type"),
        ({"type": "provision", "cluster_id": "c"}, "type"),
        ({"parameters": {"count": 2}}, "parameters.count"),
        ({"parameters": "x"}, "parameters"),
        ({"cluster_id": "a", "parameters": {"cluster_id": "b"}}, "parameters.cluster_id"),
    ],
)
def test_bad_values_are_named_and_nothing_is_written(functions, outbox_events, body, field):
    answer = create(functions, **body)
    assert answer.status == 422
    assert [each["field"] for each in answer.body["fields"]] == [field]
    assert outbox_events() == []


def test_an_unknown_cluster_is_not_found(functions, outbox_events):
    assert create(functions, cluster_id="cluster-none").status == 404
    assert outbox_events() == []
