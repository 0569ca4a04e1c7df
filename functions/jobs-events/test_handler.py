def test_the_events_of_a_job_come_oldest_first_and_page_by_page(functions, outbox_events):
    job = functions.create_job(functions.create_cluster()["id"])
    functions.create_job(job["cluster_id"])
    functions.deliver("job-diagnose", next(event for event in outbox_events() if event.subject == job["id"]))
    for event in outbox_events():
        functions.deliver("event-handler", event)
    path = f"/{job['id']}/events"
    first = functions("jobs-events", path=path, page_size="3")
    second = functions("jobs-events", path=path, page_size="3", cursor=first.body["next_cursor"])
    types = [entry["type"] for answer in (first, second) for entry in answer.body["items"]]
    assert types == ["job.requested", "job.started", "job.progress", "job.completed"]
    assert first.body["total"] == 4
    assert {entry["trace_id"] for entry in first.body["items"]} == {job["trace_id"]}


def test_one_kind_can_be_asked_for(functions, outbox_events):
    job = functions.create_job(functions.create_cluster()["id"])
    for event in outbox_events():
        functions.deliver("event-handler", event)
    path = f"/api/v1/jobs/{job['id']}/events"
    assert functions("jobs-events", path=path, type="job.requested").body["total"] == 1
    assert functions("jobs-events", path=path, type="job.failed").body["total"] == 0


def test_an_unknown_job_is_not_found(functions):
    assert functions("jobs-events", path="/job-none/events").status == 404
