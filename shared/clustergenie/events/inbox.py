"""The inbox: what a consumer answered to an event, so that a second delivery gets the same answer and no effect."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select

from clustergenie.clock import Clock, system_clock
from clustergenie.db.tables import inbox


def once(
    connection: Connection,
    consumer: str,
    event_id: str,
    effect: Callable[[Connection], Any],
    *,
    clock: Clock = system_clock,
) -> Any:
    """Run ``effect`` in this writing transaction unless ``consumer`` has done so for ``event_id``; answers its result.

    The result (a JSON value) is stored with the effect. Two deliveries at the same moment: the second fails on the
    primary key with IntegrityError, rolls back, and finds the first's result when it is delivered again.
    """
    stored = connection.execute(
        select(inbox.c.result).where(inbox.c.consumer == consumer, inbox.c.event_id == event_id)
    ).one_or_none()
    if stored is not None:
        return stored.result
    result = effect(connection)
    row = {"consumer": consumer, "event_id": event_id, "result": result, "created_at": clock()}
    connection.execute(inbox.insert(), row)
    return result


def forget(connection: Connection, before: datetime) -> int:
    """Drop answers older than ``before`` (longer ago than any delivery can be repeated); answers how many."""
    return connection.execute(delete(inbox).where(inbox.c.created_at < before)).rowcount
