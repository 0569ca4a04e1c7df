"""Alembic's scripts. A migration is frozen once released; it never imports ``clustergenie.db.tables``."""
