import base64
import json
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.client import HttpClient
from triggers.connector.event import batch_body, call_headers, is_wanted
from triggers.connector.filter import Filter
from triggers.test_doubles import FakeRecord


def headers_of(*headers: tuple[str, bytes | None], key: bytes | None = None) -> dict[str, str]:
    return dict(call_headers(FakeRecord(offset=7, key=key, headers=headers)))


def test_a_call_says_where_the_record_lies():
    headers = headers_of(key=b"job-1")
    assert headers == {
        "X-Connector": "clustergenie",
        "X-Topic": "events",
        "X-Kafka-Topic": "events",
        "X-Kafka-Partition": "0",
        "X-Kafka-Offset": "7",
        "X-Kafka-Key": "job-1",
        "Content-Type": "text/plain",
    }


def test_cloudevents_attributes_content_type_and_trace_travel_under_their_own_names():
    headers = headers_of(
        ("ce_type", b"job.requested"),
        ("ce_jobtype", b"diagnose"),
        ("content-type", b"application/json"),
        ("traceparent", b"00-ab-cd-01"),
        ("tenant", b"blue"),
    )
    expected = {
        "Ce-Type": "job.requested",
        "Ce-Jobtype": "diagnose",
        "Content-Type": "application/json",
        "traceparent": "00-ab-cd-01",
        "X-Kafka-tenant": "blue",
    }
    assert expected.items() <= headers.items()


@pytest.mark.parametrize("key", [b"\x00\xff", "ключ".encode(), b"a\r\nEvil: 1", b" padded "])
def test_a_key_that_cannot_stand_in_a_header_comes_as_base64(key: bytes):
    headers = headers_of(key=key)
    assert (base64.b64decode(headers["X-Kafka-Key"]), headers["X-Kafka-Key-Enc"]) == (key, "b64")


def test_a_record_without_a_key_has_no_key_header():
    assert "X-Kafka-Key" not in headers_of()


def test_a_record_header_cannot_pass_for_ours():
    assert headers_of(("offset", b"99"), ("Key", b"forged"))["X-Kafka-Offset"] == "7"
    assert "X-Kafka-Key" not in headers_of(("Key", b"forged"))


def test_attributes_beyond_ascii_are_percent_encoded():
    headers = headers_of(("ce_subject", "größe 100%".encode()))
    assert headers["Ce-Subject"].isascii()
    assert unquote(headers["Ce-Subject"]) == "größe 100%"


@given(
    st.lists(st.tuples(st.text(), st.none() | st.binary()), max_size=6),
    st.none() | st.binary(),
    st.none() | st.binary(),
)
def test_whatever_a_producer_wrote_can_be_sent(
    headers: list[tuple[str, bytes | None]], key: bytes | None, value: bytes | None
):
    record = FakeRecord(
        headers=[*headers, *((f"ce_{name}", text) for name, text in headers)], key=key, value=value
    )
    HttpClient("127.0.0.1:1")._head("POST", "/function/x", call_headers(record), 0)
    assert json.loads(batch_body([record]))["topic"] == "events"
    is_wanted(record, Filter.parse("type=x,field=y"))


def test_a_batch_is_one_line_per_record():
    records = [FakeRecord(offset=1, key=b"k", headers=[("h", b"v")]), FakeRecord(offset=2, value=b"\xff")]
    first, second = (json.loads(line) for line in batch_body(records).splitlines())
    assert first == {
        "topic": "events",
        "partition": 0,
        "offset": 1,
        "key": "k",
        "timestamp_ms": 1_700_000_000_000,
        "headers": {"h": "v"},
        "value": "{}",
    }
    assert (second["offset"], second["key"], second["value"]) == (2, None, "\N{REPLACEMENT CHARACTER}")


def test_filters_see_binary_structured_and_plain_events():
    wanted = Filter.parse("type=job.requested")
    binary = FakeRecord(headers=[("ce_type", b"job.requested")])
    envelope = json.dumps({"specversion": "1.0", "type": "job.requested", "data": {}}).encode()
    structured = FakeRecord(value=envelope, headers=[("content-type", b"application/cloudevents+json")])
    plain = FakeRecord(value=b'{"type": "job.requested"}')
    assert all(is_wanted(record, wanted) for record in (binary, structured, plain))
    assert not is_wanted(FakeRecord(headers=[("ce_type", b"job.started")]), wanted)
