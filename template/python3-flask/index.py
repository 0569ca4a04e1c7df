"""Serves ``function/handler.py``: ``handle(req)``.

``req`` is the request's body as text (bytes when the environment has ``RAW_BODY`` = ``true`` or ``1``); the request
itself is at hand as ``flask.request``. What ``handle`` returns is Flask's to answer: str, bytes, dict or list (JSON),
Response, a ``(body, status, headers)`` tuple, a generator. GET and POST only.

``application()`` is what a server runs; ``python index.py`` runs it on port 8080, as the image does.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

from flask import Flask, request

from function_server import Wsgi, serve, with_health

Handle = Callable[[Any], Any]
_METHODS = ["GET", "POST"]


def create_app(handle: Handle) -> Flask:
    """A Flask application that calls ``handle`` for every path."""
    app = Flask(__name__, static_folder=None)
    # A doubled slash belongs to the function's path; it is no reason for a redirect.
    app.url_map.merge_slashes = False
    as_text = os.environ.get("RAW_BODY", "").lower() not in ("true", "1")

    def call(path: str = "") -> Any:  # noqa: ARG001 - the handler asks flask.request for it
        return handle(request.get_data(as_text=as_text))

    app.add_url_rule("/", "root", call, methods=_METHODS)
    app.add_url_rule("/<path:path>", "path", call, methods=_METHODS)
    return app


def application(closing: threading.Event | None = None) -> Wsgi:
    """The WSGI application of the handler that lies beside this file, health and readiness included."""
    from function import handler  # noqa: PLC0415 - user code is imported when it is asked for, not by our tests

    handle = getattr(handler, "handle", None)
    if not callable(handle):
        raise TypeError("function/handler.py must define handle(req)")
    return with_health(create_app(handle), closing=closing)


if __name__ == "__main__":
    serve(application)
