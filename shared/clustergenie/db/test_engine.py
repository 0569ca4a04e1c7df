"""What is particular to SQLite, and what kinds of databases there are."""

import socket

import pytest
from sqlalchemy.exc import OperationalError

from clustergenie import db


def test_sqlite_keeps_what_was_committed_through_a_power_cut(engine):
    with db.reading(engine) as connection:
        pragmas = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert pragmas == ["wal", 2, 1, 5000]


def test_a_server_that_refuses_connections_is_an_outage():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        engine = db.connect(f"mysql+pymysql://u:p@127.0.0.1:{closed.getsockname()[1]}/x")
        with pytest.raises(OperationalError) as caught, db.reading(engine):
            pass
    assert db.is_outage(caught.value)


def test_a_password_never_stands_in_the_text_of_an_engine():
    assert "hunter2" not in repr(db.connect("mysql+pymysql://u:hunter2@127.0.0.1/x"))
