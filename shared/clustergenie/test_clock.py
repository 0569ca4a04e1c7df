from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustergenie.clock import ManualClock, from_millis, parse_rfc3339, rfc3339, system_clock, to_millis

moments = st.integers(min_value=0, max_value=4_102_444_800_000).map(from_millis)


@given(moments)
def test_a_moment_survives_milliseconds_and_text(moment):
    assert from_millis(to_millis(moment)) == moment
    assert parse_rfc3339(rfc3339(moment)) == moment


def test_times_are_written_in_utc_with_three_decimals():
    assert rfc3339(datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)) == "2026-01-02T03:04:05.678Z"


def test_any_offset_is_read_as_utc():
    assert rfc3339(parse_rfc3339("2026-01-02T03:04:05+02:00")) == "2026-01-02T01:04:05.000Z"


@pytest.mark.parametrize("text", ["", "yesterday", "2026-01-02T03:04:05", "2026-13-01T00:00:00Z"])
def test_what_is_not_a_time_with_an_offset_is_refused(text):
    with pytest.raises(ValueError, match=r"RFC 3339|offset"):
        parse_rfc3339(text)


def test_the_system_clock_is_cut_to_milliseconds():
    assert system_clock().microsecond % 1000 == 0


def test_a_manual_clock_moves_only_when_told():
    clock = ManualClock()
    before = clock()
    assert clock() == before
    clock.advance(1.5)
    assert to_millis(clock()) - to_millis(before) == 1500
