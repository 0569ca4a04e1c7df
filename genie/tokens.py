"""Bearer tokens, signed with this home's own key."""

from __future__ import annotations

from datetime import timedelta

from clustergenie import credentials
from clustergenie.identity import API_AUDIENCE, Identity, Role, TokenSigner
from clustergenie.settings import Home


def issue(home: Home, role: str, user: str, lifetime: timedelta) -> str:
    """Raises :class:`clustergenie.credentials.MissingCredentialError` when the home was never up."""
    signer = TokenSigner(credentials.read(home, credentials.TOKEN_KEY), API_AUDIENCE)
    return signer.issue(Identity(user, Role.parse(role)), lifetime)
