import pytest


@pytest.fixture
def cluster(functions, outbox_events):
    cluster = functions.create_cluster()
    functions.create_cluster("other")
    functions.create_job(cluster["id"])
    for event in outbox_events():
        functions.deliver("event-handler", event)
    return cluster


def types(answer):
    return [entry["type"] for entry in answer.body["items"]]


def test_what_happened_is_shown_newest_first(functions, cluster):
    answer = functions("activity-list")
    assert types(answer) == ["job.requested", "cluster.created", "cluster.created"]
    assert answer.body["total"] == 3


def test_filters_leave_what_fits(functions, cluster):
    assert types(functions("activity-list", cluster_id=cluster["id"])) == ["job.requested", "cluster.created"]
    assert types(functions("activity-list", type="job.requested")) == ["job.requested"]
    assert types(functions("activity-list", subject=cluster["id"])) == ["cluster.created"]
    assert types(functions("activity-list", since="2100-01-01T00:00:00Z")) == []
    assert len(types(functions("activity-list", since="2020-01-01T00:00:00+01:00"))) == 3


@pytest.mark.parametrize(
    "query", [{"since": "yesterday"}, {"since": "2026-01-01T00:00:00"}, {"type": "x"}], ids=str
)
def test_what_is_not_understood_is_refused(functions, query):
    assert functions("activity-list", **query).status == 422
