"""Durations as OpenFaaS writes them: Go's form (``1m30s``, ``250ms``) or whole seconds (``20``)."""

from __future__ import annotations

import re

_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+\Z")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_seconds(text: str) -> float:
    """``"1m30s"`` → 90.0, ``"20"`` → 20.0; raises ValueError with the accepted forms."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    if not _WHOLE.match(text):
        raise ValueError(f"{text!r} is not a duration; write it like 20s, 1m30s, 250ms or 20 (seconds)")
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
