"""The domain's fixtures on a real MariaDB instead of SQLite."""

import uuid

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from clustergenie import db
from clustergenie.clock import ManualClock
from clustergenie.origin import Origin
from tests.integration.mariadb import available, mariadb


@pytest.fixture(scope="session")
def server_url(tmp_path_factory):
    reason = available()
    if reason:
        pytest.skip(reason)
    with mariadb(tmp_path_factory.mktemp("mariadb")) as url:
        yield url


@pytest.fixture
def fresh_url(server_url):
    """A database without tables."""
    name = f"genie_{uuid.uuid4().hex[:12]}"
    admin = db.connect(server_url)
    with admin.begin() as connection:
        connection.execute(text(f"CREATE DATABASE {name} CHARACTER SET utf8mb4"))
    yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    with admin.begin() as connection:
        connection.execute(text(f"DROP DATABASE {name}"))
    admin.dispose()


@pytest.fixture(scope="session")
def migrated_url(server_url):
    db.migrate(server_url)
    return server_url


@pytest.fixture
def database_url(migrated_url):
    """A migrated database without rows. Deleting rows takes less time than making tables."""
    engine = db.connect(migrated_url)
    with engine.begin() as connection:
        for table in reversed(db.metadata.sorted_tables):
            connection.execute(table.delete())
        connection.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": db.HEAD})
    engine.dispose()
    return migrated_url


@pytest.fixture
def engine(database_url):
    engine = db.connect(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def origin() -> Origin:
    return Origin("tester", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
