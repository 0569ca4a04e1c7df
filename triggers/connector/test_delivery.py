from email.utils import formatdate

import pytest

from clustergenie import credentials
from clustergenie.identity import API_AUDIENCE, Role, TokenSigner
from clustergenie.settings import Home
from gateway.wire.errors import WireError
from gateway.wire.message import Answer
from triggers.backoff import Backoff
from triggers.connector.delivery import Delivery, Done, Later, Refused
from triggers.connector.gate import Gate
from triggers.connector.trigger import Trigger
from triggers.metrics import Metrics
from triggers.test_doubles import FakeHttp, FakeRecord
from triggers.tokens import SystemToken

NOW = 1_700_000_000.0
TRIGGER = Trigger("worker", "openfaas-fn", ("events",))


def delivery(http: FakeHttp, home: Home, metrics: Metrics | None = None) -> Delivery:
    gate = Gate(http, metrics or Metrics(), Backoff(first_seconds=0.001, ceiling_seconds=0.001))
    return Delivery(http, gate, SystemToken(home), wall_clock=lambda: NOW)


async def outcome(home: Home, status: int, headers: dict[str, str] | None = None):
    pairs = [(name.encode(), text.encode()) for name, text in (headers or {}).items()]
    http = FakeHttp(lambda *_: Answer(status, pairs, b"because"))
    return await delivery(http, home).call(TRIGGER, [FakeRecord()])


@pytest.mark.parametrize("status", [200, 202, 204, 299])
async def test_any_2xx_is_done(home: Home, status: int):
    assert await outcome(home, status) == Done()


@pytest.mark.parametrize("status", [401, 408, 409, 425, 429, 500, 502, 503, 504])
async def test_what_may_pass_is_repeated_and_counts(home: Home, status: int):
    result = await outcome(home, status)
    assert isinstance(result, Later)
    assert (result.counts, result.attempt.status, result.attempt.error) == (True, status, "because")


@pytest.mark.parametrize("status", [400, 403, 404, 410, 422, 302, 101])
async def test_what_cannot_pass_is_refused(home: Home, status: int):
    assert isinstance(await outcome(home, status), Refused)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7.0), (formatdate(NOW + 20, usegmt=True), 20.0), (formatdate(NOW - 20, usegmt=True), 0.0),
     ("99999999", 900.0), ("soon", None)],
)  # fmt: skip
async def test_retry_after_is_read_in_both_forms_and_bounded(home: Home, text: str, seconds: float | None):
    result = await outcome(home, 503, {"Retry-After": text})
    assert isinstance(result, Later)
    assert result.after_seconds == seconds


@pytest.mark.parametrize(("status", "counts"), [(409, False), (429, False), (503, True)])
async def test_only_409_and_429_with_retry_after_use_up_no_retry(home: Home, status: int, *, counts: bool):
    result = await outcome(home, status, {"Retry-After": "1"})
    assert isinstance(result, Later)
    assert result.counts is counts


async def test_the_call_carries_a_system_token(home: Home):
    http = FakeHttp(lambda *_: Answer(200, []))
    await delivery(http, home).call(TRIGGER, [FakeRecord(value=b"body")])
    method, path, headers, body = http.requests[0]
    assert (method, path, body) == ("POST", "/function/worker.openfaas-fn", b"body")
    key = credentials.read(home, credentials.TOKEN_KEY)
    identity, _ = TokenSigner(key, API_AUDIENCE).verify(headers["Authorization"].removeprefix("Bearer "))
    assert identity.role is Role.SYSTEM


async def test_no_answer_from_a_gateway_that_is_well_counts_as_a_retry(home: Home):
    http = FakeHttp(lambda method, *_: WireError("hung up") if method == "POST" else Answer(200, []))
    result = await delivery(http, home).call(TRIGGER, [FakeRecord()])
    assert isinstance(result, Later)
    assert (result.counts, result.attempt.error) == (True, "hung up")


async def test_a_dead_gateway_is_waited_for_by_one_prober_and_costs_no_retry(home: Home):
    failures = iter(range(6))

    def gateway(method: str, *_: object) -> Answer | Exception:
        return WireError("refused") if next(failures, None) is not None else Answer(200, [])

    http = FakeHttp(gateway)
    assert await delivery(http, home).call(TRIGGER, [FakeRecord()]) == Done()
    assert [method for method, *_ in http.requests] == ["POST", *["GET"] * 6, "POST"]


async def test_a_missing_key_is_told_and_repeated(home: Home):
    (home.secrets / "token-key").unlink()
    result = await outcome(home, 200)
    assert isinstance(result, Later)
    assert "genie up" in result.attempt.error


async def test_a_record_nobody_can_send_is_refused(home: Home):
    http = FakeHttp(lambda *_: Answer(200, []))
    result = await delivery(http, home).call(TRIGGER, [FakeRecord(headers=[(None, b"")])])  # type: ignore[list-item]
    assert isinstance(result, Refused)
    assert http.requests == []
