"""Time as the product tells it: UTC, to the millisecond, RFC 3339. The clock is always a parameter."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

#: Answers the present as an aware UTC datetime.
Clock = Callable[[], datetime]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def system_clock() -> datetime:
    """The machine's time, cut to milliseconds so that it reads the same before and after the database."""
    return truncate(datetime.now(UTC))


def truncate(moment: datetime) -> datetime:
    """``moment`` without what is finer than a millisecond."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def to_millis(moment: datetime) -> int:
    """Milliseconds since 1970; exact, unlike ``timestamp()``. ``moment`` must be aware."""
    return (moment - _EPOCH) // _MILLISECOND


def from_millis(millis: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=millis)


def rfc3339(moment: datetime) -> str:
    """``2026-01-02T03:04:05.678Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_rfc3339(text: str) -> datetime:
    """Read an RFC 3339 time with any offset; raises ValueError saying the accepted form."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a time; use RFC 3339, like 2026-01-02T03:04:05Z") from None
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset; end it with Z or +00:00")
    return truncate(moment.astimezone(UTC))


class ManualClock:
    """A clock that stands still until it is moved: for tests."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = start

    def __call__(self) -> datetime:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now = truncate(self._now + timedelta(seconds=seconds))
