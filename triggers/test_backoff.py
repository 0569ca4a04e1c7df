from hypothesis import given
from hypothesis import strategies as st

from triggers.backoff import Backoff


@given(st.integers(1, 10**9))
def test_delays_double_up_to_the_ceiling_and_lose_at_most_half(failures: int):
    delay = Backoff(first_seconds=0.1, ceiling_seconds=30.0).delay(failures)
    full = min(30.0, 0.1 * 2 ** min(failures - 1, 20))
    assert full / 2 <= delay <= full
