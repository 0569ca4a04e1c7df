"""The bearer token with which the triggers call functions."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from clustergenie import credentials
from clustergenie.identity import API_AUDIENCE, Identity, Role, TokenSigner
from clustergenie.settings import Home

_LIFETIME = timedelta(minutes=15)
#: A token is replaced this long before it ends, because a call may wait at the gateway, in seconds.
_MARGIN_SECONDS = 300.0
_TRIGGERS = Identity("triggers", Role.SYSTEM)


class SystemToken:
    """Signs tokens of role ``system`` from ``token-key``; without authentication (``auth=False``) there are none."""

    def __init__(self, home: Home, *, auth: bool = True, now: Callable[[], float] = time.time) -> None:
        self._home = home
        self._auth = auth
        self._now = now
        self._headers: list[tuple[str, str]] = []
        self._until = 0.0

    def headers(self) -> list[tuple[str, str]]:
        """The Authorization header, if any. Raises :class:`MissingCredentialError` when there is no key."""
        if self._auth and self._now() >= self._until:
            signer = TokenSigner(
                credentials.read(self._home, credentials.TOKEN_KEY), API_AUDIENCE, now=self._now
            )
            self._headers = [("Authorization", f"Bearer {signer.issue(_TRIGGERS, _LIFETIME)}")]
            self._until = self._now() + _LIFETIME.total_seconds() - _MARGIN_SECONDS
        return self._headers

    def renew(self) -> None:
        """The gateway refused the token: read the key again next time."""
        self._until = 0.0
