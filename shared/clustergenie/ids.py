"""Identifiers: UUIDv7 (RFC 9562), so that they sort by the time they were made, with the product's prefixes.

Opaque to everybody else: nothing may be read out of an id but its kind.
"""

from __future__ import annotations

import os
import time
import uuid

_VERSION_7 = 0x7 << 76
_VARIANT = 0b10 << 62
_NANOSECONDS_PER_MS = 1_000_000


def uuid7() -> uuid.UUID:
    """48 bits of milliseconds, 12 bits of the fraction below (about 244 ns each), 62 random bits."""
    millis, rest = divmod(time.time_ns(), _NANOSECONDS_PER_MS)
    fraction = rest * 4096 // _NANOSECONDS_PER_MS
    random = int.from_bytes(os.urandom(8)) >> 2
    return uuid.UUID(int=(millis & (1 << 48) - 1) << 80 | _VERSION_7 | fraction << 64 | _VARIANT | random)


def new(prefix: str) -> str:
    """``new("cluster")`` → ``cluster-0193…``."""
    return f"{prefix}-{uuid7()}"


def new_event_id() -> str:
    return str(uuid7())


def new_trace_id() -> str:
    """32 lower-case hex digits, as W3C trace context wants them."""
    return os.urandom(16).hex()
