from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggers.logagent.positions import Position
from triggers.logagent.tail import observe, read_chunk


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "1.jsonl"


def rotate(path: Path) -> None:
    path.rename(path.with_name("1.jsonl.1"))


def append(path: Path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


def read_all(path: Path, position: Position | None = None) -> tuple[list[bytes], Position | None, int]:
    lines, dropped = [], 0
    while (chunk := read_chunk(path, position)) is not None:
        lines += chunk.lines
        dropped += chunk.dropped_bytes
        position = chunk.position
    return lines, position, dropped


def test_half_a_line_waits_for_its_end(path: Path):
    append(path, b"one\ntw")
    lines, position, _ = read_all(path)
    append(path, b"o\n")
    assert (lines, read_all(path, position)[0]) == ([b"one"], [b"two"])


def test_an_absent_file_has_nothing(path: Path):
    assert read_chunk(path, None) is None


def test_reading_goes_on_in_the_rotated_file_and_then_in_the_new_one(path: Path):
    append(path, b"one\n")
    _, position, _ = read_all(path)
    append(path, b"two\n")
    rotate(path)
    append(path, b"three\n")
    assert read_all(path, position)[::2] == ([b"two", b"three"], 0)


def test_a_log_seen_for_the_first_time_begins_with_its_rotated_file(path: Path):
    append(path, b"one\n")
    rotate(path)
    append(path, b"two\n")
    assert read_all(path)[0] == [b"one", b"two"]


def test_what_two_rotations_removed_unread_is_counted_and_the_rest_is_read(path: Path):
    append(path, b"one\n")
    _, position, _ = read_all(path)
    append(path, b"lost\n")
    assert position is not None
    position = observe(path, position)
    rotate(path)
    append(path, b"two\n")
    rotate(path)
    append(path, b"three\n")
    assert read_all(path, position)[::2] == ([b"two", b"three"], 5)


def test_a_drained_log_whose_new_file_is_still_empty_keeps_its_place(path: Path):
    append(path, b"one\n")
    _, position, _ = read_all(path)
    rotate(path)
    append(path, b"")
    assert read_chunk(path, position) is None
    append(path, b"two\n")
    rotate(path)
    append(path, b"three\n")
    assert read_all(path, position)[::2] == ([b"two", b"three"], 0)


def test_a_new_file_with_the_inode_of_an_old_one_is_not_taken_for_it(path: Path):
    append(path, b"new line, long enough\n")
    position = Position(path.stat().st_ino, 4, "old\n", 10)
    lines, _, dropped = read_all(path, position)
    assert (lines, dropped) == ([b"new line, long enough"], 6)


def test_the_last_words_of_a_rotated_file_need_no_line_end(path: Path):
    append(path, b"one\ntwo")
    rotate(path)
    append(path, b"three\n")
    assert read_all(path)[0] == [b"one", b"two", b"three"]


def test_a_line_larger_than_a_chunk_comes_in_pieces(path: Path):
    append(path, b"x" * 25 + b"\n")
    position, pieces = None, []
    while (chunk := read_chunk(path, position, 10)) is not None:
        pieces += chunk.lines
        position = chunk.position
    assert pieces == [b"x" * 10, b"x" * 10, b"x" * 5]


def test_a_truncated_file_is_read_from_its_beginning(path: Path):
    append(path, b"one\ntwo\n")
    _, position, _ = read_all(path)
    path.write_bytes(b"one\n")
    assert read_all(path, position)[0] == [b"one"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["write", "rotate", "read"]),
            st.binary(max_size=12).filter(lambda b: b"\n" not in b),
        ),
        max_size=30,
    )
)
def test_while_the_reader_keeps_up_every_line_comes_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, bytes]]
):
    path = tmp_path_factory.mktemp("log") / "1.jsonl"
    written, seen, position = [], [], None
    for number, (step, text) in enumerate(steps):
        if step == "write":
            line = b"%d:%b" % (number, text)
            append(path, line + b"\n")
            written.append(line)
            continue
        lines, position, dropped = read_all(path, position)
        seen += lines
        assert dropped == 0
        if step == "rotate" and path.exists():
            rotate(path)
    seen += read_all(path, position)[0]
    assert seen == written
