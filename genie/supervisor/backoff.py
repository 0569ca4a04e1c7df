"""When to start a dead component again."""

from __future__ import annotations

from dataclasses import dataclass

#: Wait before the first restart, in seconds; doubled each time up to the longest.
FIRST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 30.0
#: A component that ran this long was well: the next restart waits for the first delay again, in seconds.
STABLE_SECONDS = 10.0
#: So many early deaths in a row are called a crash loop.
CRASH_LOOP_DEATHS = 4


@dataclass(frozen=True)
class Backoff:
    """Early deaths so far. Immutable: :meth:`after` gives the next state."""

    early_deaths: int = 0

    def after(self, uptime_seconds: float) -> Backoff:
        """The state after a run of that length."""
        return Backoff(1 if uptime_seconds >= STABLE_SECONDS else self.early_deaths + 1)

    @property
    def delay_seconds(self) -> float:
        if self.early_deaths == 0:
            return 0.0
        # The exponent is bounded so that a year of crashes does not overflow a float.
        return float(min(FIRST_DELAY_SECONDS * 2 ** min(self.early_deaths - 1, 20), LONGEST_DELAY_SECONDS))

    @property
    def crash_loop(self) -> bool:
        return self.early_deaths >= CRASH_LOOP_DEATHS
