import pytest


@pytest.fixture
def five(functions):
    regions = ["nyc1", "nyc1", "lon1", "lon1", "lon1"]
    return [functions.create_cluster(f"cluster {number}", region) for number, region in enumerate(regions)]


def names(answer):
    return [cluster["name"] for cluster in answer.body["clusters"]]


def test_an_empty_fleet_is_an_empty_list(functions):
    assert functions("clusters-list").body == {
        "clusters": [], "page": 1, "page_size": 50, "total": 0, "next_cursor": None
    }  # fmt: skip


def test_pages_by_number_come_with_the_total(functions, five):
    answer = functions("clusters-list", sort_by="name", sort_dir="asc", page="2", page_size="2")
    assert names(answer) == ["cluster 2", "cluster 3"]
    assert (answer.body["page"], answer.body["page_size"], answer.body["total"]) == (2, 2, 5)


def test_cursors_lead_through_all_of_them(functions, five):
    seen, cursor = [], ""
    while cursor is not None:
        answer = functions("clusters-list", page_size="2", cursor=cursor)
        seen += names(answer)
        cursor = answer.body["next_cursor"]
    assert sorted(seen) == [cluster["name"] for cluster in five]


def test_a_row_that_appears_meanwhile_moves_no_page(functions, five):
    first = functions("clusters-list", sort_by="name", sort_dir="asc", page_size="3")
    functions.create_cluster("a newcomer")
    second = functions(
        "clusters-list", sort_by="name", sort_dir="asc", page_size="3", cursor=first.body["next_cursor"]
    )
    assert names(second) == ["cluster 3", "cluster 4"]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"region": "lon1"}, 3),
        ({"status": "critical"}, 0),
        ({"q": "TER 4"}, 1),
        ({"q": "%"}, 0),
        ({"status": ""}, 5),
    ],
)
def test_filters_leave_what_fits(functions, five, query, count):
    answer = functions("clusters-list", **query)
    assert (len(names(answer)), answer.body["total"]) == (count, count)


@pytest.mark.parametrize(
    "query",
    [
        {"page": "0"}, {"page": "x"}, {"page": "99999999999999999999"}, {"page_size": "201"}, {"page_size": "0"},
        {"sort_by": "version"}, {"sort_dir": "up"}, {"status": "odd"}, {"cursor": "!!"}, {"cursor": "W10"},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_out_of_range_is_refused_by_name(functions, query):
    answer = functions("clusters-list", **query)
    assert answer.status == 422
    assert [field["field"] for field in answer.body["fields"]] == list(query)


def test_a_cursor_of_another_order_is_refused(functions, five):
    cursor = functions("clusters-list", page_size="2").body["next_cursor"]
    assert functions("clusters-list", cursor=cursor, sort_by="name").status == 422
