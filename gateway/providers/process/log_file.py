"""A replica's log file: one JSON object per line, rotated by size, written by any thread with one system call each."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clustergenie.logs import context

#: A file that reaches this size becomes ``.1`` (replacing the one before), in bytes.
ROTATE_AT_BYTES = 8 * 1024 * 1024
_STANDARD_STREAMS = (1, 2)


class LogFile:
    """Appends log lines. ``fields`` are added to every line that lacks them (service, function, instance)."""

    def __init__(
        self, path: str, fields: Mapping[str, str], *, rotate_at_bytes: int = ROTATE_AT_BYTES
    ) -> None:
        self._path = path
        self._fields = dict(fields)
        self._rotate_at = rotate_at_bytes
        self._lock = threading.Lock()
        self._descriptor = -1
        self._size = 0
        self._open()

    def write(self, level: str, message: str, **more: Any) -> None:
        """One record."""
        self._append(self._record({"level": level, "msg": message, **more}))

    def write_text(self, level: str, text: str) -> None:
        """A text the function printed: a JSON object gets what it lacks, anything else becomes the message."""
        record = _as_object(text)
        if record is None:
            self.write(level, text)
            return
        record.setdefault("level", level)
        record.setdefault("msg", str(record.get("message", "")))
        self._append(self._record(record))

    def _record(self, own: dict[str, Any]) -> dict[str, Any]:
        head: dict[str, Any] = {"ts": _now(), "level": own["level"], **self._fields}
        for name, variable in (
            ("call_id", context.call_id), ("trace_id", context.trace_id), ("job_id", context.job_id)
        ):  # fmt: skip
            value = variable.get()
            if value or name != "job_id":
                head[name] = value
        return head | own

    def _append(self, record: dict[str, Any]) -> None:
        text = json.dumps(record, ensure_ascii=False, default=str)
        # A lone surrogate (undecodable bytes in a path, say) becomes its \\u escape, which is valid JSON.
        line = text.encode("utf-8", "backslashreplace") + b"\n"
        with self._lock:
            if self._size and self._size + len(line) > self._rotate_at:
                self._rotate()
            os.write(self._descriptor, line)
            self._size += len(line)

    def _rotate(self) -> None:
        Path(self._path).replace(f"{self._path}.1")
        old = self._descriptor
        self._open()
        os.close(old)

    def _open(self) -> None:
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._descriptor).st_size
        for stream in _STANDARD_STREAMS:
            # What C code prints before a crash, and what child processes print, lands here too, as it is.
            os.dup2(self._descriptor, stream)


def _as_object(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
