"""What this process says about itself: one JSON object per line on standard output."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import TextIO

import orjson

from clustergenie.clock import rfc3339, system_clock

#: A client library says the same thing at most this often, in seconds: while Kafka is away it would on every try.
QUIET_SECONDS = 60.0
_LEVELS = {"WARNING": "warning", "INFO": "info", "DEBUG": "debug"}


class JsonLines(logging.Formatter):
    """The log line of ARCHITECTURE.md, without what only functions have."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "ts": rfc3339(system_clock()),
            "level": _LEVELS.get(record.levelname, "error"),
            "service": "clustergenie",
            "component": "triggers",
            "logger": record.name,
            "msg": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()


class OncePerWhile(logging.Filter):
    """Lets each message of a library pass once per :data:`QUIET_SECONDS`."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(("aiokafka", "redis", "sqlalchemy")):
            return True
        # The template, not the text: ids and counts in it are few in number but never the same twice.
        what, now = (record.name, str(record.msg)), self._now()
        if now - self._said.get(what, -QUIET_SECONDS) < QUIET_SECONDS:
            return False
        self._said[what] = now
        return True


def configure(stream: TextIO = sys.stdout) -> None:
    """Send the root logger to ``stream``. Called once, by the program."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    handler.addFilter(OncePerWhile())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # At INFO aiokafka tells of every join and rebalance; our own lines say what came of it.
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    # At INFO watchfiles tells of every log line that any function writes.
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
