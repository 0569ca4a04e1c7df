"""What is particular to SQLite, and what kinds of databases there are."""

from clustergenie import db


def test_sqlite_keeps_what_was_committed_through_a_power_cut(engine):
    with db.reading(engine) as connection:
        pragmas = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert pragmas == ["wal", 2, 1, 5000]
