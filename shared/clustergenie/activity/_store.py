from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, Select, select
from sqlalchemy.exc import IntegrityError

from clustergenie import db
from clustergenie.activity._requests import JobEvents, ListActivity
from clustergenie.clock import rfc3339, truncate
from clustergenie.db.tables import activity
from clustergenie.events import Event

_ALL = db.Paging(page_size=200, sort_by="time", descending=False)


@dataclass(frozen=True)
class Entry:
    """One event as it was recorded; ``seq`` counts them in the order of their arrival."""

    seq: int
    event_id: str
    type: str
    source: str
    subject: str
    job_id: str | None
    cluster_id: str | None
    trace_id: str | None
    data: Mapping[str, Any]
    time: datetime

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.event_id,
            "type": self.type,
            "source": self.source,
            "subject": self.subject,
            "job_id": self.job_id,
            "cluster_id": self.cluster_id,
            "trace_id": self.trace_id,
            "time": rfc3339(self.time),
            "data": dict(self.data),
        }


def record(engine: Engine, event: Event, trace_id: str) -> bool:
    """Add ``event``; False when it is there already (events are delivered at least once)."""
    known = select(activity.c.seq).where(activity.c.event_id == event.id)
    row = {
        "event_id": event.id, "type": event.type, "source": event.source, "subject": event.subject,
        "job_id": _text(event.data.get("job_id")), "cluster_id": _text(event.data.get("cluster_id")),
        "trace_id": trace_id, "data": dict(event.data), "time": event.time,
    }  # fmt: skip

    def unit(connection: Connection) -> bool:
        if connection.execute(known).first() is not None:
            return False
        connection.execute(activity.insert(), row)
        return True

    try:
        return db.transact(engine, unit)
    except IntegrityError:
        # Delivered twice at the same moment: the other one was faster.
        return False


def find(engine: Engine, wanted: ListActivity) -> tuple[list[Entry], db.Page]:
    """One page of the events that fit, newest first unless asked otherwise."""
    query = select(activity)
    for name in ("type", "subject", "job_id", "cluster_id"):
        value = getattr(wanted, name)
        if value is not None:
            query = query.where(activity.c[name] == value)
    if wanted.since is not None:
        query = query.where(activity.c.time >= truncate(wanted.since.astimezone(UTC)))
    return _page(engine, query, wanted.paging("time"))


def of_job(engine: Engine, job_id: str, wanted: JobEvents | None = None) -> tuple[list[Entry], db.Page]:
    """What happened to a job, oldest first; the first 200 events when nothing else is wanted."""
    query = select(activity).where(activity.c.job_id == job_id)
    if wanted is not None and wanted.type is not None:
        query = query.where(activity.c.type == wanted.type)
    return _page(engine, query, wanted.paging("time") if wanted is not None else _ALL)


def _page(engine: Engine, query: Select[Any], paging: db.Paging) -> tuple[list[Entry], db.Page]:
    with db.reading(engine) as connection:
        page = db.Page.fetch(connection, query, activity.c.seq, paging)
    return [Entry(**row) for row in page.rows], page


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
