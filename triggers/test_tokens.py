import pytest

from clustergenie import credentials
from clustergenie.identity import API_AUDIENCE, TokenSigner
from clustergenie.settings import Home
from triggers.tokens import SystemToken


class Clock:
    seconds = 1_700_000_000.0

    def __call__(self) -> float:
        return self.seconds


def bearer(token: SystemToken) -> str:
    return dict(token.headers())["Authorization"].removeprefix("Bearer ")


def test_a_token_is_kept_and_replaced_well_before_it_ends(home: Home):
    clock = Clock()
    token = SystemToken(home, now=clock)
    first = bearer(token)
    assert bearer(token) == first
    clock.seconds += 601
    second = bearer(token)
    assert second != first
    key = credentials.read(home, credentials.TOKEN_KEY)
    assert TokenSigner(key, API_AUDIENCE, now=clock).verify(second)[1] == clock.seconds + 900


def test_a_refused_token_is_signed_again_with_the_key_of_now(home: Home):
    token = SystemToken(home)
    bearer(token)
    (home.secrets / "token-key").write_text("k" * 64)
    token.renew()
    assert TokenSigner("k" * 64, API_AUDIENCE).verify(bearer(token))


def test_without_authentication_there_is_no_token(home: Home):
    assert SystemToken(home, auth=False).headers() == []


def test_a_missing_key_says_what_to_run(home: Home):
    (home.secrets / "token-key").unlink()
    with pytest.raises(credentials.MissingCredentialError, match="genie up"):
        SystemToken(home).headers()
