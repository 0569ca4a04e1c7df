"""Loki: lines are pushed with ids as structured metadata (labels stay few) and asked for with LogQL."""

from __future__ import annotations

import gzip
import http.client
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import orjson

from clustergenie.clock import Clock, from_millis, system_clock, to_millis
from clustergenie.errors import FieldProblem, InvalidError, UnavailableError
from clustergenie.logs.lines import LogFilter, LogLine, LogPage

#: How often a push is tried before the batch is given back to the connector, which retries for longer.
ATTEMPTS = 4
#: First pause between tries, in seconds; doubles, unless Loki says how long to wait.
PAUSE_SECONDS = 0.25
#: Longest pause Loki can ask for, in seconds; longer is the connector's to wait.
LONGEST_PAUSE_SECONDS = 5.0
TIMEOUT_SECONDS = 10.0
#: How far back a query looks that does not say since when.
DEFAULT_SPAN = timedelta(days=7)
_NS_PER_MS = 1_000_000
_MOST_ERROR_BYTES = 300
_LABELS = ("service", "function", "env", "level")
_IDS = ("job_id", "trace_id", "call_id")
_RETRIED = frozenset({429, 500, 502, 503, 504})


class Loki:
    """Loki at ``url`` (scheme, host, port; a path prefix is kept). ``id_labels`` makes ids labels, for Loki before 3."""

    def __init__(
        self,
        url: str,
        *,
        id_labels: bool = False,
        tenant: str = "",
        clock: Clock = system_clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"LOKI_URL={url!r} is not a URL; use http://host:3100")
        self._parts = parts
        self._label_names = (*_LABELS, *_IDS) if id_labels else _LABELS
        self._headers = {"X-Scope-OrgID": tenant} if tenant else {}
        self._clock = clock
        self._sleep = sleep

    def write(self, lines: Sequence[LogLine]) -> None:
        if not lines:
            return
        body = gzip.compress(orjson.dumps({"streams": self._streams(lines)}), compresslevel=1)
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        self._insist("POST", "/loki/api/v1/push", headers, body)

    def query(self, wanted: LogFilter) -> LogPage:
        start_ns, skip = self._start(wanted)
        end_ns = to_millis(wanted.until or self._clock() + timedelta(hours=1)) * _NS_PER_MS
        parameters = {
            "query": logql(wanted), "start": start_ns, "end": end_ns, "direction": "forward",
            "limit": wanted.limit + skip + 1,
        }  # fmt: skip
        answer = self._insist(
            "GET", f"/loki/api/v1/query_range?{urlencode(parameters, quote_via=quote)}", {}, None
        )
        found = _entries(answer)[skip:]
        page = found[: wanted.limit]
        more = len(found) > wanted.limit
        return LogPage([line for _, line in page], _cursor(page, start_ns, skip) if more else None)

    def _streams(self, lines: Sequence[LogLine]) -> list[dict[str, Any]]:
        streams: dict[tuple[str, ...], list[Any]] = defaultdict(list)
        for line in lines:
            labels = tuple(str(getattr(line, name)) for name in self._label_names)
            streams[labels].append(self._entry(line))
        return [
            {"stream": self._named(labels), "values": sorted(entries, key=lambda entry: int(entry[0]))}
            for labels, entries in streams.items()
        ]

    def _named(self, labels: tuple[str, ...]) -> dict[str, str]:
        return {name: value for name, value in zip(self._label_names, labels, strict=True) if value}

    def _entry(self, line: LogLine) -> list[Any]:
        # The offset as nanoseconds orders lines of one millisecond, and gives a repeated push the same time.
        moment = str(to_millis(line.ts) * _NS_PER_MS + line.sequence % _NS_PER_MS)
        text = orjson.dumps(line.to_json() | {"env": line.env}, default=str).decode()
        names = [name for name in ("instance", *_IDS) if name not in self._label_names]
        metadata = {name: value for name in names if (value := getattr(line, name))}
        return [moment, text, metadata] if metadata else [moment, text]

    def _start(self, wanted: LogFilter) -> tuple[int, int]:
        if wanted.cursor is None:
            since = wanted.since or (wanted.until or self._clock()) - DEFAULT_SPAN
            return to_millis(since) * _NS_PER_MS, 0
        nanos, _, skip = wanted.cursor.partition(".")
        if not (nanos.isascii() and nanos.isdigit() and skip.isascii() and skip.isdigit()):
            raise InvalidError(
                FieldProblem("cursor", "not a cursor of this list; use next_cursor as it was given")
            )
        return int(nanos), int(skip)

    def _insist(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
        pause = PAUSE_SECONDS
        for attempt in range(1, ATTEMPTS + 1):
            status, answer, wait = self._send(method, path, headers, body)
            if status // 100 == 2:  # noqa: PLR2004  (any success)
                return answer
            if status and status not in _RETRIED:
                text = answer[:_MOST_ERROR_BYTES].decode("utf-8", "replace").strip()
                raise UnavailableError("log store", f"Loki refused the request with {status}: {text}")
            if attempt < ATTEMPTS:
                self._sleep(min(wait if wait is not None else pause, LONGEST_PAUSE_SECONDS))
                pause *= 2
        reason = f"Loki answered {status}" if status else answer.decode()
        raise UnavailableError("log store", f"{reason} (LOKI_URL={self._parts.geturl()})")

    def _send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, bytes, float | None]:
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._parts.hostname or "", self._parts.port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request(
                method, self._parts.path.rstrip("/") + path, body, {**self._headers, **headers}
            )
            response = connection.getresponse()
            return response.status, response.read(), _seconds(response.getheader("Retry-After"))
        except (OSError, http.client.HTTPException) as error:
            return 0, f"no answer: {error}".encode(), None
        finally:
            connection.close()


def logql(wanted: LogFilter) -> str:
    """The filter in LogQL. Values are quoted, so that none can end its string and become part of the query."""
    labels = {"service": ".+", "function": wanted.function, "level": wanted.level}
    selector = ", ".join(
        f"{name}{'=~' if name == 'service' else '='}{_quoted(value)}"
        for name, value in labels.items()
        if value
    )
    ids = [f"| {name}={_quoted(value)}" for name in _IDS if (value := getattr(wanted, name))]
    # Of the message alone: the stored line is JSON, whose field names would be found too.
    texts = [f'| json msg="msg" | msg=~{_quoted(f"(?is).*{_literal(wanted.q)}.*")}'] if wanted.q else []
    return " ".join([f"{{{selector}}}", *texts, *ids])


def _quoted(text: str) -> str:
    return orjson.dumps(text).decode()


def _literal(text: str) -> str:
    """``text`` without the meaning its characters have in RE2."""
    return "".join(f"\\{char}" if char in r"\.+*?()|[]{}^$" else char for char in text)


def _entries(answer: bytes) -> list[tuple[int, LogLine]]:
    try:
        streams = orjson.loads(answer)["data"]["result"]
        found = [
            (int(entry[0]), _line(entry[1], stream["stream"]))
            for stream in streams
            for entry in stream["values"]
        ]
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise UnavailableError("log store", f"Loki's answer could not be read: {error!r}") from error
    return sorted(found, key=lambda entry: entry[0])


def _line(text: str, labels: Mapping[str, str]) -> LogLine:
    try:
        return LogLine.from_json(orjson.loads(text))
    except (ValueError, KeyError, TypeError):
        # Not one of ours: somebody else ships to the same Loki.
        known = {name: labels[name] for name in (*_LABELS, *_IDS, "instance") if name in labels}
        return LogLine(**{"ts": from_millis(0), "level": "info", "function": "", "msg": text, **known})  # type: ignore[arg-type]


def _cursor(page: Sequence[tuple[int, LogLine]], start_ns: int, skip: int) -> str:
    last = page[-1][0]
    same = sum(1 for moment, _ in page if moment == last)
    return f"{last}.{same + (skip if last == start_ns else 0)}"


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isascii() and text.isdigit() else None
