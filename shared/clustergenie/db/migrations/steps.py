"""Steps that can be run again after a crash in their middle (MySQL commits every DDL statement by itself)."""

from __future__ import annotations

from sqlalchemy import Connection, MetaData, inspect


def create_missing(connection: Connection, metadata: MetaData) -> None:
    """Create the tables and indexes of ``metadata`` that are not there yet."""
    inspector = inspect(connection)
    existing = set(inspector.get_table_names())
    for table in metadata.sorted_tables:
        if table.name not in existing:
            table.create(connection)
            continue
        # A crash may have come between a table and its indexes.
        present = {index["name"] for index in inspector.get_indexes(table.name)}
        for index in table.indexes:
            if index.name not in present:
                index.create(connection)
