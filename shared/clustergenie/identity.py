"""Who calls, and what they may do.

Two signed texts share one form (JWT, HS256): the *bearer token* a person or program shows to the gateway, and the
*forwarded identity* the gateway hands to a function. They are signed with different keys and carry different
audiences, so that one can never be shown in place of the other.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import jwt

#: Header in which the gateway forwards the caller's signed identity to a function.
IDENTITY_HEADER = "X-Genie-Identity"
#: Audience of bearer tokens shown to the gateway.
API_AUDIENCE = "clustergenie-api"
#: Audience of identities forwarded to functions.
FUNCTION_AUDIENCE = "clustergenie-function"
_ALGORITHM = "HS256"


class Role(enum.IntEnum):
    """What a caller may do; each role includes those before it. ``SYSTEM`` is the triggers' own."""

    PUBLIC = 0
    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3
    SYSTEM = 4

    @classmethod
    def parse(cls, text: str) -> Role:
        """``"operator"`` → ``Role.OPERATOR``; raises ValueError naming the accepted words."""
        try:
            return cls[text.upper()]
        except KeyError:
            raise ValueError(f"unknown role {text!r}; use one of {', '.join(r.word for r in cls)}") from None

    @property
    def word(self) -> str:
        """The role as it is written in annotations and tokens."""
        return self.name.lower()


@dataclass(frozen=True)
class Identity:
    """A caller: ``subject`` is a user's id (or a component's name), ``role`` what it may do."""

    subject: str
    role: Role


ANONYMOUS = Identity("anonymous", Role.PUBLIC)


class InvalidTokenError(Exception):
    """The token is malformed, expired, meant for another audience or signed with another key."""


class TokenSigner:
    """Issues and verifies signed identities for one audience with one secret key (32 bytes or more, as text)."""

    def __init__(self, key: str, audience: str, *, now: Callable[[], float] = time.time) -> None:
        self._key = key
        self._audience = audience
        self._now = now

    def issue(self, identity: Identity, lifetime: timedelta) -> str:
        """A token for ``identity`` that ends after ``lifetime``."""
        issued = self._now()
        claims = {
            "sub": identity.subject,
            "role": identity.role.word,
            "aud": self._audience,
            "iat": int(issued),
            "exp": int(issued + lifetime.total_seconds()),
        }
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM)

    def verify(self, token: str) -> tuple[Identity, float]:
        """The identity and the Unix time at which it ends; raises :class:`InvalidTokenError`."""
        claims = self._decode(token)
        if claims["exp"] <= self._now():
            raise InvalidTokenError("the token has expired; sign in again or run: genie token")
        try:
            return Identity(str(claims["sub"]), Role.parse(str(claims["role"]))), float(claims["exp"])
        except ValueError as error:
            raise InvalidTokenError(str(error)) from error

    def _decode(self, token: str) -> dict[str, Any]:
        # Expiry is judged by our own clock above, so that tests can move it.
        options: Any = {"require": ["sub", "role", "exp", "aud"], "verify_exp": False, "verify_iat": False}
        try:
            return jwt.decode(
                token, self._key, algorithms=[_ALGORITHM], audience=self._audience, options=options
            )
        except jwt.InvalidTokenError as error:
            raise InvalidTokenError(f"the token is not valid: {error}") from error
