"""Alembic calls this to run migrations; the connection, with its lock, comes from ``clustergenie.db.migrate``."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transaction_per_migration=False)
context.run_migrations()
