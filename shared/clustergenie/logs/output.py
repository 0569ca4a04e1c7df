"""JSON log lines on a stream, for functions that run outside our process provider (whose workers have their own)."""

from __future__ import annotations

import logging
import os
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson

from clustergenie.clock import rfc3339
from clustergenie.logs.context import current

_LEVELS = {"CRITICAL": "error", "ERROR": "error", "WARNING": "warning", "DEBUG": "debug"}


class JsonFormatter(logging.Formatter):
    """One JSON object per record, with the ids of the request it belongs to. Tracebacks are part of ``msg``."""

    def __init__(self, **fields: str) -> None:
        super().__init__()
        self._fields = {"service": "clustergenie", **fields}

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "ts": rfc3339(datetime.fromtimestamp(record.created, UTC)),
            "level": _LEVELS.get(record.levelname, "info"),
            **self._fields,
            **current(),
            # The parent class knows how to append a traceback.
            "msg": super().format(record),
            "logger": record.name,
        }
        return orjson.dumps(line, default=str).decode()


def install(stream: TextIO | None = None, **fields: str) -> None:
    """Send the root logger's records to ``stream`` (standard error) as JSON, unless somebody has set it up already."""
    root = logging.getLogger()
    if root.handlers:
        return
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(**fields))
    root.addHandler(handler)
    root.setLevel(
        logging.getLevelNamesMapping().get(os.environ.get("LOG_LEVEL", "INFO").upper(), logging.INFO)
    )
