import pytest


@pytest.fixture
def seven(functions):
    first, second = functions.create_cluster("a"), functions.create_cluster("b")
    return [functions.create_job(cluster["id"]) for cluster in [first] * 5 + [second] * 2]


def test_the_newest_five_come_first(functions, seven):
    answer = functions("jobs-list")
    assert answer.status == 200
    assert answer.body["total"] == 7
    assert answer.body["page_size"] == 5
    assert [job["id"] for job in answer.body["jobs"]] == [job["id"] for job in reversed(seven[2:])]


def test_the_rest_is_on_the_second_page(functions, seven):
    answer = functions("jobs-list", page="2", sort_by="id", sort_dir="asc")
    assert [job["id"] for job in answer.body["jobs"]] == sorted(job["id"] for job in seven)[5:]


def test_filters_leave_what_fits(functions, seven):
    assert functions("jobs-list", cluster_id=seven[6]["cluster_id"]).body["total"] == 2
    assert functions("jobs-list", status="queued", type="diagnose").body["total"] == 7
    assert functions("jobs-list", status="completed").body["total"] == 0


@pytest.mark.parametrize(
    "query", [{"status": "pending"}, {"type": "x"}, {"page_size": "1000"}, {"sort_by": "status"}], ids=str
)
def test_what_is_not_known_is_refused(functions, query):
    assert functions("jobs-list", **query).status == 422
