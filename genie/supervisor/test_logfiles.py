from __future__ import annotations

import os

from genie.supervisor import logfiles


def test_a_log_opens_with_a_line_that_says_why(tmp_path):
    os.close(logfiles.open_log(tmp_path / "x.log", "starting x"))

    assert logfiles.tail(tmp_path / "x.log", 5)[0].endswith("genie: starting x")


def test_a_big_log_is_renamed_at_a_start(tmp_path, monkeypatch):
    monkeypatch.setattr(logfiles, "MAX_LOG_BYTES", 10)
    path = tmp_path / "x.log"
    path.write_text("older than this start\n")

    os.close(logfiles.open_log(path, "starting x"))

    assert (tmp_path / "x.log.1").read_text() == "older than this start\n"
    assert "older" not in path.read_text()


def test_a_writer_goes_on_at_the_new_end_of_a_log_emptied_in_place(tmp_path):
    path = tmp_path / "x.log"
    descriptor = logfiles.open_log(path, "starting x")
    os.write(descriptor, b"a" * 100)

    assert logfiles.rotate_in_place(path, limit_bytes=100)
    os.write(descriptor, b"after\n")
    os.close(descriptor)

    assert path.read_bytes() == b"after\n"
    assert (tmp_path / "x.log.1").read_bytes().endswith(b"a" * 100)


def test_a_small_log_is_left_alone(tmp_path):
    (tmp_path / "x.log").write_text("short")

    assert not logfiles.rotate_in_place(tmp_path / "x.log")


def test_the_tail_of_a_missing_log_is_empty(tmp_path):
    assert logfiles.tail(tmp_path / "none.log", 3) == []


def test_the_tail_is_the_last_lines(tmp_path):
    (tmp_path / "x.log").write_text("one\ntwo\nthree\n")

    assert logfiles.tail(tmp_path / "x.log", 2) == ["two", "three"]
