import subprocess
import sys
import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from clustergenie import db
from clustergenie.db import _migrate


def test_head_is_the_newest_migration():
    assert ScriptDirectory(str(_migrate._MIGRATIONS)).get_current_head() == db.HEAD


def test_the_migrations_build_exactly_the_tables_the_code_uses(engine):
    with db.reading(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, db.metadata) == []


def test_a_second_migration_changes_nothing(database_url):
    assert db.migrate(database_url) is False


def test_a_current_database_does_not_cost_the_import_of_alembic(database_url):
    code = f"""
import sys
from clustergenie import db
db.migrate({database_url!r})
sys.exit("alembic" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


def test_a_database_of_a_newer_version_is_refused_with_the_remedy(engine, database_url):
    with db.writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'from-the-future'"))
    with pytest.raises(_migrate.MigrationError, match="newer ClusterGenie"):
        db.migrate(database_url)


def test_migrations_at_the_same_moment_do_not_disturb_each_other(fresh_url):
    outcomes = []
    threads = [threading.Thread(target=lambda: outcomes.append(db.migrate(fresh_url))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes) == [False, False, True]


def test_a_migration_that_was_killed_half_way_is_finished_by_the_next(fresh_url):
    engine = db.connect(fresh_url)
    tables = db.metadata.tables
    with db.writing(engine) as connection:
        tables["clusters"].create(connection)
        tables["droplets"].create(connection)
        connection.execute(text(f"DROP INDEX {_an_index(tables['clusters'])}{_on(engine, 'clusters')}"))
    engine.dispose()
    assert db.migrate(fresh_url) is True
    engine = db.connect(fresh_url)
    with db.reading(engine) as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, db.metadata) == []
    engine.dispose()


def _an_index(table):
    return next(iter(table.indexes)).name


def _on(engine, table):
    return "" if engine.dialect.name == "sqlite" else f" ON {table}"
