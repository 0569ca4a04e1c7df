"""Which functions are deployed, as the gateway lists them: shared by every trigger that reads annotations."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote

import orjson

from clustergenie import credentials
from clustergenie.settings import DEFAULT_NAMESPACE, Home
from gateway.wire.errors import WireError
from gateway.wire.message import Answer
from triggers.changes import ChangeLog

#: Longest time between two listings when nobody wakes the directory, in seconds.
INTERVAL_SECONDS = 5.0
#: The same until the first listing succeeded, in seconds: the gateway is starting too.
FIRST_INTERVAL_SECONDS = 0.25
#: Time for one request to the gateway's API, in seconds.
_TIMEOUT_SECONDS = 10.0
_OK = 200

log = logging.getLogger(__name__)


class Http(Protocol):
    """What is needed of :class:`gateway.wire.client.HttpClient`."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        timeout_seconds: float = ...,
    ) -> Answer: ...


@dataclass(frozen=True)
class Function:
    """What a trigger needs to know of a deployed function."""

    name: str
    namespace: str
    annotations: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


class DirectoryError(Exception):
    """The gateway did not list its functions; the message says what it answered."""


class Directory:
    """Keeps :attr:`functions` up to date and tells those who wait in :meth:`changed`.

    A listing that fails changes nothing: not knowing is not the same as having no functions.
    """

    def __init__(self, http: Http, home: Home, wake: asyncio.Event) -> None:
        self._http = http
        self._home = home
        self._wake = wake
        self.name = "directory"
        self._changes = ChangeLog(log, "the list of functions")
        self._changed = asyncio.Condition()
        self.functions: tuple[Function, ...] | None = None
        """None until the first listing succeeded."""

    async def changed(self, known: tuple[Function, ...] | None) -> tuple[Function, ...]:
        """Wait until the functions are listed and differ from ``known``, and answer them."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.functions is not None and self.functions != known)
            return self.functions or ()

    async def run(self) -> None:
        """Refresh until cancelled: at every wake-up and every :data:`INTERVAL_SECONDS`."""
        while True:
            await self._refresh()
            try:
                async with asyncio.timeout(
                    INTERVAL_SECONDS if self.functions is not None else FIRST_INTERVAL_SECONDS
                ):
                    await self._wake.wait()
            except TimeoutError:
                continue
            finally:
                self._wake.clear()

    async def _refresh(self) -> None:
        try:
            listed = await self._list()
        except (WireError, DirectoryError, credentials.MissingCredentialError, OSError) as error:
            self._changes.failed(error)
            return
        self._changes.recovered()
        if listed != self.functions:
            async with self._changed:
                self.functions = listed
                self._changed.notify_all()

    async def _list(self) -> tuple[Function, ...]:
        namespaces = await self._get("/system/namespaces")
        found = [
            _function(item)
            for namespace in (namespaces if isinstance(namespaces, list) and namespaces else [""])
            for item in await self._listing(str(namespace))
        ]
        return tuple(sorted(found, key=lambda function: (function.namespace, function.name)))

    async def _listing(self, namespace: str) -> list[Mapping[str, object]]:
        query = f"?namespace={quote(namespace)}" if namespace else ""
        listed = await self._get(f"/system/functions{query}")
        if not isinstance(listed, list):
            raise DirectoryError("GET /system/functions answered no list")
        return [item for item in listed if isinstance(item, dict) and isinstance(item.get("name"), str)]

    async def _get(self, path: str) -> object:
        headers = [("Authorization", self._basic())]
        answer = await self._http.request("GET", path, headers=headers, timeout_seconds=_TIMEOUT_SECONDS)
        if answer.status != _OK:
            raise DirectoryError(
                f"GET {path} answered {answer.status}: {answer.body[:200].decode(errors='replace')}"
            )
        try:
            return orjson.loads(answer.body or b"null")
        except orjson.JSONDecodeError as error:
            raise DirectoryError(f"GET {path} answered what is not JSON: {error}") from error

    def _basic(self) -> str:
        # Read each time: a rotated password is picked up without a restart.
        user = credentials.read(self._home, credentials.BASIC_AUTH_USER)
        password = credentials.read(self._home, credentials.BASIC_AUTH_PASSWORD)
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")


def _function(item: Mapping[str, object]) -> Function:
    return Function(
        name=str(item["name"]),
        namespace=str(item.get("namespace") or DEFAULT_NAMESPACE),
        annotations=_texts(item.get("annotations")),
        environment=_texts(item.get("envVars")),
    )


def _texts(value: object) -> dict[str, str]:
    return {str(key): str(text) for key, text in value.items()} if isinstance(value, dict) else {}
