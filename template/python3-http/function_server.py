"""What makes an image a function: HTTP on one port, health and readiness, and an end that loses no request.

This file is the same in every Python template. It depends on waitress alone, so that an image needs no watchdog binary.
Under the process provider only :func:`with_health` is used: a worker has its own server loop.

Environment: ``port`` (8080), ``write_timeout`` (30s: how long requests in flight may take after SIGTERM),
``healthcheck_interval`` (0s: how long to go on taking requests after SIGTERM, while ``/_/health`` already says 503),
``ready_path`` (none: ``/_/ready`` is answered by the function at this path).
"""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from waitress import wasyncore
from waitress.server import create_server

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

#: Requests worked on at once; more wait inside waitress.
THREADS = 4
#: How often a draining server looks whether its last answer is out, in seconds.
_DRAIN_POLL_SECONDS = 0.02
_DURATION_PART = r"(\d+(?:\.\d+)?)(h|ms|m|s)"
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
#: Server settings shared by every way of running; the gateway closes idle connections first.
WAITRESS = {
    "threads": THREADS,
    "asyncore_use_poll": True,
    "channel_timeout": 365 * 24 * 3600,
    "connection_limit": 1000,
    "recv_bytes": 65536,
    # X-Forwarded-* comes from the gateway, the only one that can reach this server.
    "clear_untrusted_proxy_headers": False,
    "ident": "",
}


def seconds(text: str) -> float:
    """``30``, ``30s``, ``1m30s``, ``500ms`` → seconds; raises ValueError for anything else."""
    if text.isascii() and text.isdigit():
        return float(text)
    parts = re.findall(_DURATION_PART, text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is not a duration; write 30, 30s or 1m30s")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def with_health(application: Wsgi, *, closing: threading.Event | None = None) -> Wsgi:
    """``application`` with ``/_/health`` and ``/_/ready`` in front (GET only); 503 from both once ``closing`` is set."""
    ready_path = os.environ.get("ready_path", "")

    def front(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path not in ("/_/health", "/_/ready"):
            return application(environ, start_response)
        if environ["REQUEST_METHOD"] != "GET":
            return _plain(start_response, "405 Method Not Allowed", [("Allow", "GET")])
        if closing is not None and closing.is_set():
            return _plain(start_response, "503 Service Unavailable")
        if path == "/_/ready" and ready_path:
            return application({**environ, "PATH_INFO": ready_path}, start_response)
        return _plain(start_response, "200 OK")

    return front


def _plain(
    start_response: Callable[..., Any], status: str, headers: Iterable[tuple[str, str]] = ()
) -> list[bytes]:
    body = status.partition(" ")[2].encode()
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body))), *headers])
    return [body]


def serve(application: Callable[[threading.Event], Wsgi]) -> None:
    """Serve until SIGTERM or SIGINT, then drain; returns when the last request is answered or out of time.

    ``application`` is called with the event that says the server is closing.
    """
    closing = threading.Event()
    sockets: dict[int, Any] = {}
    server = create_server(
        application(closing),
        map=sockets,
        host="0.0.0.0",  # inside a container; what is reachable is the runtime's decision
        port=int(os.environ.get("port", "8080")),
        **WAITRESS,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        # The handler only wakes the loop: a byte in waitress's own trigger, so that poll() returns at once.
        signal.signal(number, lambda *_: (closing.set(), server.pull_trigger()))
    while not closing.is_set():
        wasyncore.loop(timeout=30, use_poll=True, map=sockets, count=1)
    _drain(server, sockets)


def _drain(server: Any, sockets: dict[int, Any]) -> None:
    _run_for(seconds(os.environ.get("healthcheck_interval", "0s")), sockets, lambda: False)
    server.del_channel()
    server.socket.close()
    write_timeout = seconds(os.environ.get("write_timeout", "30s"))
    _run_for(write_timeout, sockets, lambda: is_idle(server.active_channels.values()))


def is_idle(channels: Iterable[Any]) -> bool:
    """No channel has a request begun, queued or not yet answered to its last byte."""
    return not any(
        channel.requests or channel.request is not None or channel.total_outbufs_len for channel in channels
    )


def _run_for(limit_seconds: float, sockets: dict[int, Any], is_done: Callable[[], bool]) -> None:
    end = time.monotonic() + limit_seconds
    while True:
        # At least once: it takes in what waits in the backlog and in the connections' buffers.
        wasyncore.loop(timeout=_DRAIN_POLL_SECONDS, use_poll=True, map=sockets, count=1)
        if time.monotonic() >= end or is_done():
            return
