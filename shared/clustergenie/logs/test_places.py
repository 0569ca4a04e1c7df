"""Both places that keep lines give the same answers: each test runs on the local store and on a Loki look-alike."""

import dataclasses
import stat
from datetime import timedelta

import pytest

from clustergenie.clock import parse_rfc3339
from clustergenie.errors import InvalidError, UnavailableError
from clustergenie.logs.lines import LogFilter, LogLine
from clustergenie.logs.local import LocalLog
from clustergenie.logs.loki import Loki
from clustergenie.logs.places import open_log
from clustergenie.logs.testing import FakeLoki

START = parse_rfc3339("2026-01-01T00:00:00Z")


def now():
    return START + timedelta(minutes=5)


def a_line(number, **more):
    fields = {
        "ts": START + timedelta(milliseconds=number // 2),
        "level": "info",
        "function": "job-diagnose",
        "msg": f"line {number}",
    }
    return LogLine(**fields | {"position": f"logs.job-diagnose/0/{number}/1", "sequence": number} | more)


@pytest.fixture(params=["local", "loki", "loki with id labels"])
def log(request, tmp_path):
    if request.param == "local":
        store = LocalLog(tmp_path / "logs.db", clock=now)
        yield store
        store.close()
        return
    with FakeLoki() as fake:
        yield Loki(fake.url, clock=now, id_labels="labels" in request.param)


def texts(page):
    return [line.msg for line in page.lines]


def test_lines_come_back_whole_and_oldest_first(log):
    lines = [
        a_line(2, job_id="job-1", trace_id="t", call_id="c", instance="i", level="error"),
        a_line(1, more={"n": 1}),
    ]
    log.write(lines)
    found = log.query(LogFilter()).lines
    assert [dataclasses.replace(line, position="", sequence=0) for line in reversed(lines)] == [
        dataclasses.replace(line, position="", sequence=0) for line in found
    ]


def test_writing_a_batch_again_changes_nothing(log):
    lines = [a_line(number) for number in range(10)]
    log.write(lines)
    log.write(lines)
    assert texts(log.query(LogFilter())) == [f"line {number}" for number in range(10)]


@pytest.mark.parametrize(
    "wanted",
    [
        {"job_id": "job-1"}, {"trace_id": "t1"}, {"call_id": "c1"}, {"function": "hello"}, {"level": "error"},
        {"q": "NEEDLE"}, {"q": "ne"}, {"since": START + timedelta(seconds=1)}, {"job_id": "job-1", "level": "error"},
    ],
    ids=str,
)  # fmt: skip
def test_every_filter_finds_its_lines_and_no_other(log, wanted):
    hit = a_line(
        5000,
        job_id="job-1",
        trace_id="t1",
        call_id="c1",
        function="hello",
        level="error",
        msg="a needle here",
    )
    log.write([a_line(0), hit, a_line(1, job_id="job-2", trace_id="t2", call_id="c2", msg="hay")])
    assert texts(log.query(LogFilter(**wanted))) in (["a needle here"], ["line 0", "a needle here"])
    assert texts(log.query(LogFilter(**wanted)))[-1] == "a needle here"
    if "q" not in wanted:
        assert len(log.query(LogFilter(**wanted)).lines) == 1


def test_until_is_exclusive(log):
    log.write([a_line(0), a_line(2000)])
    assert texts(log.query(LogFilter(until=START + timedelta(seconds=1)))) == ["line 0"]


@pytest.mark.parametrize(
    "text", ['"', "\\", "%", "_", "{{", "'; DROP TABLE lines; --", '" | x', "(?i)", ".*", "ü"]
)
def test_no_text_looked_for_can_become_part_of_the_query(log, text):
    log.write([a_line(0, msg="nothing special"), a_line(1, msg=f"with {text} inside")])
    assert texts(log.query(LogFilter(q=text))) == [f"with {text} inside"]


@pytest.mark.parametrize("limit", [1, 3, 4, 20])
def test_pages_follow_each_other_without_gap_or_repetition(log, limit):
    log.write([a_line(number) for number in range(20)])
    seen, cursor = [], None
    while True:
        page = log.query(LogFilter(limit=limit, cursor=cursor))
        seen += texts(page)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [f"line {number}" for number in range(20)]


def test_a_cursor_of_another_list_is_refused(log):
    with pytest.raises(InvalidError, match="cursor"):
        log.query(LogFilter(cursor="nonsense"))


def test_an_empty_place_answers_an_empty_page(log):
    log.write([])
    assert log.query(LogFilter(job_id="job-1")) == log.query(LogFilter(q="x"))


def test_the_local_store_is_readable_by_its_owner_only(tmp_path):
    store = LocalLog(tmp_path / "logs.db")
    store.write([a_line(0)])
    store.close()
    assert stat.S_IMODE((tmp_path / "logs.db").stat().st_mode) == 0o600


def test_lines_older_than_the_retention_are_dropped(tmp_path):
    moment = [START]
    store = LocalLog(tmp_path / "logs.db", retention=timedelta(days=1), clock=lambda: moment[0])
    store.write([a_line(0)])
    moment[0] += timedelta(days=2)
    for number in range(50):
        store.write([a_line(number, ts=moment[0], position=f"new/{number}", msg="new")])
    assert set(texts(store.query(LogFilter()))) == {"new"}
    store.close()


def test_a_store_that_grows_too_large_loses_its_oldest_lines(tmp_path):
    store = LocalLog(tmp_path / "logs.db", max_bytes=200_000, clock=now)
    for batch in range(101):
        store.write(
            [a_line(batch * 10 + number, msg="x" * 200 + str(batch * 10 + number)) for number in range(10)]
        )
    found = store.query(LogFilter(limit=2000)).lines
    assert len(found) < 1010
    assert found[-1].sequence == 1009
    assert [line.sequence for line in found] == list(range(found[0].sequence, 1010))
    store.close()


def test_a_broken_store_is_told_with_its_setting(tmp_path):
    (tmp_path / "logs.db").write_bytes(b"this is not a database" * 100)
    with pytest.raises(UnavailableError, match="LOG_STORE"):
        LocalLog(tmp_path / "logs.db").write([a_line(0)])


def test_two_processes_worth_of_stores_share_one_file(tmp_path):
    writer, reader = LocalLog(tmp_path / "logs.db", clock=now), LocalLog(tmp_path / "logs.db", clock=now)
    assert reader.query(LogFilter()).lines == []
    writer.write([a_line(0)])
    assert texts(reader.query(LogFilter())) == ["line 0"]
    writer.close()
    reader.close()


@pytest.mark.parametrize(
    ("status", "retry_after", "slept"), [(429, "2", [2.0]), (503, None, [0.25]), (500, "60", [5.0])]
)
def test_a_push_is_repeated_when_loki_asks_for_it(status, retry_after, slept):
    pauses = []
    with FakeLoki() as fake:
        fake.answer_once(status, retry_after)
        log = Loki(fake.url, clock=now, sleep=pauses.append)
        log.write([a_line(0)])
        assert pauses == slept
        assert texts(log.query(LogFilter())) == ["line 0"]


def test_a_push_loki_refuses_is_told_and_not_repeated():
    pauses = []
    with FakeLoki() as fake:
        fake.answer_once(400)
        with pytest.raises(UnavailableError, match="refused the request with 400"):
            Loki(fake.url, sleep=pauses.append).write([a_line(0)])
    assert pauses == []


def test_a_loki_that_is_away_is_told_with_its_setting():
    with FakeLoki() as fake:
        url = fake.url
    with pytest.raises(UnavailableError, match="LOKI_URL"):
        Loki(url, sleep=lambda _: None).write([a_line(0)])


def test_ids_are_metadata_and_labels_stay_few():
    with FakeLoki() as fake:
        Loki(fake.url, clock=now).write([a_line(0, job_id="job-1")])
        (stream,) = fake.pushed[0]["streams"]
    assert set(stream["stream"]) == {"service", "function", "env", "level"}
    assert stream["values"][0][2] == {"job_id": "job-1"}


@pytest.mark.parametrize(
    ("env", "kind"),
    [({"LOKI_URL": "http://localhost:3100", "LOG_STORE": "x"}, Loki), ({"LOG_STORE": "x"}, LocalLog)],
)
def test_the_environment_chooses_the_place(env, kind):
    assert isinstance(open_log(env), kind)


def test_no_place_at_all_says_what_to_set():
    with pytest.raises(UnavailableError, match="set LOKI_URL, or LOG_STORE"):
        open_log({})
