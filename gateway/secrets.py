"""Secrets of functions: files ``<namespace>/<name>`` below ``home.function_secrets``, readable by the owner only."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

from clustergenie.settings import DEFAULT_NAMESPACE

#: Largest secret taken, in bytes (Kubernetes has the same limit).
MAX_SECRET_BYTES = 1024 * 1024
_MAX_NAME_CHARACTERS = 253
_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*\Z")
_NAMESPACE = re.compile(rf"{_LABEL}\Z")


class SecretError(Exception):
    """The name or value is not acceptable (answer: 400); base of what else can go wrong here."""


class SecretExistsError(SecretError):
    """Create was asked for a name that is taken (answer: 409)."""


class UnknownSecretError(SecretError):
    """There is no such secret (answer: 404)."""


class SecretStore:
    """The secrets below ``root``. What is answered as done is on the disk."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def list(self, namespace: str = DEFAULT_NAMESPACE) -> list[str]:
        """Names only, sorted."""
        folder = self._folder(namespace)
        if not folder.is_dir():
            return []
        return sorted(file.name for file in folder.iterdir() if _SUBDOMAIN.match(file.name))

    def read(self, name: str, namespace: str = DEFAULT_NAMESPACE) -> bytes:
        """The value; raises :class:`UnknownSecretError`."""
        try:
            return self._file(name, namespace).read_bytes()
        except FileNotFoundError:
            raise _unknown(name, namespace) from None

    def create(self, name: str, value: bytes, namespace: str = DEFAULT_NAMESPACE) -> None:
        """Store a new secret; raises :class:`SecretExistsError` or :class:`SecretError`."""
        file = self._file(name, namespace)
        with _written(file, value) as temporary:
            try:
                # link() and not rename(): of two that create the same name, one must lose.
                file.hardlink_to(temporary)
            except FileExistsError:
                raise SecretExistsError(
                    f"secret {name} exists already in {namespace}; update it instead"
                ) from None

    def update(self, name: str, value: bytes, namespace: str = DEFAULT_NAMESPACE) -> None:
        """Replace a value at once; raises :class:`UnknownSecretError` or :class:`SecretError`."""
        file = self._file(name, namespace)
        if not file.exists():
            raise _unknown(name, namespace)
        with _written(file, value) as temporary:
            temporary.replace(file)

    def delete(self, name: str, namespace: str = DEFAULT_NAMESPACE) -> None:
        """Remove it; raises :class:`UnknownSecretError`."""
        file = self._file(name, namespace)
        try:
            file.unlink()
        except FileNotFoundError:
            raise _unknown(name, namespace) from None
        _sync(file.parent)

    def _folder(self, namespace: str) -> Path:
        if not _NAMESPACE.match(namespace):
            raise SecretError(f"namespace {namespace!r} is not valid; use lower-case letters, digits and '-'")
        return self._root / namespace

    def _file(self, name: str, namespace: str) -> Path:
        if len(name) > _MAX_NAME_CHARACTERS or not _SUBDOMAIN.match(name):
            raise SecretError(
                f"secret name {name!r} is not valid; use lower-case letters, digits, '-' and '.' (DNS-1123)"
            )
        return self._folder(namespace) / name


def _unknown(name: str, namespace: str) -> UnknownSecretError:
    return UnknownSecretError(
        f"secret {name} does not exist in {namespace}; create it with: faas-cli secret create {name}"
    )


@contextlib.contextmanager
def _written(file: Path, value: bytes) -> Iterator[Path]:
    """A finished temporary file beside ``file`` with ``value`` in it; the block gives it the name."""
    if len(value) > MAX_SECRET_BYTES:
        raise SecretError(f"secret {file.name} has {len(value)} bytes; at most {MAX_SECRET_BYTES} are stored")
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The leading underscore can be no secret's name, so a leftover is never listed.
    temporary = file.parent / f"_{secrets.token_hex(8)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(value)
            out.flush()
            os.fsync(out.fileno())
        yield temporary
        _sync(file.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
