"""Who is calling, by the identity the gateway signed; checked again here, should somebody reach a worker around it."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from clustergenie.errors import UnavailableError
from clustergenie.http.errors import ForbiddenError, UnauthenticatedError
from clustergenie.identity import (
    ANONYMOUS,
    FUNCTION_AUDIENCE,
    Identity,
    InvalidTokenError,
    Role,
    TokenSigner,
)

#: Identities remembered as verified; the gateway signs one per caller and minute.
REMEMBERED = 256
_EVERYBODY = Identity("local", Role.ADMIN)


class Authority:
    """Verifies forwarded identities with ``key``. ``open_to_all``: everybody is the administrator (loopback only)."""

    def __init__(
        self, key: str | None, *, open_to_all: bool = False, now: Callable[[], float] = time.time
    ) -> None:
        self._signer = TokenSigner(key, FUNCTION_AUDIENCE, now=now) if key else None
        self._open_to_all = open_to_all
        self._now = now
        self._verified: OrderedDict[str, tuple[Identity, float]] = OrderedDict()

    def admit(self, token: str | None, role: Role) -> Identity:
        """Who calls; raises unless they have ``role``. A public function takes everybody, known or not."""
        if self._open_to_all:
            return _EVERYBODY
        if not token:
            if role is Role.PUBLIC:
                return ANONYMOUS
            raise UnauthenticatedError("sign in first: this needs a bearer token (genie token)")
        identity = self._identify(token)
        if identity.role < role:
            raise ForbiddenError(
                f"this needs the role {role.word}; {identity.subject} is {identity.role.word}"
            )
        return identity

    def _identify(self, token: str) -> Identity:
        known = self._verified.get(token)
        if known is not None and known[1] > self._now():
            return known[0]
        if self._signer is None:
            raise UnavailableError("identity check", "this function was not given the secret identity-key")
        try:
            identity, until = self._signer.verify(token)
        except InvalidTokenError as error:
            raise UnauthenticatedError(str(error)) from error
        self._verified[token] = identity, until
        while len(self._verified) > REMEMBERED:
            self._verified.popitem(last=False)
        return identity
