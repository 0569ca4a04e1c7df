"""Fixtures of the domain's tests: a migrated database of one's own, and a clock that stands still."""

import shutil
from pathlib import Path

import pytest

from clustergenie import db
from clustergenie.clock import ManualClock
from clustergenie.logs import scope
from clustergenie.origin import Origin


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory) -> Path:
    """Migrating takes longer than copying: done once."""
    path = tmp_path_factory.mktemp("db") / "migrated.db"
    db.migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(autouse=True)
def log_context():
    """Handlers leave theirs behind for the server's access line; here it would reach the next test."""
    with scope(call_id="", trace_id="", job_id=""):
        yield


@pytest.fixture
def database_url(migrated_file, tmp_path) -> str:
    shutil.copy(migrated_file, tmp_path / "test.db")
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture
def fresh_url(tmp_path) -> str:
    """A database without tables."""
    return f"sqlite:///{tmp_path / 'fresh.db'}"


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
