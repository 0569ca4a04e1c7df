"""The local log store: one SQLite file, used when there is no Loki. Answers the same questions in the same order."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from clustergenie.clock import Clock, from_millis, system_clock, to_millis
from clustergenie.errors import FieldProblem, InvalidError, UnavailableError
from clustergenie.logs.lines import LogFilter, LogLine, LogPage

#: Lines older than this are dropped.
RETENTION = timedelta(days=7)
#: When the lines take more than this, the oldest tenth is dropped, in bytes.
MAX_BYTES = 512 * 1024 * 1024
#: How often what is too old or too much is looked for, in writes.
CLEAN_EVERY = 50
#: The full-text index knows groups of three characters; a shorter text is looked for by reading.
_SHORTEST_INDEXED = 3
_SECONDS_TO_WAIT = 5.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS lines (
  id INTEGER PRIMARY KEY AUTOINCREMENT, ts INTEGER NOT NULL, sequence INTEGER NOT NULL, level TEXT NOT NULL,
  service TEXT NOT NULL, function TEXT NOT NULL, env TEXT NOT NULL, instance TEXT NOT NULL, call_id TEXT NOT NULL,
  trace_id TEXT NOT NULL, job_id TEXT NOT NULL, msg TEXT NOT NULL, more TEXT NOT NULL, position TEXT UNIQUE
);
CREATE INDEX IF NOT EXISTS lines_ts ON lines (ts, id);
CREATE INDEX IF NOT EXISTS lines_function ON lines (function, ts, id);
CREATE INDEX IF NOT EXISTS lines_job ON lines (job_id, ts, id) WHERE job_id != '';
CREATE INDEX IF NOT EXISTS lines_trace ON lines (trace_id, ts, id) WHERE trace_id != '';
CREATE INDEX IF NOT EXISTS lines_call ON lines (call_id, ts, id) WHERE call_id != '';
"""
_TEXT_INDEX = """
CREATE VIRTUAL TABLE IF NOT EXISTS texts USING fts5(msg, content='lines', content_rowid='id', tokenize='trigram');
CREATE TRIGGER IF NOT EXISTS lines_added AFTER INSERT ON lines BEGIN
  INSERT INTO texts (rowid, msg) VALUES (new.id, new.msg);
END;
CREATE TRIGGER IF NOT EXISTS lines_dropped AFTER DELETE ON lines BEGIN
  INSERT INTO texts (texts, rowid, msg) VALUES ('delete', old.id, old.msg);
END;
"""
_COLUMNS = (
    "ts", "sequence", "level", "service", "function", "env", "instance", "call_id", "trace_id", "job_id", "msg",
    "more", "position",
)  # fmt: skip
_INSERT = f"INSERT OR IGNORE INTO lines ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608  (column names above)
_SELECT = f"SELECT id, {', '.join(f'lines.{name}' for name in _COLUMNS)} FROM lines"  # noqa: S608  (as above)
_EQUAL = ("job_id", "trace_id", "call_id", "function", "level")


class LocalLog:
    """Lines in the file at ``path``, made at first use (mode 600). One connection per instance; threads take turns."""

    def __init__(
        self,
        path: Path,
        *,
        retention: timedelta = RETENTION,
        max_bytes: int = MAX_BYTES,
        clock: Clock = system_clock,
    ) -> None:
        self._path = path
        self._retention = retention
        self._max_bytes = max_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._opened: sqlite3.Connection | None = None
        self._indexed = False
        self._writes = 0

    def write(self, lines: Sequence[LogLine]) -> None:
        """Durable when it returns. A line whose position is known already is skipped."""
        rows = [_row(line) for line in lines]
        with self._answering() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(_INSERT, rows)
            if self._writes % CLEAN_EVERY == 0:
                self._clean(connection)
            connection.execute("COMMIT")
            self._writes += 1

    def query(self, wanted: LogFilter) -> LogPage:
        with self._answering() as connection:
            where, values = self._conditions(wanted)
            order = "ORDER BY lines.ts, lines.id LIMIT ?"
            rows = connection.execute(f"{_SELECT} {where} {order}", (*values, wanted.limit + 1)).fetchall()
        more, rows = len(rows) > wanted.limit, rows[: wanted.limit]
        return LogPage([_line(row) for row in rows], f"{rows[-1][1]}.{rows[-1][0]}" if more else None)

    def close(self) -> None:
        with self._lock:
            if self._opened is not None:
                self._opened.close()
            self._opened = None

    @contextmanager
    def _answering(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._connection()
            except (sqlite3.Error, OSError) as error:
                raise UnavailableError("log store", f"{error} (LOG_STORE={self._path})") from error
            finally:
                if self._opened is not None and self._opened.in_transaction:
                    self._opened.execute("ROLLBACK")

    def _connection(self) -> sqlite3.Connection:
        if self._opened is None:
            self._path.touch(mode=0o600)
            self._opened = sqlite3.connect(
                self._path, timeout=_SECONDS_TO_WAIT, isolation_level=None, check_same_thread=False
            )
            self._opened.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")
            self._opened.executescript(_SCHEMA)
            self._indexed = _index_texts(self._opened)
        return self._opened

    def _conditions(self, wanted: LogFilter) -> tuple[str, list[Any]]:
        terms: list[str] = []
        values: list[Any] = []
        for name in _EQUAL:
            value = getattr(wanted, name)
            if value is not None:
                # A partial index is only used when the query says that the value is not empty.
                terms.append(
                    f"lines.{name} = ?" + (f" AND lines.{name} != ''" if name.endswith("_id") else "")
                )
                values.append(value)
        for term, moment in (("lines.ts >= ?", wanted.since), ("lines.ts < ?", wanted.until)):
            if moment is not None:
                terms.append(term)
                values.append(to_millis(moment))
        if wanted.q:
            self._contains(wanted.q, terms, values)
        if wanted.cursor is not None:
            terms.append("(lines.ts, lines.id) > (?, ?)")
            values.extend(_parse_cursor(wanted.cursor))
        return ("WHERE " + " AND ".join(terms) if terms else ""), values

    def _contains(self, text: str, terms: list[str], values: list[Any]) -> None:
        if self._indexed and len(text) >= _SHORTEST_INDEXED:
            terms.append("lines.id IN (SELECT rowid FROM texts WHERE texts MATCH ?)")
            values.append('"' + text.replace('"', '""') + '"')
            return
        terms.append("lines.msg LIKE ? ESCAPE '\\'")
        values.append("%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%")

    def _clean(self, connection: sqlite3.Connection) -> None:
        oldest = to_millis(self._clock() - self._retention)
        connection.execute("DELETE FROM lines WHERE ts < ?", (oldest,))
        pages, free, page_bytes = (
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        if (pages - free) * page_bytes > self._max_bytes:
            tenth = "SELECT id FROM lines ORDER BY ts, id LIMIT (SELECT count(*) / 10 + 1 FROM lines)"
            connection.execute(f"DELETE FROM lines WHERE id IN ({tenth})")  # noqa: S608  (a constant)


def _index_texts(connection: sqlite3.Connection) -> bool:
    try:
        connection.executescript(_TEXT_INDEX)
    except sqlite3.OperationalError:
        # This SQLite was built without FTS5 or trigrams: texts are looked for by reading.
        return False
    return True


def _row(line: LogLine) -> tuple[Any, ...]:
    return (
        to_millis(line.ts), line.sequence, line.level, line.service, line.function, line.env, line.instance,
        line.call_id, line.trace_id, line.job_id, line.msg, orjson.dumps(line.more, default=str).decode(),
        line.position or None,
    )  # fmt: skip


def _line(row: tuple[Any, ...]) -> LogLine:
    values = dict(zip(_COLUMNS, row[1:], strict=True))
    moment: datetime = from_millis(values.pop("ts"))
    return LogLine(
        **values | {"ts": moment, "more": orjson.loads(values["more"]), "position": values["position"] or ""}
    )


def _parse_cursor(cursor: str) -> tuple[int, int]:
    millis, _, key = cursor.partition(".")
    if not (millis.isascii() and millis.isdigit() and key.isascii() and key.isdigit()):
        raise InvalidError(
            FieldProblem("cursor", "not a cursor of this list; use next_cursor as it was given")
        )
    return int(millis), int(key)
