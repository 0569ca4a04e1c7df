"""Pages of a list: by number with a total, or by a cursor that stays right while rows come and go."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Column, Connection, RowMapping, Select, and_, func, or_, select

from clustergenie.clock import from_millis, to_millis
from clustergenie.errors import FieldProblem, InvalidError


@dataclass(frozen=True)
class Cursor:
    """Where a page ended: the sort value and the id of its last row, and the order they belong to."""

    order: str
    value: Any
    key: Any

    def encode(self) -> str:
        """Opaque text for the client."""
        value = {"ms": to_millis(self.value)} if isinstance(self.value, datetime) else self.value
        return base64.urlsafe_b64encode(orjson.dumps([self.order, value, self.key])).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str, order: str) -> Cursor:
        """Raises :class:`InvalidError` when ``text`` is not a cursor of a list in this ``order``."""
        try:
            found, value, key = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            if isinstance(value, dict):
                value = from_millis(int(value["ms"]))
        except (ValueError, TypeError, KeyError, OverflowError, binascii.Error):
            found = value = key = None
        if found != order or isinstance(value, list) or not isinstance(key, str | int):
            problem = FieldProblem(
                "cursor", "not a cursor of this list in this order; use next_cursor as it was given"
            )
            raise InvalidError(problem)
        return cls(order, value, key)


@dataclass(frozen=True)
class Paging:
    """Which page is wanted. ``page`` counts from 1; with ``cursor`` it is ignored."""

    page: int = 1
    page_size: int = 50
    cursor: str | None = None
    sort_by: str = "created_at"
    descending: bool = True


@dataclass(frozen=True)
class Page:
    """Rows of one page, how many there are in all, and where the next page starts (None: this is the last)."""

    rows: Sequence[RowMapping]
    total: int
    next_cursor: str | None

    @classmethod
    def fetch(cls, connection: Connection, query: Select[Any], key: Column[Any], paging: Paging) -> Page:
        """Run ``query`` (selecting whole rows of ``key``'s table, already filtered) for one page."""
        sort = key.table.c[paging.sort_by]
        total = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
        rows = connection.execute(_window(query, sort, key, paging)).mappings().all()
        more, rows = len(rows) > paging.page_size, rows[: paging.page_size]
        return cls(rows, total, _next(rows[-1], sort, key, paging) if more else None)


def _order(paging: Paging) -> str:
    return f"{paging.sort_by}:{'desc' if paging.descending else 'asc'}"


def _window(query: Select[Any], sort: Any, key: Any, paging: Paging) -> Select[Any]:
    direction = [column.desc() if paging.descending else column.asc() for column in (sort, key)]
    query = query.order_by(*direction).limit(paging.page_size + 1)
    if paging.cursor is None:
        return query.offset((paging.page - 1) * paging.page_size)
    after = Cursor.decode(paging.cursor, _order(paging))
    if paging.descending:
        return query.where(or_(sort < after.value, and_(sort == after.value, key < after.key)))
    return query.where(or_(sort > after.value, and_(sort == after.value, key > after.key)))


def _next(row: RowMapping, sort: Any, key: Any, paging: Paging) -> str:
    return Cursor(_order(paging), row[sort.name], row[key.name]).encode()
