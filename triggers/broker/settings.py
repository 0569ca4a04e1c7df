"""What can be set on the broker, with its defaults; topics override some by their own configs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from triggers.broker.errors import ApiError, ErrorCode
from triggers.broker.log.partition_log import LogLimits

#: Topic configs that change something here, and the field of LogLimits they set.
_NUMBERS = {
    "retention.ms": "retention_ms",
    "retention.bytes": "retention_bytes",
    "segment.bytes": "segment_bytes",
    "max.message.bytes": "max_batch_bytes",
}
#: Topic configs that are accepted only with the value that says what the broker does anyway.
_FIXED = {
    "cleanup.policy": "delete",
    "compression.type": "producer",
    "message.timestamp.type": "CreateTime",
    "min.insync.replicas": "1",
}
#: Smallest segment, so that a topic cannot be made of thousands of files.
_MIN_SEGMENT_BYTES = 1 << 10


@dataclass(frozen=True)
class BrokerSettings:
    data: Path
    """Folder of all that is kept; created with mode 700."""
    host: str = "127.0.0.1"
    port: int = 0
    """0 takes a free port."""
    advertised: str | None = None
    """``host:port`` that clients are sent to; None = the address each client reached us by."""
    partitions: int = 4
    """Of a topic that is created without a count."""
    auto_create: bool = True
    """Create a topic when a client asks for its metadata."""
    limits: LogLimits = field(default_factory=LogLimits)
    """For topics without configs of their own."""
    max_request_bytes: int = 16 << 20
    """A larger request closes the connection."""
    retention_interval_seconds: float = 60.0
    """Between two looks for records that are past their retention."""


def topic_limits(configs: Mapping[str, str | None], defaults: LogLimits) -> LogLimits:
    """The limits of a topic with these configs; raises :class:`ApiError` naming the config and what is accepted."""
    numbers: dict[str, int] = {}
    for name, value in configs.items():
        if name in _NUMBERS:
            numbers[_NUMBERS[name]] = _number(name, value)
        elif name not in _FIXED:
            known = ", ".join(sorted([*_NUMBERS, *_FIXED]))
            raise _refusal(f"topic config {name} is not supported by the embedded broker; it knows {known}")
        elif value != _FIXED[name]:
            raise _refusal(
                f"{name}={value} is not supported by the embedded broker; only {_FIXED[name]!r} is"
            )
    return replace(defaults, **numbers)


def describe_limits(limits: LogLimits) -> dict[str, str]:
    """Every topic config with its effective value."""
    return {name: str(getattr(limits, attribute)) for name, attribute in _NUMBERS.items()} | _FIXED


def _number(name: str, value: str | None) -> int:
    try:
        number = int(value or "")
    except ValueError:
        raise _refusal(f"{name}={value!r} is not a whole number") from None
    smallest = -1 if name.startswith("retention.") else 1
    if name == "segment.bytes":
        smallest = _MIN_SEGMENT_BYTES
    if number < smallest:
        raise _refusal(f"{name}={number} is too small; use {smallest} or more")
    return number


def _refusal(text: str) -> ApiError:
    return ApiError(ErrorCode.INVALID_CONFIG, text)
