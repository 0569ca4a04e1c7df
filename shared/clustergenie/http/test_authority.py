from datetime import timedelta

import pytest

from clustergenie.http import _authority
from clustergenie.http._authority import Authority
from clustergenie.http.errors import ForbiddenError, UnauthenticatedError
from clustergenie.identity import ANONYMOUS, API_AUDIENCE, FUNCTION_AUDIENCE, Identity, Role, TokenSigner

KEY = "k" * 64


class Time:
    now = 1_000_000.0

    def __call__(self):
        return self.now


def token(role, time, audience=FUNCTION_AUDIENCE, name="u1"):
    return TokenSigner(KEY, audience, now=time).issue(Identity(name, role), timedelta(seconds=60))


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("needed", list(Role))
def test_a_role_includes_those_before_it(role, needed):
    time = Time()
    authority = Authority(KEY, now=time)
    if role >= needed:
        assert authority.admit(token(role, time), needed) == Identity("u1", role)
        return
    with pytest.raises(ForbiddenError, match=needed.word):
        authority.admit(token(role, time), needed)


def test_an_identity_that_was_verified_still_ends_in_time():
    time = Time()
    authority, shown = Authority(KEY, now=time), token(Role.ADMIN, time)
    authority.admit(shown, Role.ADMIN)
    time.now += 61
    with pytest.raises(UnauthenticatedError, match="expired"):
        authority.admit(shown, Role.ADMIN)


def test_a_bearer_token_is_no_forwarded_identity():
    time = Time()
    with pytest.raises(UnauthenticatedError):
        Authority(KEY, now=time).admit(token(Role.ADMIN, time, API_AUDIENCE), Role.VIEWER)


def test_nobody_is_enough_for_what_is_public_and_for_nothing_else():
    assert Authority(KEY).admit(None, Role.PUBLIC) == ANONYMOUS
    with pytest.raises(UnauthenticatedError):
        Authority(KEY).admit(None, Role.VIEWER)


def test_a_forged_identity_is_refused_even_where_none_is_needed():
    with pytest.raises(UnauthenticatedError):
        Authority(KEY).admit("forged", Role.PUBLIC)


def test_what_is_remembered_is_bounded():
    time = Time()
    authority = Authority(KEY, now=time)
    for number in range(_authority.REMEMBERED + 20):
        authority.admit(token(Role.ADMIN, time, name=f"u{number}"), Role.ADMIN)
    assert len(authority._verified) == _authority.REMEMBERED
