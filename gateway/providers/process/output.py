"""Standard output, standard error and ``logging`` of a worker, turned into log lines."""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from gateway.providers.process.log_file import LogFile

#: A longer line is cut into several records, in characters.
MAX_LINE_CHARACTERS = 64 * 1024
_TRACEBACK = "Traceback (most recent call last):"
_CHAINED = ("During handling of the above exception", "The above exception was the direct cause")
_LEVELS = {"WARNING": "warning", "WARN": "warning", "ERROR": "error", "CRITICAL": "error", "DEBUG": "debug"}


class _Pending(threading.local):
    """What one thread has printed of a line, and of a traceback, that is not complete."""

    def __init__(self) -> None:
        self.text = ""
        self.traceback: list[str] = []


class LineWriter(io.TextIOBase):
    """A text stream whose lines are log records. Tracebacks stay in one piece; it cannot be closed."""

    def __init__(self, log: LogFile, level: str, descriptor: int) -> None:
        self._log = log
        self._level = level
        self._descriptor = descriptor
        self._pending = _Pending()
        self.buffer = _BinaryWriter(self)

    encoding = "utf-8"
    errors = "backslashreplace"

    def write(self, text: str, /) -> int:
        if text.endswith("\n") and not self._pending.text and _TRACEBACK in text and text.count("\n") > 1:
            # Written at once, so it belongs together: logging does so, with its own line in front.
            self._log.write("error", text.rstrip("\n"))
            return len(text)
        *lines, rest = (self._pending.text + text).split("\n")
        for line in lines:
            self._take(line)
        while len(rest) > MAX_LINE_CHARACTERS:
            self._take(rest[:MAX_LINE_CHARACTERS])
            rest = rest[MAX_LINE_CHARACTERS:]
        self._pending.text = rest
        return len(text)

    def _take(self, line: str) -> None:
        held = self._pending.traceback
        if not held and not line.startswith((_TRACEBACK, *_CHAINED)):
            if line.strip():
                self._log.write_text(self._level, line)
            return
        held.append(line)
        begun = any(entry.startswith(_TRACEBACK) for entry in held)
        if begun and not line.startswith((" ", _TRACEBACK)):
            self._release()

    def _release(self) -> None:
        held, self._pending.traceback = self._pending.traceback, []
        if held:
            self._log.write("error", "\n".join(held))

    def finish_line(self) -> None:
        """Record what this thread printed without an end of line; called after each request and at the end."""
        rest, self._pending.text = self._pending.text, ""
        if rest:
            self._take(rest)
        self._release()

    def flush(self) -> None:
        """Nothing: records are written when their line ends."""

    def close(self) -> None:
        """Nothing: a handler that closes its standard output does not end its log."""

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self._descriptor


class _BinaryWriter(io.RawIOBase):
    """``sys.stdout.buffer``: bytes that are not UTF-8 appear as ``\\xff``."""

    def __init__(self, writer: LineWriter) -> None:
        self._writer = writer

    def write(self, data: Any, /) -> int:
        text = bytes(data).decode("utf-8", "backslashreplace")
        self._writer.write(text)
        return len(data)

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        """Nothing, as for the text side."""


class _RecordHandler(logging.Handler):
    """``logging`` records with their own level, logger and traceback."""

    def __init__(self, log: LogFile) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            level = _LEVELS.get(record.levelname, "info")
            text = self.format(record)
            if text.startswith("{"):
                self._log.write_text(level, text)
            else:
                self._log.write(level, text, logger=record.name)
        except Exception:  # noqa: BLE001 - logging's own way to tell about a bad record
            self.handleError(record)


def install(log: LogFile, environment: Mapping[str, str]) -> tuple[LineWriter, LineWriter]:
    """Replace the standard streams, the root logger's handlers and the hooks for uncaught exceptions."""
    out, err = LineWriter(log, "info", 1), LineWriter(log, "warning", 2)
    sys.stdout, sys.stderr = out, err
    _close_standard_input()
    root = logging.getLogger()
    root.handlers[:] = [_RecordHandler(log)]
    root.setLevel(_level(environment.get("LOG_LEVEL", "INFO")))
    # "Task queue depth": ordinary under load, and the gateway's metrics say it better.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)

    def uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        log.write("error", "".join(traceback.format_exception(kind, error, trace)).rstrip())

    def uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and not issubclass(args.exc_type, SystemExit):
            uncaught(args.exc_type, args.exc_value, args.exc_traceback)

    sys.excepthook = uncaught
    threading.excepthook = uncaught_in_thread
    return out, err


def _close_standard_input() -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    if null:
        os.close(null)


def _level(name: str) -> int:
    return logging.getLevelNamesMapping().get(name.upper(), logging.INFO)
