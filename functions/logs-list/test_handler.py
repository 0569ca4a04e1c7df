import json

import pytest


@pytest.fixture
def lines(functions):
    values = [
        {
            "ts": f"2100-01-01T00:00:0{number}.000Z",
            "level": level,
            "msg": f"line {number}",
            "trace_id": "t",
            "job_id": f"job-{number}",
        }
        for number, level in enumerate(["info", "error", "info"])
    ]
    records = [
        {
            "topic": "logs.hello",
            "partition": 0,
            "offset": number,
            "timestamp_ms": 4_102_444_800_000,
            "value": json.dumps(value),
        }
        for number, value in enumerate(values)
    ]
    functions("log-enricher", "POST", body="\n".join(map(json.dumps, records)).encode())


def texts(answer):
    return [line["msg"] for line in answer.body["items"]]


def test_lines_come_oldest_first_page_by_page(functions, lines):
    first = functions("logs-list", limit="2")
    assert texts(first) == ["line 0", "line 1"]
    second = functions("logs-list", limit="2", cursor=first.body["next_cursor"])
    assert texts(second) == ["line 2"]
    assert second.body["next_cursor"] is None


def test_a_line_names_where_it_comes_from(functions, lines):
    line = functions("logs-list", limit="1").body["items"][0]
    assert (line["function"], line["job_id"], line["trace_id"], line["level"]) == (
        "hello",
        "job-0",
        "t",
        "info",
    )


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"job_id": "job-1"}, 1), ({"trace_id": "t"}, 3), ({"call_id": "c"}, 0), ({"function": "hello"}, 3),
        ({"level": "error"}, 1), ({"q": "LINE 2"}, 1), ({"since": "2100-01-01T00:00:01Z"}, 2),
        ({"until": "2100-01-01T00:00:01Z"}, 1),
    ],
    ids=str,
)  # fmt: skip
def test_filters_leave_what_fits(functions, lines, query, count):
    assert len(texts(functions("logs-list", **query))) == count


@pytest.mark.parametrize(
    "query",
    [{"limit": "0"}, {"limit": "1001"}, {"level": "loud"}, {"cursor": "x"}, {"since": "now"}],
    ids=str,
)
def test_what_is_out_of_range_is_refused(functions, query):
    assert functions("logs-list", **query).status == 422


def test_without_a_place_for_lines_the_answer_says_what_to_set(functions, monkeypatch, tmp_path):
    monkeypatch.delenv("LOG_STORE")
    answer = functions("logs-list")
    assert answer.status == 503
    assert "LOG_STORE" in answer.body["detail"]
