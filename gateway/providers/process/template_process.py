"""The template process: everything imported, nothing running; each worker is a fork of it.

Run by the gateway as ``python -I -m gateway.providers.process.template_process FD`` with one end of a socket pair.
Messages in: ``fork`` (with the worker's listening socket and report socket), ``signal``. Messages out: ``hello`` (preloaded),
``forked``, ``exited``. When the control socket closes, the gateway is gone: all workers are killed and this process ends.

It must stay free of threads, connections and clients: a fork copies the memory, not what else uses it.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.util
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

from gateway.providers.process.channel import ChannelClosedError, Inbox, encode

#: Imported before the first fork: what nearly every handler needs.
_PRELOADED = ("flask", "flask.json", "waitress", "waitress.server", "gateway.providers.process.worker")
#: The product's own list (sqlalchemy, pydantic and so on), where the package is installed.
_PRODUCT_PRELOAD = "clustergenie.preload"


def preload() -> None:
    """Import what workers share and take it out of garbage collection, so that their pages stay shared."""
    gc.disable()
    for name in _PRELOADED:
        importlib.import_module(name)
    if _is_installed(_PRODUCT_PRELOAD):
        importlib.import_module(_PRODUCT_PRELOAD)
    worker = importlib.import_module("gateway.providers.process.worker")
    worker.warm_up()
    gc.collect()
    gc.freeze()
    gc.enable()


def _is_installed(name: str) -> bool:
    package = name.rpartition(".")[0]
    return importlib.util.find_spec(package) is not None and importlib.util.find_spec(name) is not None


class TemplateProcess:
    """Forks on request and tells of the ends; holds the pids of running workers."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._inbox = Inbox(control)
        self._workers: dict[int, str] = {}
        self._woken, self._wake = socket.socketpair()
        for end in (self._woken, self._wake):
            end.setblocking(False)

    def run(self) -> None:
        """Until the control socket closes. Workers are killed before it returns."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        poller = select.poll()
        poller.register(self._control, select.POLLIN)
        poller.register(self._woken, select.POLLIN)
        try:
            self._send({"event": "hello", "pid": os.getpid()})
            while True:
                self._turn({descriptor for descriptor, _ in poller.poll()})
        except ChannelClosedError:
            for pid in self._workers:
                _kill_group(pid, signal.SIGKILL)

    def _turn(self, readable: set[int]) -> None:
        if self._woken.fileno() in readable:
            self._woken.recv(4096)
            self._reap()
        if self._control.fileno() in readable:
            for message in self._inbox.receive():
                self._obey(message)

    def _obey(self, message: dict[str, Any]) -> None:
        if message["do"] == "fork":
            self._fork(message)
        elif message["do"] == "signal":
            self._signal(message["replica"], message["signal"])

    def _fork(self, message: dict[str, Any]) -> None:
        listener, report = self._inbox.descriptor(), self._inbox.descriptor()
        pid = os.fork()
        if pid == 0:
            self._become_worker(message, listener, report)
        os.close(listener)
        os.close(report)
        self._workers[pid] = message["replica"]
        self._send({"event": "forked", "replica": message["replica"], "pid": pid})

    def _become_worker(self, message: dict[str, Any], listener: int, report: int) -> NoReturn:
        template_pid = os.getppid()
        try:
            from gateway.providers.process import worker  # noqa: PLC0415 - imported by preload() already

            signal.set_wakeup_fd(-1)
            for end in (self._control, self._woken, self._wake):
                end.close()
            worker.run(message, listener, report, template_pid)
        except BaseException:  # noqa: BLE001 - nothing may unwind into the template's own loop
            traceback.print_exc()
        finally:
            os._exit(os.EX_SOFTWARE)

    def _signal(self, replica: str, number: int) -> None:
        for pid, name in self._workers.items():
            if name == replica:
                # SIGTERM is for the worker to drain on; SIGKILL also takes what it has started.
                _kill_group(pid, number) if number == signal.SIGKILL else os.kill(pid, number)

    def _reap(self) -> None:
        while self._workers:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            # What the worker forked is in its process group and must not outlive it.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
            replica = self._workers.pop(pid)
            self._send({"event": "exited", "replica": replica, "status": os.waitstatus_to_exitcode(status)})

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._control.sendall(encode(message))
        except OSError:
            raise ChannelClosedError from None


def _kill_group(pid: int, number: int) -> None:
    for kill in (os.killpg, os.kill):
        # Before its setsid() a worker has no group of its own; after its end it has no pid.
        try:
            kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue


def main(arguments: Sequence[str]) -> None:
    control = socket.socket(fileno=int(arguments[1]))
    # Not inherited by what a handler starts.
    control.set_inheritable(False)
    try:
        preload()
    except Exception as error:
        control.sendall(
            encode({"event": "fatal", "error": traceback.format_exception_only(error)[-1].strip()})
        )
        raise
    from setproctitle import setproctitle  # noqa: PLC0415 - after the preload, like everything heavy

    setproctitle("genie template")
    TemplateProcess(control).run()


if __name__ == "__main__":
    main(sys.argv)
