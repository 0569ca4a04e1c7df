from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from genie.supervisor.backoff import (
    CRASH_LOOP_DEATHS,
    FIRST_DELAY_SECONDS,
    LONGEST_DELAY_SECONDS,
    STABLE_SECONDS,
    Backoff,
)


def test_each_early_death_doubles_the_wait():
    state, delays = Backoff(), []
    for _ in range(3):
        state = state.after(0.5)
        delays.append(state.delay_seconds)

    assert delays == [FIRST_DELAY_SECONDS, 2 * FIRST_DELAY_SECONDS, 4 * FIRST_DELAY_SECONDS]


def test_a_stable_run_resets_the_wait():
    state = Backoff(early_deaths=9).after(STABLE_SECONDS)

    assert state.delay_seconds == FIRST_DELAY_SECONDS
    assert not state.crash_loop


def test_many_early_deaths_in_a_row_are_a_crash_loop():
    assert Backoff(CRASH_LOOP_DEATHS).crash_loop
    assert not Backoff(CRASH_LOOP_DEATHS - 1).crash_loop


@given(st.integers(0, 10**6))
def test_the_wait_is_bounded(deaths):
    assert 0 <= Backoff(deaths).delay_seconds <= LONGEST_DELAY_SECONDS
