from clustergenie import clusters, db
from clustergenie.db.tables import metrics
from clustergenie.identity import Role


def requested(outbox_events):
    return next(event for event in outbox_events() if event.type == "job.requested")


def test_the_result_names_the_real_state_of_the_cluster(functions, outbox_events):
    cluster = functions.create_cluster()
    functions("clusters-update", "PUT", f"/{cluster['id']}", {"status": "critical"})
    with db.writing(functions.engine) as connection:
        now = clusters.load(connection, cluster["id"]).last_checked
        row = {
            "id": "m",
            "cluster_id": cluster["id"],
            "type": "memory",
            "value": 97.5,
            "unit": "%",
            "timestamp": now,
        }
        connection.execute(metrics.insert(), row)
    job = functions.create_job(cluster["id"])
    answer = functions.deliver("job-diagnose", requested(outbox_events))
    assert (answer.status, answer.body["status"]) == (200, "completed")
    done = functions("jobs-get", path=f"/{job['id']}").body["job"]
    assert done["progress"] == 100
    assert "critical" in done["result"]
    assert "nyc1" in done["result"]
    assert done["result_data"]["status"] == done["result_data"]["assessment"] == "critical"
    assert any("97.5%" in line for line in done["result_data"]["evidence"])


def test_a_second_delivery_changes_nothing(functions, outbox_events):
    job = functions.create_job(functions.create_cluster()["id"])
    event = requested(outbox_events)
    functions.deliver("job-diagnose", event)
    before, told = functions("jobs-get", path=f"/{job['id']}").body, outbox_events()
    assert functions.deliver("job-diagnose", event).status == 200
    assert functions("jobs-get", path=f"/{job['id']}").body == before
    assert outbox_events() == told


def test_while_another_worker_is_at_it_the_connector_is_told_when_to_come_again(functions, outbox_events):
    from clustergenie import jobs  # noqa: PLC0415

    job = functions.create_job(functions.create_cluster()["id"])
    jobs.claim(functions.engine, job["id"], "another")
    answer = functions.deliver("job-diagnose", requested(outbox_events))
    assert answer.status == 409
    assert 1 <= int(answer.headers["Retry-After"]) <= 10
    assert "another" in answer.body["detail"]


def test_a_job_that_was_deleted_with_its_cluster_is_let_go(functions, outbox_events):
    cluster = functions.create_cluster()
    functions.create_job(cluster["id"])
    event = requested(outbox_events)
    functions("clusters-delete", "DELETE", f"/{cluster['id']}", force="true")
    answer = functions.deliver("job-diagnose", event)
    assert (answer.status, answer.body["status"]) == (200, "deleted")


def test_what_is_no_event_is_parked(functions):
    assert functions("job-diagnose", "POST", body={"x": 1}).status == 400


def test_only_an_admin_or_the_system_may_bring_events(functions, outbox_events):
    functions.create_job(functions.create_cluster()["id"])
    event = requested(outbox_events)
    headers = {key.replace("ce_", "Ce-", 1): value for key, value in event.headers().items()}
    assert (
        functions("job-diagnose", "POST", body=event.body(), role=Role.OPERATOR, headers=headers).status
        == 403
    )
