from clustergenie.logs import context


def test_an_event_is_recorded_once_however_often_it_comes(functions, outbox_events):
    functions.create_cluster()
    (event,) = outbox_events()
    answers = [functions.deliver("event-handler", event) for _ in range(3)]
    assert [answer.body["recorded"] for answer in answers] == [True, False, False]
    assert {answer.status for answer in answers} == {200}
    (entry,) = functions("activity-list").body["items"]
    assert entry["id"] == event.id
    assert entry["data"] == event.data


def test_its_lines_carry_the_job_of_the_event(functions, outbox_events):
    job = functions.create_job(functions.create_cluster()["id"])
    functions.deliver("event-handler", outbox_events()[-1])
    assert context.job_id.get() == job["id"]


def test_events_of_other_programs_are_recorded_too(functions):
    from clustergenie.events import Event  # noqa: PLC0415

    event = Event("metric.recorded", "cluster-1", {"cluster_id": "cluster-1", "job_id": 5}, source="agent")
    assert functions.deliver("event-handler", event).body["recorded"] is True
    assert functions("activity-list", cluster_id="cluster-1").body["total"] == 1


def test_what_is_no_event_is_parked(functions):
    assert functions("event-handler", "POST", body=b"{").status == 400
