"""Serves ``function/handler.py``: ``handle(event, context)``.

``application()`` is what a server runs; ``python index.py`` runs it on port 8080, as the image does.

What ``handle`` may return:

- a dict: ``statusCode`` (200), ``body``, ``headers`` (a dict or a list of pairs), each optional;
- None: an empty answer, 200;
- anything else is Flask's to answer: str, bytes, list (JSON), Response, a ``(body, status, headers)`` tuple, a generator.

A ``body`` that is a dict or a list is sent as JSON; str, bytes and iterators of them are sent as they are, anything else
as its ``str()``. (The original template sends the ``str()`` of bytes and lists, ``b'..'`` and ``['..']``, which no
client wants.)
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

from flask import Flask, request
from werkzeug.datastructures import Headers, MultiDict
from werkzeug.wrappers import Response

from function_server import Wsgi, serve, with_health

_METHODS = ["GET", "PUT", "POST", "PATCH", "DELETE"]
_EMPTY_STATUS = 200


class Event:
    """One request. ``headers`` is a case-insensitive mapping, ``query`` a multi-dict; ``path`` starts with ``/``."""

    # Plain classes: a dataclass is built at import, which costs each cold start a millisecond.
    __slots__ = ("body", "headers", "method", "path", "query")

    def __init__(
        self, body: bytes, headers: Headers, method: str, query: MultiDict[str, str], path: str
    ) -> None:
        self.body = body
        self.headers = headers
        self.method = method
        self.query = query
        self.path = path


class Context:
    """Where the function runs."""

    __slots__ = ("hostname",)

    def __init__(self, hostname: str) -> None:
        self.hostname = hostname


Handle = Callable[[Event, Context], Any]


def create_app(handle: Handle) -> Flask:
    """A Flask application that calls ``handle`` for every path."""
    app = Flask(__name__, static_folder=None)
    # A doubled slash belongs to the function's path; it is no reason for a redirect.
    app.url_map.merge_slashes = False
    context = Context(os.environ.get("HOSTNAME", "localhost"))

    def call(path: str = "") -> Any:  # noqa: ARG001 - the path is taken from the request, with its slash
        return answer(handle(_event(), context))

    app.add_url_rule("/", "root", call, methods=_METHODS)
    app.add_url_rule("/<path:path>", "path", call, methods=_METHODS)
    return app


def _event() -> Event:
    return Event(
        body=request.get_data(),
        headers=request.headers,
        method=request.method,
        query=request.args,
        path=request.path,
    )


def answer(result: Any) -> Any:
    """What Flask is given for what ``handle`` returned."""
    if result is None:
        return "", _EMPTY_STATUS
    if not isinstance(result, dict):
        return result
    headers = result.get("headers") or {}
    return _body(result.get("body")), result.get("statusCode", _EMPTY_STATUS), headers


def _body(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if isinstance(value, dict | list | str | bytes | Iterator | Response):
        return value
    return str(value)


def application(closing: threading.Event | None = None) -> Wsgi:
    """The WSGI application of the handler that lies beside this file, health and readiness included."""
    from function import handler  # noqa: PLC0415 - user code is imported when it is asked for, not by our tests

    handle = getattr(handler, "handle", None)
    if not callable(handle):
        raise TypeError("function/handler.py must define handle(event, context)")
    return with_health(create_app(handle), closing=closing)


if __name__ == "__main__":
    serve(application)
