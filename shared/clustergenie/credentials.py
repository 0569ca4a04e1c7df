"""The secrets an instance makes for itself, one file each below ``$GENIE_HOME/secrets``, mode 600."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from clustergenie.settings import Home

#: Who signs in first; an admin.
ADMIN_USER = "admin"
#: Files :func:`ensure` makes, beside the user's name.
BASIC_AUTH_USER = "basic-auth-user"
BASIC_AUTH_PASSWORD = "basic-auth-password"  # noqa: S105  (a file's name)
TOKEN_KEY = "token-key"  # noqa: S105  (a file's name)
IDENTITY_KEY = "identity-key"
_KEY_BYTES = 32
_PASSWORD_BYTES = 18


class MissingCredentialError(Exception):
    """The secret was never made; the text says how to make it."""


def ensure(home: Home) -> None:
    """Make what is missing, keep what is there. Safe to run at the same time from several processes."""
    home.secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
    _create(home.secrets / BASIC_AUTH_USER, ADMIN_USER)
    _create(home.secrets / BASIC_AUTH_PASSWORD, secrets.token_urlsafe(_PASSWORD_BYTES))
    _create(home.secrets / TOKEN_KEY, secrets.token_hex(_KEY_BYTES))
    _create(home.secrets / IDENTITY_KEY, secrets.token_hex(_KEY_BYTES))


def read(home: Home, name: str) -> str:
    """The secret's text without surrounding space; raises :class:`MissingCredentialError`."""
    try:
        text = (home.secrets / name).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        text = ""
    if not text:
        raise MissingCredentialError(f"{home.secrets / name} is missing or empty; run: genie up")
    return text


def _create(path: Path, value: str) -> None:
    if path.exists() and path.stat().st_size:
        path.chmod(0o600)
        return
    # Written whole under another name and then linked: a reader sees all of it or nothing, and of two writers
    # the first wins, so that nobody holds a key that is replaced a moment later.
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        _write_private(draft, value)
        _publish(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _publish(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)
    except FileExistsError:
        if not path.stat().st_size:
            draft.replace(path)


def _write_private(path: Path, value: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(value + "\n")
        file.flush()
        os.fsync(file.fileno())
