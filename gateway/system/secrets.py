"""``/system/secrets`` (contract section 8). Values go in and never come out."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from clustergenie.settings import DEFAULT_NAMESPACE
from gateway.secrets import SecretError, SecretExistsError, SecretStore, UnknownSecretError
from gateway.system.http import Call, RefusedError, Result, refusals

#: The general error last: the others are kinds of it.
_STATUS: Mapping[type[Exception], int] = {SecretExistsError: 409, UnknownSecretError: 404, SecretError: 400}


class SecretsApi:
    def __init__(self, secrets: SecretStore) -> None:
        self._secrets = secrets

    async def list(self, call: Call) -> Result:
        namespace = call.query.get("namespace") or DEFAULT_NAMESPACE
        with refusals(_STATUS):
            names = self._secrets.list(namespace)
        return Result.json([{"name": name, "namespace": namespace} for name in names])

    async def create(self, call: Call) -> Result:
        body = _object(call)
        with refusals(_STATUS):
            self._secrets.create(_name(body), _value(body), _namespace(body))
        return Result(202)

    async def update(self, call: Call) -> Result:
        body = _object(call)
        with refusals(_STATUS):
            self._secrets.update(_name(body), _value(body), _namespace(body))
        return Result(202)

    async def delete(self, call: Call) -> Result:
        body = _object(call)
        with refusals(_STATUS):
            self._secrets.delete(_name(body), _namespace(body))
        return Result(202)


def _object(call: Call) -> dict[str, Any]:
    body = call.json()
    if not isinstance(body, dict):
        raise RefusedError(400, "the body must be a JSON object with name and value")
    return body


def _name(body: dict[str, Any]) -> str:
    return str(body.get("name") or "")


def _namespace(body: dict[str, Any]) -> str:
    return str(body.get("namespace") or DEFAULT_NAMESPACE)


def _value(body: dict[str, Any]) -> bytes:
    """``rawValue`` (base64) when it is there, else ``value``."""
    raw = body.get("rawValue")
    if not raw:
        return str(body.get("value") or "").encode()
    try:
        return base64.b64decode(str(raw), validate=True)
    except binascii.Error as error:
        raise RefusedError(400, f"rawValue is not base64: {error}") from error
