"""How long to wait before trying again."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Backoff:
    """Doubling delays up to a ceiling, each shortened at random by up to half so that many do not return together."""

    first_seconds: float = 0.1
    ceiling_seconds: float = 30.0
    chance: random.Random = field(default_factory=random.Random)

    def delay(self, failures: int) -> float:
        """Seconds to wait after the ``failures``-th failure in a row (1, 2, …)."""
        # The exponent is bounded because 2.0**1024 overflows, and failures may go on for days.
        full = min(self.ceiling_seconds, self.first_seconds * 2.0 ** min(failures - 1, 64))
        return full * self.chance.uniform(0.5, 1.0)
