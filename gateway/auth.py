"""Who is calling: HTTP Basic for ``/system``, bearer tokens for functions with a role."""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from clustergenie.identity import ANONYMOUS, Identity, InvalidTokenError, Role, TokenSigner
from gateway.wire.message import Request

#: How long a function may rely on a forwarded identity; longer than any request is queued.
FORWARDED_LIFETIME = timedelta(minutes=10)
#: A cached forwarded identity is used while at least this much of its lifetime is left, in seconds.
_FORWARDED_RESERVE_SECONDS = 300.0
#: Verified tokens remembered; the cache is emptied when full, which costs one verification each.
_CACHE_ENTRIES = 4096


class UnauthenticatedError(Exception):
    """Credentials are missing or wrong; the text says what is expected (answer: 401)."""


@dataclass(frozen=True)
class Caller:
    """An identity together with the signed form that functions verify."""

    identity: Identity
    forwarded: bytes
    """Value of ``X-Genie-Identity``; empty for anonymous callers."""


NOBODY = Caller(ANONYMOUS, b"")


@dataclass(frozen=True)
class _Verified:
    caller: Caller
    ends: float
    forwarded_until: float


class BearerAuthenticator:
    """Verifies bearer tokens; repeated tokens cost one dict look-up."""

    def __init__(
        self, tokens: TokenSigner, forwarding: TokenSigner, *, now: Callable[[], float] = time.time
    ) -> None:
        self._tokens = tokens
        self._forwarding = forwarding
        self._now = now
        self._cache: dict[bytes, _Verified] = {}

    def identify(self, request: Request) -> Caller:
        """The caller; :data:`NOBODY` without credentials. Raises :class:`UnauthenticatedError` for bad ones."""
        header = request.header(b"authorization")
        if header is None:
            return NOBODY
        cached = self._cache.get(header)
        now = self._now()
        if cached is not None and now < cached.ends and now < cached.forwarded_until:
            return cached.caller
        return self._verify(header, now)

    def _verify(self, header: bytes, now: float) -> Caller:
        scheme, _, token = header.partition(b" ")
        if scheme.lower() != b"bearer":
            raise UnauthenticatedError("use a bearer token; get one with: genie token")
        try:
            identity, ends = self._tokens.verify(token.strip().decode("ascii"))
        except (InvalidTokenError, UnicodeDecodeError) as error:
            raise UnauthenticatedError(str(error)) from error
        return self._remember(header, identity, ends, now)

    def _remember(self, header: bytes, identity: Identity, ends: float, now: float) -> Caller:
        forwarded = self._forwarding.issue(identity, FORWARDED_LIFETIME).encode("ascii")
        until = now + FORWARDED_LIFETIME.total_seconds() - _FORWARDED_RESERVE_SECONDS
        caller = Caller(identity, forwarded)
        if len(self._cache) >= _CACHE_ENTRIES:
            self._cache.clear()
        self._cache[header] = _Verified(caller, ends, until)
        return caller


class OpenAuthenticator:
    """``genie up --no-auth``: everybody is the administrator, whatever they send."""

    def __init__(self, forwarding: TokenSigner, *, now: Callable[[], float] = time.time) -> None:
        self._forwarding = forwarding
        self._now = now
        self._caller = NOBODY
        self._until = 0.0

    def identify(self, request: Request) -> Caller:  # noqa: ARG002 - the shape of an authenticator
        now = self._now()
        if now >= self._until:
            identity = Identity("local", Role.ADMIN)
            self._caller = Caller(
                identity, self._forwarding.issue(identity, FORWARDED_LIFETIME).encode("ascii")
            )
            self._until = now + FORWARDED_LIFETIME.total_seconds() - _FORWARDED_RESERVE_SECONDS
        return self._caller


class BasicAuthenticator:
    """The one administrator of ``/system`` (contract section 2). ``None`` as password: auth is off."""

    def __init__(self, user: str, password: str | None) -> None:
        self._expected = None if password is None else f"{user}:{password}".encode()

    def admits(self, request: Request) -> bool:
        """Compares in constant time; any Authorization header is ignored while auth is off."""
        if self._expected is None:
            return True
        scheme, _, encoded = (request.header(b"authorization") or b"").partition(b" ")
        if scheme.lower() != b"basic":
            return False
        try:
            shown = base64.b64decode(encoded.strip(), validate=True)
        except binascii.Error:
            return False
        return hmac.compare_digest(shown, self._expected)
