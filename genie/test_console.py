from __future__ import annotations

import io

import pytest

from genie.console import Console


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_pipe_gets_one_plain_line_per_step():
    stream = io.StringIO()
    console = Console(stream)

    with console.step("gateway") as step:
        step.tick()
        step.note = "up"

    assert stream.getvalue() == "  ✓ gateway       0.0 s  up\n"


def test_a_failed_step_is_marked_and_the_error_goes_on():
    stream = io.StringIO()

    with pytest.raises(RuntimeError), Console(stream).step("gateway"):
        raise RuntimeError

    assert "✗ gateway" in stream.getvalue()


def test_colour_is_for_terminals():
    assert "\x1b[32m" in Console(Terminal()).good("x")
    assert Console(io.StringIO()).good("x") == "x"


def test_a_step_that_takes_long_says_so_on_a_pipe():
    stream = io.StringIO()

    with Console(stream).step("gateway") as step:
        step._told -= 6
        step.tick()

    assert "gateway: still at work after" in stream.getvalue()


def test_a_table_is_as_wide_as_its_cells():
    stream = io.StringIO()
    Console(stream).table([("A", "B"), ("long one", "x")])

    assert stream.getvalue() == "A         B\nlong one  x\n"
