"""Engines. Made lazily, once per worker process and after the fork; making one connects to nothing."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

#: Connections one process may hold (its server has 4 threads; the rest is for heartbeats).
POOL_SIZE = 5
#: How long a statement waits for another writer of the SQLite file, in milliseconds.
BUSY_TIMEOUT_MS = 5_000
#: How long to wait for the MySQL server to accept a connection, and for an answer, in seconds.
CONNECT_TIMEOUT_SECONDS = 3
ANSWER_TIMEOUT_SECONDS = 30
#: Execution option of a connection whose transaction writes; SQLite needs to know before it begins.
WRITES = "clustergenie_writes"

_SQLITE_OUTAGE = frozenset({5, 6, 8, 10, 13, 14})  # busy, locked, read-only, I/O error, full, cannot open
_MYSQL_OUTAGE = frozenset(
    {1040, 1044, 1045, 1049, 1053, 1077, 1129, 1130, 1152, 1203, 1205, 1213, 1226, 1290, 2002, 2003, 2005, 2006, 2013, 2055}
)  # fmt: skip


def connect(url: str) -> Engine:
    """An engine for ``sqlite:///path`` or ``mysql+pymysql://…``; raises ValueError for any other database."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed)
    if parsed.get_backend_name() in ("mysql", "mariadb"):
        return _mysql(parsed)
    raise ValueError(
        f"DATABASE_URL names {parsed.get_backend_name()!r}; use sqlite:///path or mysql+pymysql://…"
    )


def is_outage(error: Exception) -> bool:
    """Whether the database could not be reached or was too busy, as opposed to a fault of ours."""
    if isinstance(error, PoolTimeoutError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    sqlite, mysql = error_codes(error)
    return error.connection_invalidated or sqlite in _SQLITE_OUTAGE or mysql in _MYSQL_OUTAGE


def error_codes(error: DBAPIError) -> tuple[int | None, int | None]:
    """The primary SQLite code and the MySQL code of a driver's error; None for the other database."""
    original: Any = error.orig
    sqlite = getattr(original, "sqlite_errorcode", None)
    if sqlite is not None:
        return sqlite & 0xFF, None
    arguments = getattr(original, "args", ())
    code = arguments[0] if arguments else None
    return None, code if isinstance(code, int) else None


def _sqlite(url: URL) -> Engine:
    engine = create_engine(
        url, pool_size=POOL_SIZE, max_overflow=0, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000}
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver would begin transactions by itself, too late to take the write lock: we begin them ourselves.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    # SQLite's own knows the letters of ASCII only.
    connection.create_function("lower", 1, _lower, deterministic=True)


def _lower(text: str | None) -> str | None:
    return None if text is None else text.lower()


def _begin_sqlite(connection: Any) -> None:
    # A deferred transaction that turns into a writer after reading cannot wait for the lock: it fails at once.
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _mysql(url: URL) -> Engine:
    url = url.set(drivername="mysql+pymysql", query={**url.query, "charset": "utf8mb4"})
    return create_engine(
        url,
        isolation_level="READ COMMITTED",
        pool_size=POOL_SIZE,
        max_overflow=0,
        # A server that was restarted, or that hung up on an idle connection, must not cost a request.
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "read_timeout": ANSWER_TIMEOUT_SECONDS,
            "write_timeout": ANSWER_TIMEOUT_SECONDS,
            "init_command": "SET time_zone = '+00:00', innodb_lock_wait_timeout = 10, "
            "sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO'",
        },
    )
