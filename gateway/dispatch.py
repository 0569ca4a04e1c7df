"""The front door: from the path of a request to the room that answers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol
from uuid import uuid4

from clustergenie.identity import Role
from gateway.auth import NOBODY, Caller, UnauthenticatedError
from gateway.fleet import Fleet
from gateway.forward import Forwarding
from gateway.functions import Function
from gateway.problems import reply_problem
from gateway.routes import Missing
from gateway.wire.exchange import Exchange
from gateway.wire.message import Request

_FUNCTION_METHODS = frozenset((b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"HEAD"))
_ALLOW_FUNCTION = (b"Allow", b"DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT")
_CHALLENGE = (b"WWW-Authenticate", b'Bearer realm="ClusterGenie"')


class Authenticator(Protocol):
    def identify(self, request: Request) -> Caller: ...


Page = Callable[[Exchange], None]
"""Answers one of the gateway's own paths."""


class Dispatcher:
    """Called by the server with every request; must not block."""

    def __init__(
        self, fleet: Fleet, authenticator: Authenticator, *, system: Page, pages: Mapping[str, Page]
    ) -> None:
        """``system`` answers everything below ``/system/``; ``pages`` maps whole paths to what answers them."""
        self._fleet = fleet
        self._authenticator = authenticator
        self._system = system
        self._pages = pages

    def __call__(self, exchange: Exchange) -> None:
        path = exchange.request.path
        if path.startswith("/api/"):
            self._route(exchange, path)
        elif path.startswith("/function/"):
            self._function(exchange, path)
        elif path.startswith("/system/"):
            self._system(exchange)
        elif (page := self._pages.get(path)) is not None:
            page(exchange)
        else:
            self._refuse(exchange, 404, f"there is nothing at {path}")

    def _route(self, exchange: Exchange, path: str) -> None:
        page = self._pages.get(path)
        if page is not None:
            page(exchange)
            return
        found = self._fleet.route(exchange.request.method.decode("ascii"), path)
        if not isinstance(found, Missing):
            self._invoke(exchange, found.function, found.path)
        elif found.allowed:
            allow = (b"Allow", ", ".join(found.allowed).encode("ascii"))
            self._refuse(exchange, 405, f"{path} answers only {', '.join(found.allowed)}", allow)
        else:
            self._refuse(exchange, 404, f"there is no operation at {path}")

    def _function(self, exchange: Exchange, path: str) -> None:
        name, _, rest = path[len("/function/") :].partition("/")
        function = self._fleet.table.find(name)
        if function is None:
            self._refuse(
                exchange, 404, f"there is no function {name}; deployed functions are listed by: genie list"
            )
        elif exchange.request.method not in _FUNCTION_METHODS:
            self._refuse(exchange, 405, "functions answer the common HTTP methods only", _ALLOW_FUNCTION)
        else:
            self._invoke(exchange, function, "/" + rest)

    def _invoke(self, exchange: Exchange, function: Function, path: str) -> None:
        caller = NOBODY
        needed = function.policy.role
        if needed > Role.PUBLIC:
            try:
                caller = self._authenticator.identify(exchange.request)
            except UnauthenticatedError as error:
                self._refuse(exchange, 401, str(error), _CHALLENGE)
                return
            if caller is NOBODY:
                self._refuse(exchange, 401, "sign in, or send a bearer token (genie token)", _CHALLENGE)
                return
            if caller.identity.role < needed:
                mine = caller.identity.role.word
                self._refuse(exchange, 403, f"this needs the role {needed.word}; yours is {mine}")
                return
        Forwarding(exchange, function, path, caller).start(self._fleet.wake)

    def _refuse(self, exchange: Exchange, status: int, detail: str, *extra: tuple[bytes, bytes]) -> None:
        shown = exchange.request.header(b"x-call-id")
        request_id = shown.decode("latin-1") if shown is not None else str(uuid4())
        reply_problem(exchange, status, detail, request_id, extra)
