"""A record of a ``logs.*`` topic made into a log line, whatever a program printed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from clustergenie.clock import from_millis, parse_rfc3339
from clustergenie.logs.lines import LEVELS, LogLine

#: Longest message that is kept, in characters.
MAX_MESSAGE_CHARACTERS = 64 * 1024
_TOPIC_PREFIX = "logs."
_LEVELS = {
    "trace": "debug", "warn": "warning", "err": "error", "fatal": "error", "critical": "error", "panic": "error",
    "notice": "info", **{level: level for level in LEVELS},
}  # fmt: skip
_KNOWN = frozenset(
    {"ts", "timestamp", "level", "service", "function", "env", "environment", "instance", "msg", "message",
     "call_id", "trace_id", "job_id"}
)  # fmt: skip


@dataclass(frozen=True)
class LogRecord:
    """One record as the connector delivers it in a batch."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    value: str
    headers: Mapping[str, str]

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> LogRecord:
        """Raises ValueError naming the field that is missing."""
        try:
            return cls(
                topic=str(record["topic"]),
                partition=int(record["partition"]),
                offset=int(record["offset"]),
                timestamp_ms=int(record["timestamp_ms"]),
                value=str(record.get("value") or ""),
                headers=record.get("headers") or {},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a record of a batch: {error!r}") from error


def enrich(record: LogRecord, *, env: str) -> LogLine:
    """Never fails: what is not a JSON object is a message by itself."""
    fields = _parse(record.value)
    moment = _moment(fields.get("ts", fields.get("timestamp")), record.timestamp_ms)
    return LogLine(
        ts=moment,
        level=_LEVELS.get(_text(fields, "level").lower(), "info"),
        function=_text(fields, "function") or _function(record),
        msg=(_text(fields, "msg") or _text(fields, "message"))[:MAX_MESSAGE_CHARACTERS],
        service=_text(fields, "service") or "clustergenie",
        env=_text(fields, "env") or _text(fields, "environment") or env,
        instance=_text(fields, "instance") or record.headers.get("instance", ""),
        call_id=_text(fields, "call_id"),
        trace_id=_text(fields, "trace_id"),
        job_id=_text(fields, "job_id"),
        more={name: value for name, value in fields.items() if name not in _KNOWN},
        # With its time: a broker that starts anew counts its offsets from 0 again.
        position=f"{record.topic}/{record.partition}/{record.offset}/{record.timestamp_ms}",
        sequence=record.offset,
    )


def _parse(value: str) -> dict[str, Any]:
    if value.startswith("{"):
        try:
            fields = orjson.loads(value)
        except orjson.JSONDecodeError:
            fields = None
        if isinstance(fields, dict):
            return fields
    return {"msg": value.rstrip("\n")}


def _function(record: LogRecord) -> str:
    return record.headers.get("function") or record.topic.removeprefix(_TOPIC_PREFIX)


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()


def _moment(value: object, fallback_ms: int) -> datetime:
    if isinstance(value, str):
        try:
            return parse_rfc3339(value)
        except ValueError:
            pass
    return from_millis(max(0, fallback_ms))
