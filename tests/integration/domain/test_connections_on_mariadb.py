"""How connections to MariaDB are set up, and what happens when the server ends them."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from clustergenie import db

pytestmark = pytest.mark.slow


def one(engine, query):
    with db.reading(engine) as connection:
        return connection.execute(text(query)).scalar_one()


def test_a_connection_speaks_utc_and_every_character(engine):
    assert one(engine, "SELECT @@session.time_zone") == "+00:00"
    assert one(engine, "SELECT @@session.tx_isolation") == "READ-COMMITTED"
    assert one(engine, "SELECT @@session.character_set_client") == "utf8mb4"
    assert "STRICT_ALL_TABLES" in one(engine, "SELECT @@session.sql_mode")


def test_a_connection_the_server_ended_costs_no_request(engine):
    connection_id = one(engine, "SELECT CONNECTION_ID()")
    other = db.connect(engine.url.render_as_string(hide_password=False))
    with other.begin() as connection:
        connection.execute(text(f"KILL {connection_id}"))
    other.dispose()
    assert one(engine, "SELECT 1") == 1


def test_a_transaction_whose_connection_is_ended_is_an_outage_and_not_a_fault(engine):
    other = db.connect(engine.url.render_as_string(hide_password=False))

    def unit(connection):
        connection_id = connection.execute(text("SELECT CONNECTION_ID()")).scalar_one()
        with other.begin() as killing:
            killing.execute(text(f"KILL {connection_id}"))
        connection.execute(text("SELECT 1"))

    with pytest.raises(DBAPIError) as caught:
        db.transact(engine, unit)
    other.dispose()
    assert db.is_outage(caught.value)
