"""What a function prints, logs and raises becomes one JSON record each."""

import json
import logging
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.providers.process.output import MAX_LINE_CHARACTERS, LineWriter, _RecordHandler


class Memory:
    """Stands where LogFile stands."""

    def __init__(self):
        self.records = []

    def write(self, level, message, **_):
        self.records.append((level, message))

    def write_text(self, level, text):
        self.records.append((level, text))


@pytest.fixture
def memory():
    return Memory()


def test_a_print_is_one_record_however_it_is_written(memory):
    out = LineWriter(memory, "info", 1)
    print("a", 1, file=out)
    out.write("b")
    out.write("c\nd")
    out.finish_line()
    assert memory.records == [("info", "a 1"), ("info", "bc"), ("info", "d")]


def test_a_printed_traceback_is_one_record_per_exception(memory):
    err = LineWriter(memory, "warning", 2)
    for line in CHAIN_TEXT.splitlines(keepends=True):
        err.write(line)
    err.write("after\n")
    levels, texts = zip(*memory.records, strict=True)
    assert levels == ("error", "error", "warning")
    assert texts[0].endswith("ZeroDivisionError: division by zero")
    assert texts[1].endswith("ValueError: outer")
    assert texts[2] == "after"


CHAIN_TEXT = """Traceback (most recent call last):
  File "x.py", line 5, in <module>
    1 / 0
ZeroDivisionError: division by zero

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "x.py", line 7, in <module>
    raise ValueError("outer") from cause
ValueError: outer
"""


def test_a_logged_exception_is_one_record_with_its_level(memory):
    logger = logging.getLogger("genie-test-shop")
    logger.propagate = False
    logger.addHandler(_RecordHandler(memory))
    try:
        {}["missing"]
    except KeyError:
        logger.exception("no luck")
    ((level, text),) = memory.records
    assert level == "error"
    assert text.startswith("no luck\nTraceback")


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=50), max_size=20))
def test_no_character_is_lost_whatever_the_pieces(pieces):
    memory = Memory()
    out = LineWriter(memory, "info", 1)
    for piece in pieces:
        out.write(piece)
    out.finish_line()
    printed = [line for line in "".join(pieces).split("\n") if line.strip()]
    if not any(line.startswith(("Traceback", "During", "The above")) for line in printed):
        assert [text for _, text in memory.records if text.strip()] == printed


def test_an_endless_line_is_cut(memory):
    out = LineWriter(memory, "info", 1)
    out.write("x" * (3 * MAX_LINE_CHARACTERS))
    assert len(memory.records) == 2


ROTATION = """
import os, sys
from gateway.providers.process.log_file import LogFile
log = LogFile(sys.argv[1], {"service": "s", "function": "f", "instance": "i"}, rotate_at_bytes=2000)
for number in range(40):
    log.write("info", f"line {number}")
log.write_text("info", '{"msg": "own", "level": "debug", "extra": 1}')
log.write_text("info", '{broken')
log.write("info", "surrogate \\udc80")
os.write(2, b"from C\\n")
"""


def test_a_file_is_rotated_at_its_limit_and_every_line_is_json(tmp_path):
    file = tmp_path / "r.jsonl"
    # A process of its own: the log takes over the standard streams.
    subprocess.run([sys.executable, "-c", ROTATION, str(file)], check=True)
    lines = file.read_text().splitlines()
    rotated = (tmp_path / "r.jsonl.1").read_text().splitlines()
    assert all(part.stat().st_size <= 2000 for part in tmp_path.iterdir())
    assert lines.pop() == "from C"
    records = [json.loads(line) for line in rotated + lines]
    assert [r["msg"] for r in records][-4:] == ["line 39", "own", "{broken", "surrogate \udc80"]
    assert records[-3]["level"] == "debug"
    assert records[-3]["extra"] == 1
    assert {"ts", "level", "service", "function", "instance", "call_id", "trace_id", "msg"} <= set(records[0])
    assert file.stat().st_mode & 0o777 == 0o600


async def test_lines_of_a_request_carry_its_call_id_and_trace_id(rig, eventually):
    await rig.start()
    address = await rig.serve(
        "import logging\ndef handle(event, context):\n    print('hi')\n    logging.info('logged')\n    return 'twelve bytes'\n"
    )
    headers = {"X-Call-Id": "call-1", "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    await rig.call(address, "POST", "/x?secret=1", b"", headers)
    # The access line is written when the answer is out, so the caller may be faster.
    await eventually(lambda: len(rig.log_lines()) == 3)
    records = [json.loads(line) for line in rig.log_lines()]
    assert [r["msg"] for r in records[:2]] == ["hi", "logged"]
    assert records[2]["msg"].startswith("POST /x - 200 - 12 bytes (0.")
    assert {(r["call_id"], r["trace_id"]) for r in records} == {("call-1", "a" * 32)}
    assert {r["function"] for r in records} == {"f"}


async def test_an_uncaught_exception_is_one_record_and_a_500(rig, eventually):
    await rig.start()
    address = await rig.serve("def handle(event, context):\n    return 1 / 0\n")
    assert (await rig.call(address))[0] == 500
    await eventually(lambda: len(rig.log_lines()) == 2)
    records = [json.loads(line) for line in rig.log_lines()]
    assert [r["level"] for r in records] == ["error", "info"]
    assert "ZeroDivisionError" in records[0]["msg"]
