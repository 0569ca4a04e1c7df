import io
import json
import logging

import pytest

from triggers.output import QUIET_SECONDS, JsonLines, OncePerWhile


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def logger(name: str, stream: io.StringIO, clock: Clock) -> logging.Logger:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    handler.addFilter(OncePerWhile(clock))
    found = logging.Logger(name)  # noqa: LOG001 - one of its own, outside the tree other tests see
    found.addHandler(handler)
    return found


def test_a_line_is_one_json_object_even_with_a_traceback(stream: io.StringIO):
    log = logger("triggers.x", stream, Clock())
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        log.exception("failed: %s", "why")
    (line,) = stream.getvalue().splitlines()
    said = json.loads(line)
    assert (said["level"], said["service"], said["msg"]) == ("error", "clustergenie", "failed: why")
    assert "ValueError" in said["error"]


def test_a_library_repeats_itself_once_a_while_and_we_are_never_silenced(stream: io.StringIO):
    clock = Clock()
    library, ours = logger("aiokafka.conn", stream, clock), logger("triggers.x", stream, clock)
    for number in range(3):
        library.error("node %d is away", number)
        ours.error("node %d is away", number)
    assert len(stream.getvalue().splitlines()) == 4
    clock.seconds = QUIET_SECONDS
    library.error("node %d is away", 3)
    assert len(stream.getvalue().splitlines()) == 5
