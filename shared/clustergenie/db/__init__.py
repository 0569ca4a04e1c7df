"""The one source of truth: an SQL database, SQLite or MySQL/MariaDB by its URL. Nothing connects at import."""

from clustergenie.db._engine import connect, is_outage
from clustergenie.db._migrate import HEAD, MigrationError, migrate
from clustergenie.db._pages import Cursor, Page, Paging
from clustergenie.db._transactions import after_commit, reading, transact, writing
from clustergenie.db.tables import metadata

__all__ = [
    "HEAD", "Cursor", "MigrationError", "Page", "Paging", "after_commit", "connect", "is_outage", "metadata", "migrate",
    "reading", "transact", "writing",
]  # fmt: skip
