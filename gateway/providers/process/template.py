"""The gateway's side of a template process: started, obeyed, restarted when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from gateway.providers.process.channel import ChannelClosedError, Inbox, Outbox
from gateway.providers.process.timing import Backoff, Scheduled, Timer

#: A template that lived this long is not in a crash loop, in seconds.
STABLE_SECONDS = 10.0
#: Time to import everything after its start, in seconds; beyond it the process is taken to hang.
LOAD_SECONDS = 60.0
#: Time to end by itself after its control socket closed, in seconds.
_END_SECONDS = 5.0
_log = logging.getLogger(__name__)


class TemplateListener(Protocol):
    """What a template tells; all calls happen on the event loop."""

    def template_event(self, event: dict[str, Any]) -> None:
        """``forked`` (replica, pid) or ``exited`` (replica, status)."""

    def template_started(self, template: Template) -> None:
        """It is running again and takes orders."""

    def template_ended(self, template: Template, error: str) -> None:
        """It died, and its workers with it. It starts again by itself after a while."""


class Template:
    """One template process for ``python``. Orders may be given from :meth:`start` on; they wait for the preload."""

    def __init__(
        self, python: Path, log_file: Path, listener: TemplateListener, timer: Timer, backoff: Backoff
    ) -> None:
        self.python = python
        self._log_file = log_file
        self._listener = listener
        self._timer = timer
        self._backoff = backoff
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._inbox: Inbox | None = None
        self._outbox: Outbox | None = None
        self._restart: Scheduled | None = None
        self._started_at = 0.0
        self._error = ""
        self.is_loading = False
        """Started, and still importing: orders wait."""
        self._ends: set[asyncio.Future[int]] = set()

    @property
    def is_running(self) -> bool:
        return self._control is not None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self.is_running else None

    def start(self) -> None:
        """Start the process; raises OSError when the interpreter cannot be started."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = self._spawn(theirs.fileno())
        ours.setblocking(False)
        self._control, self._inbox, self._outbox = ours, Inbox(ours), Outbox(ours)
        self._started_at, self._error = self._timer.now(), ""
        self.is_loading = True
        self._timer.after(LOAD_SECONDS, functools.partial(self._load_timed_out, self._process))
        asyncio.get_running_loop().add_reader(ours.fileno(), self._readable)

    def _spawn(self, control: int) -> subprocess.Popen[bytes]:
        command = [str(self.python), "-I", "-m", "gateway.providers.process.template_process", str(control)]
        self._log_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._log_file.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own module in our own interpreter
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=essential_environment(),
                pass_fds=(control,),
                start_new_session=True,
            )

    def fork(self, order: dict[str, Any], descriptors: Sequence[int]) -> None:
        """Order a worker; ``descriptors`` (listening socket, report socket) are closed here once sent."""
        self._send({"do": "fork", **order}, descriptors)

    def signal(self, replica: str, number: int) -> None:
        """Signal the worker of ``replica``; the template, its parent, knows whether the pid still is that worker."""
        self._send({"do": "signal", "replica": replica, "signal": int(number)})

    def kill(self) -> None:
        """End it at once: it does not answer."""
        if self._process is not None and self.is_running:
            self._process.kill()

    async def stop(self) -> None:
        """Close its control socket, upon which it kills its workers and ends; returns when it has."""
        if self._restart is not None:
            self._restart.cancel()
            self._restart = None
        if self.is_running:
            self._close()
        await asyncio.gather(*self._ends, return_exceptions=True)

    def _send(self, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        if self._outbox is None:
            for descriptor in descriptors:
                os.close(descriptor)
            return
        self._outbox.put(message, descriptors)
        self._flush()

    def _flush(self) -> None:
        if self._outbox is None or self._control is None:
            return
        loop = asyncio.get_running_loop()
        try:
            done = self._outbox.flush()
        except ChannelClosedError:
            # The reader sees the same and does what is to be done, outside the caller's own step.
            return
        if done:
            loop.remove_writer(self._control.fileno())
        else:
            loop.add_writer(self._control.fileno(), self._flush)

    def _readable(self) -> None:
        if self._inbox is None:
            return
        try:
            for event in self._inbox.receive():
                self._take(event)
        except BlockingIOError:
            return
        except ChannelClosedError:
            self._ended()

    def _take(self, event: dict[str, Any]) -> None:
        if event["event"] == "fatal":
            self._error = event["error"]
        elif event["event"] == "hello":
            self.is_loading = False
        else:
            self._listener.template_event(event)

    def _load_timed_out(self, process: subprocess.Popen[bytes]) -> None:
        if self.is_loading and self._process is process:
            self._error = f"it had not imported its packages after {LOAD_SECONDS:g} s"
            self.kill()

    def _ended(self) -> None:
        error = f"the template process ended ({self._error or f'see {self._log_file}'})"
        if self._timer.now() - self._started_at >= STABLE_SECONDS:
            self._backoff.reset()
        self._close()
        delay = self._backoff.next_seconds()
        _log.error("%s; starting it again in %.2f s", error, delay)
        self._restart = self._timer.after(delay, self._start_again)
        self._listener.template_ended(self, error)

    def _start_again(self) -> None:
        self._restart = None
        try:
            self.start()
        except OSError as error:
            delay = self._backoff.next_seconds()
            _log.error("cannot start %s: %s; trying again in %.2f s", self.python, error, delay)
            self._restart = self._timer.after(delay, self._start_again)
            return
        self._listener.template_started(self)

    def _close(self) -> None:
        control, process, outbox = self._control, self._process, self._outbox
        self._control = self._inbox = self._outbox = None
        if control is None or process is None or outbox is None:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(control.fileno())
        loop.remove_writer(control.fileno())
        outbox.discard()
        control.close()
        end = loop.run_in_executor(None, _wait, process)
        self._ends.add(end)
        end.add_done_callback(self._ends.discard)


def _wait(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


def essential_environment() -> dict[str, str]:
    """What every process may inherit: where programs lie, language and time zone; never the gateway's own settings."""
    kept = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")
    return {name: os.environ[name] for name in kept if name in os.environ}
