import json
import logging

import pytest


def batch(*values, topic="logs.hello"):
    records = [
        {
            "topic": topic,
            "partition": 0,
            "offset": number,
            "key": "hello-1",
            "timestamp_ms": 4_102_444_800_000,
            "headers": {},
            "value": value,
        }
        for number, value in enumerate(values)
    ]
    return "\n".join(json.dumps(record) for record in records).encode()


def send(functions, body):
    return functions("log-enricher", "POST", body=body, headers={"Content-Type": "application/x-ndjson"})


def test_lines_of_any_kind_can_be_asked_for_afterwards(functions):
    answer = send(functions, batch('{"msg":"json","job_id":"job-1"}', "plain", "{broken"))
    assert (answer.status, answer.body) == (200, {"lines": 3})
    items = functions("logs-list").body["items"]
    assert [item["msg"] for item in items] == ["json", "plain", "{broken"]
    assert {item["function"] for item in items} == {"hello"}


def test_a_batch_that_comes_again_is_kept_once(functions):
    for _ in range(2):
        send(functions, batch("a", "b"))
    assert len(functions("logs-list").body["items"]) == 2


def test_it_logs_nothing_when_all_goes_well(functions, caplog):
    with caplog.at_level(logging.DEBUG):
        send(functions, batch("a"))
    assert caplog.records == []


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"topic":"x"}', b"1"])
def test_what_is_no_batch_is_parked(functions, body):
    assert send(functions, body).status == 400


def test_a_place_that_is_away_makes_the_connector_come_again(functions, monkeypatch, tmp_path):
    (tmp_path / "logs.db").write_bytes(b"not a database" * 100)
    answer = send(functions, batch("a"))
    assert answer.status == 503
    assert "log store" in answer.body["detail"]
