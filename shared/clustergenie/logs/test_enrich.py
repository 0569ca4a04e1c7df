import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustergenie.clock import parse_rfc3339, rfc3339
from clustergenie.logs.enrich import LogRecord, enrich
from clustergenie.logs.lines import LEVELS, LogLine


def a_record(value, **more):
    fields = {
        "topic": "logs.job-diagnose",
        "partition": 0,
        "offset": 7,
        "timestamp_ms": 1_767_225_600_000,
        "headers": {},
    }
    return LogRecord(value=value, **fields | more)


def test_a_json_line_keeps_its_ids_and_its_further_fields():
    value = {
        "ts": "2026-01-01T00:00:01.500Z", "level": "info", "service": "clustergenie", "function": "job-diagnose",
        "instance": "job-diagnose-1", "call_id": "c", "trace_id": "t", "job_id": "job-1", "msg": "done", "took": 3,
    }  # fmt: skip
    line = enrich(a_record(json.dumps(value)), env="test")
    assert line == LogLine(
        ts=parse_rfc3339("2026-01-01T00:00:01.500Z"), level="info", function="job-diagnose", msg="done",
        service="clustergenie", env="test", instance="job-diagnose-1", call_id="c", trace_id="t", job_id="job-1",
        more={"took": 3}, position="logs.job-diagnose/0/7/1767225600000", sequence=7,
    )  # fmt: skip


def test_plain_text_becomes_the_message_of_the_function_it_came_from():
    line = enrich(a_record("hello\n", headers={"instance": "x-1"}), env="test")
    assert (line.msg, line.function, line.level, line.instance) == ("hello", "job-diagnose", "info", "x-1")
    assert rfc3339(line.ts) == "2026-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("WARN", "warning"),
        ("ERROR", "error"),
        ("fatal", "error"),
        ("Trace", "debug"),
        ("odd", "info"),
        (None, "info"),
        (30, "info"),
    ],
)
def test_levels_are_mapped_to_ours(written, read):
    assert enrich(a_record(json.dumps({"level": written, "msg": "x"})), env="test").level == read


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
keys = st.sampled_from(["ts", "level", "msg", "message", "function", "job_id", "env"]) | st.text()


@given(st.text() | st.dictionaries(keys, json_values).map(json.dumps), st.integers(-10, 2**41))
def test_no_text_whatever_breaks_the_enricher(value, timestamp_ms):
    line = enrich(a_record(value, timestamp_ms=timestamp_ms), env="test")
    assert line.level in LEVELS
    assert isinstance(line.msg, str)
    assert isinstance(line.job_id, str)


def test_a_line_survives_its_json_form():
    line = enrich(a_record('{"msg":"x","job_id":"job-1","level":"error","n":1}'), env="local")
    assert LogLine.from_json(line.to_json() | {"env": "local"}) == LogLine(
        **vars(line) | {"position": "", "sequence": 0}
    )


@pytest.mark.parametrize(
    "broken", [{}, {"topic": "t"}, {"topic": "t", "partition": "x", "offset": 1, "timestamp_ms": 1}]
)
def test_what_is_no_record_of_a_batch_is_refused(broken):
    with pytest.raises(ValueError, match="not a record"):
        LogRecord.from_json(broken)
