"""The language of ``trigger.filter``: which events a function wants.

    filter = pair *("," pair)          every pair must hold; an empty text wants everything
    pair   = name "=" value            spaces around either are ignored
    value  = bare / quoted             bare: no comma, no quote; quoted: "…" with \\" and \\\\

A name is looked up among the event's CloudEvents attributes first (``job_type`` finds ``jobtype`` too, because
attribute names have no underscore), then among the top-level fields of its JSON body.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

_PAIR = re.compile(
    r"""\s*(?P<name>[A-Za-z0-9_.-]+)\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\["\\])*)"|(?P<bare>[^",]*?))\s*(?=,|\Z)"""
)
_ESCAPED = re.compile(r'\\(["\\])')
_SEPARATORS = str.maketrans("", "", "_-.")


class FilterError(ValueError):
    """The text is not a filter; the message shows where reading stopped and what a filter looks like."""


@dataclass(frozen=True)
class Filter:
    """Pairs that must all hold. Without pairs everything matches."""

    pairs: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Filter:
        """Raises :class:`FilterError`."""
        if not text.strip():
            return cls()
        pairs, position = [], 0
        while True:
            match = _PAIR.match(text, position)
            if match is None:
                raise FilterError(
                    f"trigger.filter cannot be read from {text[position:]!r} on; write name=value,name=value"
                )
            pairs.append((match["name"], _value(match)))
            if match.end() == len(text):
                break
            position = match.end() + 1
        return cls(tuple(pairs))

    def matches(self, attributes: Mapping[str, str], body: Callable[[], bytes | None]) -> bool:
        """``attributes`` by lower-case name; ``body`` is asked for only when an attribute is missing."""
        fields: Mapping[str, Any] | None = None
        for name, wanted in self.pairs:
            found = _attribute(attributes, name)
            if found is None:
                fields = _fields(body()) if fields is None else fields
                found = _text(fields.get(name))
            if found != wanted:
                return False
        return True


#: The filter without pairs.
EVERYTHING = Filter()


def _value(match: re.Match[str]) -> str:
    quoted = match["quoted"]
    return match["bare"] if quoted is None else _ESCAPED.sub(r"\1", quoted)


def _attribute(attributes: Mapping[str, str], name: str) -> str | None:
    found = attributes.get(name)
    return attributes.get(name.lower().translate(_SEPARATORS)) if found is None else found


def _fields(body: bytes | None) -> Mapping[str, Any]:
    try:
        decoded = orjson.loads(body or b"")
    except orjson.JSONDecodeError:
        return {}
    return decoded if isinstance(decoded, dict) else {}


def _text(value: object) -> str | None:
    """JSON scalars as they are written in JSON; lists, objects and null match nothing."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return orjson.dumps(value).decode()
    return None
