"""Bring a database to the newest schema. Alembic does it; when there is nothing to do it is not even imported."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from clustergenie.db._engine import connect
from clustergenie.db._transactions import reading, writing

#: Revision of the newest migration. Must match ``migrations/versions``; a test compares the two.
HEAD = "0001"
#: How long to wait for another process that migrates the same MySQL database, in seconds.
LOCK_TIMEOUT_SECONDS = 60
_MIGRATIONS = Path(__file__).parent / "migrations"


class MigrationError(Exception):
    """The schema could not be brought up to date; the text names the cause and the remedy."""


def migrate(url: str) -> bool:
    """Create or upgrade the schema at ``url``; False when it was current already.

    Safe to run from several processes at once, and again after a crash in the middle. Raises :class:`MigrationError`
    when the database was made by a newer version, and SQLAlchemy's errors when it cannot be reached.
    """
    engine = connect(url)
    try:
        if _revision(engine) == HEAD:
            return False
        with _exclusive(engine) as connection:
            return _upgrade(connection)
    finally:
        engine.dispose()


def _revision(engine: Engine) -> str | None:
    try:
        with reading(engine) as connection:
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except DBAPIError:
        # Either there is no such table yet, or the database is out of reach: then what follows says so.
        return None


@contextmanager
def _exclusive(engine: Engine) -> Iterator[Connection]:
    if engine.dialect.name == "sqlite":
        with writing(engine) as connection:
            yield connection
        return
    with engine.connect() as connection:
        lock = {"name": f"clustergenie-migrate-{engine.url.database}"[:64]}
        taken = connection.execute(text(f"SELECT GET_LOCK(:name, {LOCK_TIMEOUT_SECONDS})"), lock).scalar()
        if taken != 1:
            raise MigrationError(
                f"another process has been migrating {engine.url.database} for {LOCK_TIMEOUT_SECONDS} s; try again"
            )
        yield connection
        connection.commit()
        connection.execute(text("SELECT RELEASE_LOCK(:name)"), lock)


def _upgrade(connection: Connection) -> bool:
    from alembic import command  # noqa: PLC0415  (0.3 s that a current database need not pay)
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util.exc import CommandError  # noqa: PLC0415

    before = _stamped(connection)
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise MigrationError(
            f"the database is at revision {before}, which this version does not know: {error}; "
            "it was made by a newer ClusterGenie, so run that one"
        ) from error
    return before != HEAD


def _stamped(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
