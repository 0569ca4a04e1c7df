"""HTTP to the gateway of a running instance, over one kept connection, with sentences for what goes wrong."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, Self
from urllib.parse import quote, urlencode, urlsplit

from clustergenie import credentials
from clustergenie.settings import Home
from gateway.contract import FunctionDeployment, FunctionKey
from genie.errors import GatewayError

#: Time for one answer, in seconds; the gateway's own deadlines are shorter.
TIMEOUT_SECONDS = 300.0
_OK = 200
_FIRST_REDIRECT = 300
_NOT_FOUND = 404
_CONFLICT = 409


@dataclass(frozen=True)
class Reply:
    status: int
    content_type: str
    body: bytes
    allowed: str = ""
    """The first method that a 405 says it would take."""

    @property
    def ok(self) -> bool:
        return _OK <= self.status < _FIRST_REDIRECT

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")

    @property
    def sentence(self) -> str:
        """What an error says: the ``error`` of a problem document, else its text."""
        try:
            return str(json.loads(self.body)["error"])
        except (ValueError, KeyError, TypeError):
            return self.text.strip() or "no reason given"


class GatewayClient:
    """Requests to ``url`` with ``headers`` on each. Close it, or use it in a ``with``."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._url = url
        self._headers = headers
        parts = urlsplit(url)
        self._connection = HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One exchange, whatever its status. Raises :class:`GatewayError` when nobody answers."""
        response = self._send(method, path, body, headers or {})
        try:
            allowed = response.headers.get("Allow", "").partition(",")[0].strip()
            return Reply(response.status, response.headers.get("Content-Type", ""), response.read(), allowed)
        except (OSError, HTTPException) as error:
            raise GatewayError(f"the gateway at {self._url} broke off its answer: {error}") from error

    def lines(self, path: str) -> Iterator[bytes]:
        """The lines of an answer as they come, until it ends."""
        response = self._send("GET", path, b"", {})
        if response.status != _OK:
            body = response.read()
            reply = Reply(response.status, response.headers.get("Content-Type", ""), body)
            raise GatewayError(reply.sentence, response.status)
        if self._connection.sock is not None:
            self._connection.sock.settimeout(None)  # following may be silent for hours
        yield from response

    def _send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> HTTPResponse:
        try:
            self._connection.request(method, path, body, {**self._headers, **headers})
            return self._connection.getresponse()
        except (OSError, HTTPException) as error:
            self._connection.close()
            raise GatewayError(
                f"the gateway at {self._url} does not answer ({error}); run: genie up"
            ) from error


class SystemApi(GatewayClient):
    """The OpenFaaS management API, ``/system/*``, as the instance's administrator."""

    def __init__(self, url: str, home: Home) -> None:
        user = credentials.read(home, credentials.BASIC_AUTH_USER)
        password = credentials.read(home, credentials.BASIC_AUTH_PASSWORD)
        login = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
        super().__init__(url, {"Authorization": f"Basic {login}", "User-Agent": "genie"})

    def functions(self) -> list[dict[str, Any]]:
        """Every function's status (contract section 4), sorted by name."""
        found: list[dict[str, Any]] = self._json("GET", "/system/functions")
        return sorted(found, key=lambda status: (str(status.get("namespace")), str(status["name"])))

    def function(self, name: str) -> dict[str, Any]:
        reply = self.request("GET", f"/system/function/{quote(name)}?usage=1")
        if reply.status == _NOT_FOUND:
            raise _unknown(name)
        found: dict[str, Any] = json.loads(_expect(reply).body)
        return found

    def deploy(self, deployment: FunctionDeployment) -> None:
        """Create or replace. The gateway changes nothing when spec and image are what runs already."""
        body = deployment.to_json()
        reply = self._send_json("PUT", "/system/functions", body)
        if reply.status == _NOT_FOUND:
            reply = self._send_json("POST", "/system/functions", body)
        _expect(reply)

    def remove(self, name: str) -> None:
        reply = self._send_json("DELETE", "/system/functions", {"functionName": name})
        if reply.status == _NOT_FOUND:
            raise _unknown(name)
        _expect(reply)

    def put_secret(self, name: str, value: str, namespace: str) -> None:
        """Create the secret, or replace its value."""
        body = {"name": name, "namespace": namespace, "value": value}
        reply = self._send_json("POST", "/system/secrets", body)
        if reply.status == _CONFLICT:
            reply = self._send_json("PUT", "/system/secrets", body)
        _expect(reply)

    def log_lines(self, name: str, *, follow: bool, tail: int, since: str) -> Iterator[dict[str, Any]]:
        """``{name, namespace, instance, timestamp, text}`` per line; ``since`` is RFC 3339 or empty."""
        key = FunctionKey.parse(name)
        query = {"name": key.name, "namespace": key.namespace, "follow": str(follow).lower(), "tail": tail}
        if since:
            query["since"] = since
        for line in self.lines(f"/system/logs?{urlencode(query)}"):
            yield json.loads(line)

    def _send_json(self, method: str, path: str, body: object) -> Reply:
        return self.request(method, path, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _json(self, method: str, path: str) -> Any:
        return json.loads(_expect(self.request(method, path)).body)


def _expect(reply: Reply) -> Reply:
    if not reply.ok:
        raise GatewayError(f"the gateway refused ({reply.status}): {reply.sentence}", reply.status)
    return reply


def _unknown(name: str) -> GatewayError:
    return GatewayError(f"there is no function {name}; see: genie list", _NOT_FOUND)
