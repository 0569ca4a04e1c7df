"""A worker: a fork of the template process that imports one handler and serves it on the socket it was given.

It reports ``ready`` or ``failed`` once on its report socket, and ends when that closes (the gateway died), on SIGTERM
(after the requests in flight), or with its template process.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import os
import resource
import signal
import socket
import sys
import time
import traceback
from collections.abc import Mapping
from typing import Any, NoReturn

from flask import Flask
from setproctitle import setproctitle
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import create_server

from gateway.providers.process import output
from gateway.providers.process.channel import encode
from gateway.providers.process.log_file import LogFile
from gateway.providers.process.request_log import RequestLog

#: Exit status of a worker whose handler could not be imported.
EXIT_IMPORT_FAILED = 3
_OPEN_FILES = 4096
_DRAIN_POLL_SECONDS = 0.01
_THREAD_STACK_BYTES = 8 * 1024 * 1024
_PR_SET_PDEATHSIG = 1
# Looked up before the fork: the first call of dlopen costs more than everything else here.
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def warm_up() -> None:
    """Do before the fork what the first request of every worker would do: late imports, filled caches."""
    # Even with a socket given, waitress resolves its default address 0.0.0.0:8080, which costs 4 ms.
    Adjustments.listen = []
    app = Flask("warm_up", static_folder=None)
    app.add_url_rule("/", "root", str, methods=["GET", "POST"])
    app.add_url_rule("/<path:path>", "path", lambda path: {"path": path}, methods=["GET", "POST"])
    client = app.test_client()
    for path in ("/", "/a/b?c=d"):
        client.post(path, data=b"{}", headers={"Content-Type": "application/json"})


def run(order: Mapping[str, Any], listener: int, report: int, template_pid: int) -> NoReturn:
    """The whole life of a worker. ``order`` is the gateway's ``fork`` message."""
    _detach(template_pid)
    environment: dict[str, str] = order["environment"]
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.umask(0o077)
    os.chdir(order["work_folder"])
    setproctitle(f"genie worker {order['replica']}")
    log = LogFile(order["log_file"], order["log_fields"])
    streams = output.install(log, environment)
    reporting = socket.socket(fileno=report)
    _limit(order)
    application = _import_application(order["bundle"], log, reporting)
    wrapped = RequestLog(
        application, log, streams, with_access_lines=environment.get("access_log", "true") != "false"
    )
    _serve(wrapped, socket.socket(fileno=listener), reporting, order)
    _end(streams, 0)


def _detach(template_pid: int) -> None:
    os.setsid()
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != template_pid:
        # It died before prctl() could bind us to it.
        os._exit(os.EX_TEMPFAIL)


def _limit(order: Mapping[str, Any]) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _lower(resource.RLIMIT_NOFILE, _OPEN_FILES)
    memory_bytes = order.get("memory_bytes")
    if memory_bytes:
        # RLIMIT_DATA and not RLIMIT_AS: it counts what is written to, not the address space that the shared
        # libraries of the template reserve. What the template and the server's threads have comes on top.
        own = _data_bytes() + order["threads"] * _THREAD_STACK_BYTES
        _lower(resource.RLIMIT_DATA, own + memory_bytes)


def _lower(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))


def _data_bytes() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - hot path, no pathlib needed
            return int(file.read().split()[5]) * resource.getpagesize()
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _import_application(bundle: str, log: LogFile, reporting: socket.socket) -> Any:
    sys.path.insert(0, bundle)
    sys.dont_write_bytecode = True
    try:
        return importlib.import_module("index").application()
    except BaseException as error:  # noqa: BLE001 - sys.exit() in a handler is a failed import as well
        log.write("error", "".join(traceback.format_exception(error)).rstrip())
        reporting.sendall(encode({"event": "failed", "error": summary(error)}))
        os._exit(EXIT_IMPORT_FAILED)


def summary(error: BaseException) -> str:
    """One line that a person can act on."""
    last = traceback.format_exception_only(error)[-1].strip()
    if isinstance(error, SystemExit):
        return f"the handler ended the process while it was imported ({last})"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/function/" in frame.filename]
    if not frames:
        return last
    place = frames[-1]
    return f"{last} (function/{place.filename.rpartition('/function/')[2]}, line {place.lineno})"


class _Lifeline(wasyncore.dispatcher):  # type: ignore[misc] # waitress has no types
    """The report socket in the server's loop: its closing means that the gateway is gone."""

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def handle_read(self) -> None:
        self.handle_close()

    def handle_close(self) -> None:
        os._exit(0)


def _serve(
    application: Any, listener: socket.socket, reporting: socket.socket, order: Mapping[str, Any]
) -> None:
    sockets: dict[int, Any] = {}
    server = create_server(
        application,
        map=sockets,
        sockets=[listener],
        threads=order["threads"],
        asyncore_use_poll=True,
        # The gateway closes idle connections, and it must be the first to do so.
        channel_timeout=365 * 24 * 3600,
        connection_limit=_OPEN_FILES // 2,
        recv_bytes=65536,
        # X-Forwarded-* comes from the gateway, the only one that can reach this socket.
        clear_untrusted_proxy_headers=False,
        ident="",
    )
    stopping: list[int] = []

    def stop(number: int, _: object) -> None:
        stopping.append(number)
        server.pull_trigger()

    signal.signal(signal.SIGTERM, stop)
    reporting.sendall(encode({"event": "ready", "pid": os.getpid()}))
    _Lifeline(reporting, map=sockets)
    gc.freeze()
    while not stopping:
        wasyncore.loop(timeout=60, use_poll=True, map=sockets, count=1)
    _drain(server, sockets)


def _drain(server: Any, sockets: dict[int, Any]) -> None:
    """Answer what is in flight; the gateway sends SIGKILL when it takes too long."""
    server.del_channel()
    server.socket.close()
    wasyncore.loop(timeout=0, use_poll=True, map=sockets, count=1)
    while any(
        channel.requests or channel.request is not None or channel.total_outbufs_len
        for channel in server.active_channels.values()
    ):
        wasyncore.loop(timeout=_DRAIN_POLL_SECONDS, use_poll=True, map=sockets, count=1)


def _end(streams: tuple[output.LineWriter, ...], status: int) -> NoReturn:
    # Not sys.exit(): that would unwind into the template's loop and wait for threads a handler left running.
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()  # noqa: SLF001 - as multiprocessing's forked children do it
    for stream in streams:
        stream.finish_line()
    os._exit(status)
