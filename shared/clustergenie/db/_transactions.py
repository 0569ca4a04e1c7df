"""Transactions: reading sees one consistent moment, writing holds the write lock from its first statement."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from clustergenie.db._engine import WRITES, error_codes
from clustergenie.db._turns import turn

T = TypeVar("T")

#: How often a unit is run before its conflict is told to the caller.
ATTEMPTS = 6
#: Longest pause before the second run, in seconds; doubles with each.
PAUSE_SECONDS = 0.01
_AFTER_COMMIT = "clustergenie_after_commit"
_SQLITE_BUSY = frozenset({5, 6})  # SQLITE_BUSY, SQLITE_LOCKED
_MYSQL_CONFLICT = frozenset({1205, 1213})  # lock wait timeout, deadlock


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads."""
    with engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes: commits when the block ends, rolls back when it raises.

    What was registered by :func:`after_commit` runs then. Prefer :func:`transact`, which can run again on a deadlock.
    """
    with turn(engine), engine.connect().execution_options(**{WRITES: True}) as connection:
        with connection.begin():
            yield connection
        hooks = connection.get_execution_options().get(_AFTER_COMMIT, ())
    for hook in hooks:
        hook()


def after_commit(connection: Connection, hook: Callable[[], None]) -> None:
    """Have ``hook`` called once, after the transaction of ``connection`` is committed. It must not raise."""
    hooks = connection.get_execution_options().get(_AFTER_COMMIT, ())
    if hook not in hooks:
        connection.execution_options(**{_AFTER_COMMIT: (*hooks, hook)})


def transact(
    engine: Engine, unit: Callable[[Connection], T], *, sleep: Callable[[float], None] = time.sleep
) -> T:
    """Run ``unit`` in a writing transaction, again from its start when the database chose it as a deadlock's victim.

    ``unit`` must therefore have no effect but on its connection.
    """
    pause = PAUSE_SECONDS
    for _ in range(ATTEMPTS - 1):
        try:
            return _once(engine, unit)
        except OperationalError as error:
            if not _is_conflict(error):
                raise
        sleep(random.uniform(0, pause))  # noqa: S311  (spreads competitors, guards nothing)
        pause *= 2
    return _once(engine, unit)


def _once(engine: Engine, unit: Callable[[Connection], T]) -> T:
    with writing(engine) as connection:
        return unit(connection)


def _is_conflict(error: OperationalError) -> bool:
    sqlite, mysql = error_codes(error)
    return sqlite in _SQLITE_BUSY or mysql in _MYSQL_CONFLICT
