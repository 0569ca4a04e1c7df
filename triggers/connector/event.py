"""A Kafka record as an HTTP call (ARCHITECTURE.md, 'Delivery of an event').

Whatever a record's key and headers hold, the result can be sent: a producer's strange bytes must not stop a partition.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Protocol
from urllib.parse import quote

import orjson

from triggers.connector.filter import Filter

Headers = list[tuple[str, str]]

_CE = "ce_"
_STRUCTURED = "application/cloudevents+json"
#: Headers handed on under their own name when their value is fit for HTTP.
_PLAIN = {"content-type": "Content-Type", "traceparent": "traceparent", "tracestate": "tracestate"}
#: Names after ``X-Kafka-`` that are ours; a record header of that name would pass for them.
_RESERVED = frozenset(("topic", "partition", "offset", "key", "key-enc"))
_NOT_TOKEN = re.compile(r"[^A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VISIBLE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?\Z")
#: CloudEvents HTTP binding 3.1.3.2: everything else, space, '"' and '%' among it, is percent-encoded.
_PLAIN_ATTRIBUTE = re.compile(r"[\x21\x23\x24\x26-\x7e]*\Z")
_SAFE_IN_ATTRIBUTE = "!#$&'()*+,-./:;<=>?@[\\]^_`{|}~"
_DEFAULT_CONTENT_TYPE = "text/plain"


class Record(Protocol):
    """The part of a consumed record that matters here (aiokafka's ``ConsumerRecord`` has it)."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Iterable[tuple[str, bytes | None]]: ...


def size(record: Record) -> int:
    """Bytes of payload the record keeps in memory."""
    return len(record.value or b"") + len(record.key or b"")


def is_wanted(record: Record, wanted: Filter) -> bool:
    """Whether ``wanted`` holds for the record, a CloudEvent in binary or structured mode or plain JSON."""
    if not wanted.pairs:
        return True
    attributes = _attributes(record)
    return wanted.matches(attributes, lambda: record.value)


def call_headers(record: Record) -> Headers:
    """Headers of a call with one record; the body is the record's value."""
    headers: Headers = [
        ("X-Connector", "clustergenie"),
        ("X-Topic", record.topic),
        ("X-Kafka-Topic", record.topic),
        ("X-Kafka-Partition", str(record.partition)),
        ("X-Kafka-Offset", str(record.offset)),
    ]
    if record.key is not None:
        headers += _printable("X-Kafka-Key", record.key)
    plain: dict[str, str] = {}
    for name, value in record.headers:
        lower = name.lower()
        text = (value or b"").decode("utf-8", "replace")
        if lower.startswith(_CE) and len(lower) > len(_CE):
            headers.append((_attribute_header(lower), _attribute_value(text)))
        elif lower in _PLAIN:
            if _VISIBLE.match(text):
                plain[_PLAIN[lower]] = text
        elif (token := _NOT_TOKEN.sub("-", name)) and token.lower() not in _RESERVED:
            headers += _printable(f"X-Kafka-{token}", value or b"")
    plain.setdefault("Content-Type", _DEFAULT_CONTENT_TYPE)
    return headers + list(plain.items())


def batch_headers(records: Iterable[Record]) -> Headers:
    """Headers of a call with several records."""
    topics = ",".join(sorted({record.topic for record in records}))
    return [
        ("X-Connector", "clustergenie"),
        ("X-Topic", topics),
        ("X-Kafka-Topic", topics),
        ("Content-Type", "application/x-ndjson"),
    ]


def batch_body(records: Iterable[Record]) -> bytes:
    """One JSON line per record. Bytes that are not UTF-8 become replacement characters: the batch is text."""
    return b"".join(orjson.dumps(_line(record), option=orjson.OPT_APPEND_NEWLINE) for record in records)


def _line(record: Record) -> dict[str, object]:
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "key": None if record.key is None else record.key.decode("utf-8", "replace"),
        "timestamp_ms": record.timestamp,
        "headers": {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers},
        "value": (record.value or b"").decode("utf-8", "replace"),
    }


def _attributes(record: Record) -> Mapping[str, str]:
    texts = {name.lower(): (value or b"").decode("utf-8", "replace") for name, value in record.headers}
    if texts.get("content-type", "").lower().startswith(_STRUCTURED):
        return _structured_attributes(record.value or b"")
    return {name[len(_CE) :]: text for name, text in texts.items() if name.startswith(_CE)}


def _structured_attributes(value: bytes) -> Mapping[str, str]:
    try:
        envelope = orjson.loads(value)
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(envelope, dict):
        return {}
    return {name: text for name, text in envelope.items() if isinstance(text, str)}


@lru_cache(maxsize=1024)  # a handful of names, met with every record
def _attribute_header(lower: str) -> str:
    return f"Ce-{_NOT_TOKEN.sub('', lower[len(_CE) :].replace('_', '')).capitalize()}"


def _attribute_value(text: str) -> str:
    return text if _PLAIN_ATTRIBUTE.match(text) else quote(text, safe=_SAFE_IN_ATTRIBUTE)


def _printable(name: str, value: bytes) -> Headers:
    """As it is when it can stand in a header, else base64 with a header saying so."""
    text = value.decode("latin-1")
    if not text or _VISIBLE.match(text):
        return [(name, text)]
    return [(name, base64.b64encode(value).decode("ascii")), (f"{name}-Enc", "b64")]
