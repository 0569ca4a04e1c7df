import threading

from clustergenie import activity
from clustergenie.activity import JobEvents, ListActivity
from clustergenie.events import Event

TRACE = "0af7651916cd43dd8448eb211c80319c"


def an_event(clock, number=0, **data):
    return Event("job.progress", "job-1", {"job_id": "job-1", "number": number, **data}, time=clock())


def test_deliveries_at_the_same_moment_make_one_row(engine, clock):
    event, outcomes = an_event(clock), []
    threads = [
        threading.Thread(target=lambda: outcomes.append(activity.record(engine, event, TRACE)))
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes) == [False, False, False, False, True]
    assert activity.find(engine, ListActivity())[1].total == 1


def test_events_of_one_millisecond_keep_the_order_of_their_arrival(engine, clock):
    for number in range(5):
        activity.record(engine, an_event(clock, number), TRACE)
    entries, _ = activity.of_job(engine, "job-1")
    assert [entry.data["number"] for entry in entries] == list(range(5))


def test_cursors_cover_events_of_one_millisecond_once(engine, clock):
    for number in range(5):
        activity.record(engine, an_event(clock, number), TRACE)
    seen, cursor = [], None
    while True:
        entries, page = activity.of_job(engine, "job-1", JobEvents(page_size=2, cursor=cursor))
        seen += [entry.data["number"] for entry in entries]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == list(range(5))


def test_an_entry_is_the_event_with_its_trace(engine, clock):
    event = an_event(clock, cluster_id="cluster-1")
    activity.record(engine, event, TRACE)
    (entry,), _ = activity.find(engine, ListActivity(cluster_id="cluster-1"))
    assert entry.to_json() == {
        "id": event.id, "type": "job.progress", "source": "clustergenie", "subject": "job-1", "job_id": "job-1",
        "cluster_id": "cluster-1", "trace_id": TRACE, "time": "2026-01-01T00:00:00.000Z", "data": event.data,
    }  # fmt: skip
