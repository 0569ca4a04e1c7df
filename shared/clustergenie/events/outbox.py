"""The outbox: events stored in the transaction of the change they tell of, until the relay has sent them to Kafka."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, select
from sqlalchemy import delete as sql_delete

from clustergenie.db._transactions import after_commit
from clustergenie.db.tables import outbox
from clustergenie.events import catalogue
from clustergenie.events._event import Event

_WAKE = "clustergenie_wake"


@dataclass(frozen=True)
class OutboxRow:
    """One message for Kafka: ``headers`` and ``body`` exactly as they are to be sent."""

    id: int
    event_id: str
    topic: str
    key: str
    headers: Mapping[str, str]
    body: bytes


def waking(engine: Engine, wake: Callable[[], None]) -> Engine:
    """The same engine (and pool), whose transactions call ``wake`` after a commit that appended rows."""
    return engine.execution_options(**{_WAKE: wake})


def append(connection: Connection, topic: str, key: str, event: Event, traceparent: str = "") -> None:
    """Store ``event`` for sending; raises :class:`EventError` if it does not fit the catalogue."""
    catalogue.check(event)
    headers = event.headers()
    if traceparent:
        headers["traceparent"] = traceparent
    row = {
        "event_id": event.id,
        "topic": topic,
        "key": key,
        "headers": headers,
        "body": event.body().decode(),
        "created_at": event.time,
    }
    connection.execute(outbox.insert(), row)
    wake = connection.get_execution_options().get(_WAKE)
    if wake is not None:
        after_commit(connection, wake)


def oldest(connection: Connection, limit: int) -> list[OutboxRow]:
    """Up to ``limit`` rows in the order in which they are to be sent."""
    columns = (outbox.c.id, outbox.c.event_id, outbox.c.topic, outbox.c.key, outbox.c.headers, outbox.c.body)
    rows = connection.execute(select(*columns).order_by(outbox.c.id).limit(limit))
    return [
        OutboxRow(row.id, row.event_id, row.topic, row.key, row.headers, row.body.encode()) for row in rows
    ]


def delete(connection: Connection, ids: Collection[int]) -> None:
    """Forget rows that the broker has acknowledged."""
    if ids:
        connection.execute(sql_delete(outbox).where(outbox.c.id.in_(ids)))
