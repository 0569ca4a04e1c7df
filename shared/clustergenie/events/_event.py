"""One event, and its binary-mode form: attributes as headers, data as the JSON body."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from clustergenie.clock import parse_rfc3339, rfc3339, system_clock
from clustergenie.ids import new_event_id

SPEC_VERSION = "1.0"
_CORE = frozenset({"id", "type", "source", "subject", "time", "specversion"})
_EXTENSION_NAME = re.compile(r"[a-z0-9]{1,20}\Z")


class EventError(ValueError):
    """A message is not an event; the text names the attribute, :attr:`payload` is what came."""

    def __init__(self, reason: str, payload: object = None) -> None:
        super().__init__(reason)
        self.payload = payload


@dataclass(frozen=True)
class Event:
    """Something that happened to ``subject`` (an id). ``extensions`` are further attributes, text to text."""

    type: str
    subject: str
    data: Mapping[str, Any]
    id: str = field(default_factory=new_event_id)
    time: datetime = field(default_factory=system_clock)
    source: str = "clustergenie"
    extensions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.extensions:
            if name in _CORE or not _EXTENSION_NAME.match(name):
                raise EventError(
                    f"{name!r} cannot be an extension; use up to 20 lower-case letters and digits", self
                )

    def headers(self) -> dict[str, str]:
        """``ce_*`` and ``content-type``, as they travel on Kafka."""
        core = {
            "ce_specversion": SPEC_VERSION,
            "ce_id": self.id,
            "ce_type": self.type,
            "ce_source": self.source,
            "ce_subject": self.subject,
            "ce_time": rfc3339(self.time),
            "content-type": "application/json",
        }
        return core | {f"ce_{name}": value for name, value in self.extensions.items()}

    def body(self) -> bytes:
        return orjson.dumps(self.data)

    @classmethod
    def from_headers(cls, headers: Mapping[str, str], body: bytes) -> Event:
        """Read ``Ce-*`` (HTTP) or ``ce_*`` (Kafka) headers; raises :class:`EventError` naming what is wrong."""
        attributes = _attributes(headers)
        return cls(
            type=_required(attributes, "type"),
            subject=attributes.get("subject", ""),
            data=_data(body),
            id=_required(attributes, "id"),
            time=_time(attributes),
            source=_required(attributes, "source"),
            extensions={name: attributes[name] for name in attributes.keys() - _CORE},
        )


def _attributes(headers: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for name, value in headers.items():
        lowered = name.lower()
        if lowered.startswith(("ce-", "ce_")):
            found[lowered[3:]] = value
    if found.get("specversion") != SPEC_VERSION:
        raise EventError(
            f"ce-specversion is {found.get('specversion')!r}; CloudEvents {SPEC_VERSION} is accepted", found
        )
    return found


def _required(attributes: Mapping[str, str], name: str) -> str:
    value = attributes.get(name)
    if not value:
        raise EventError(f"ce-{name} is missing", dict(attributes))
    return value


def _time(attributes: Mapping[str, str]) -> datetime:
    text = attributes.get("time")
    if text is None:
        return system_clock()
    try:
        return parse_rfc3339(text)
    except ValueError as error:
        raise EventError(f"ce-time: {error}", dict(attributes)) from error


def _data(body: bytes) -> dict[str, Any]:
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise EventError(f"the event's data is not JSON: {error}", body) from error
    if not isinstance(data, dict):
        raise EventError("the event's data must be a JSON object", body)
    return data
