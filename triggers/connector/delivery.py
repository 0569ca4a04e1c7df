"""One call of a function through the gateway, and what its answer means for the records it carried."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from clustergenie.credentials import MissingCredentialError
from gateway.wire.errors import WireError
from gateway.wire.message import Answer
from triggers.connector.event import Record, batch_body, batch_headers, call_headers
from triggers.connector.gate import Gate
from triggers.connector.trigger import Trigger
from triggers.directory import Http
from triggers.tokens import SystemToken

#: Longest ``Retry-After`` that is believed, in seconds.
MOST_RETRY_AFTER_SECONDS = 900.0
#: Statuses that mean: not now. 401 is among them because our own token may just have been replaced.
_RETRIED = frozenset((401, 408, 409, 425, 429))
#: With a ``Retry-After`` these use up no retries: the function is well and says when to come.
_PATIENT = frozenset((409, 429))
_MOST_ERROR_TEXT = 300


@dataclass(frozen=True)
class Attempt:
    """A call that did not end well. ``status`` is 0 when there was no answer."""

    at: float
    status: int
    error: str

    def to_json(self) -> dict[str, object]:
        moment = datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds")
        return {"at": moment.replace("+00:00", "Z"), "status": self.status, "error": self.error}


@dataclass(frozen=True)
class Done:
    """The function handled the records."""


@dataclass(frozen=True)
class Later:
    """The call is to be repeated. ``after_seconds`` is what the function asked for, ``counts`` whether it is a retry."""

    attempt: Attempt
    after_seconds: float | None = None
    counts: bool = True


@dataclass(frozen=True)
class Refused:
    """The call will never succeed."""

    attempt: Attempt


Outcome = Done | Later | Refused


class Delivery:
    """Calls functions. Never raises but for cancellation: whatever happens is an :data:`Outcome`."""

    def __init__(
        self, http: Http, gate: Gate, token: SystemToken, *, wall_clock: Callable[[], float] = time.time
    ) -> None:
        self._http = http
        self._gate = gate
        self._token = token
        self._wall_clock = wall_clock

    async def call(self, trigger: Trigger, records: Sequence[Record]) -> Outcome:
        """POST the records to the function, waiting for the gateway as long as it takes."""
        try:
            headers, body = _message(trigger, records)
        except Exception as error:  # noqa: BLE001 - a record nobody can send is parked, whatever is odd about it
            return Refused(self._attempt(0, f"the record cannot be sent: {error!r}"))
        while True:
            await self._gate.passage()
            try:
                answer = await self._post(trigger, headers, body)
            except WireError as error:
                if await self._gate.blame(error):
                    continue
                return Later(self._attempt(0, str(error)))
            except (MissingCredentialError, OSError, ValueError) as error:
                return Later(self._attempt(0, str(error)))
            return self._judge(answer)

    async def _post(self, trigger: Trigger, headers: list[tuple[str, str]], body: bytes) -> Answer:
        return await self._http.request(
            "POST",
            f"/function/{trigger.key}",
            headers=[*headers, *self._token.headers()],
            body=body,
            timeout_seconds=trigger.timeout_seconds,
        )

    def _judge(self, answer: Answer) -> Outcome:
        status = answer.status
        if 200 <= status < 300:  # noqa: PLR2004 - 2xx reads better than names for its ends
            return Done()
        attempt = self._attempt(status, answer.body[:_MOST_ERROR_TEXT].decode("utf-8", "replace"))
        if status not in _RETRIED and status < 500:  # noqa: PLR2004 - as above
            return Refused(attempt)
        if status == 401:  # noqa: PLR2004 - as above
            self._token.renew()
        after = retry_after(answer, self._wall_clock())
        return Later(attempt, after, counts=after is None or status not in _PATIENT)

    def _attempt(self, status: int, error: str) -> Attempt:
        return Attempt(self._wall_clock(), status, error[:_MOST_ERROR_TEXT])


def retry_after(answer: Answer, now: float) -> float | None:
    """The answer's ``Retry-After`` in seconds from ``now`` (Unix time), or None without a readable one."""
    raw = answer.header(b"retry-after")
    if raw is None:
        return None
    text = raw.decode("latin-1").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), MOST_RETRY_AFTER_SECONDS)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return min(
        max(0.0, moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - now), MOST_RETRY_AFTER_SECONDS
    )


def _message(trigger: Trigger, records: Sequence[Record]) -> tuple[list[tuple[str, str]], bytes]:
    if trigger.batch > 1:
        return batch_headers(records), batch_body(records)
    return call_headers(records[0]), records[0].value or b""
