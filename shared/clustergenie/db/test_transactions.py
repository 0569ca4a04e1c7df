import contextlib
import sqlite3
import threading

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from clustergenie import db
from clustergenie.db.tables import clusters


def row(name, clock):
    now = clock()
    return {
        "id": name, "name": name, "region": "nyc1", "status": "healthy", "version": 1,
        "last_checked": now, "created_at": now, "updated_at": now,
    }  # fmt: skip


def count(engine):
    with db.reading(engine) as connection:
        return connection.execute(select(func.count()).select_from(clusters)).scalar_one()


def test_a_writing_block_commits_when_it_ends(engine, clock):
    with db.writing(engine) as connection:
        connection.execute(clusters.insert(), row("a", clock))
    assert count(engine) == 1


def test_a_writing_block_that_raises_leaves_nothing(engine, clock):
    def unit(connection):
        connection.execute(clusters.insert(), row("a", clock))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        db.transact(engine, unit)
    assert count(engine) == 0


def test_hooks_run_once_after_the_commit_and_never_after_a_rollback(engine, clock):
    seen = []

    def hook():
        seen.append(count(engine))

    def unit(connection):
        connection.execute(clusters.insert(), row("a", clock))
        db.after_commit(connection, hook)
        db.after_commit(connection, hook)

    db.transact(engine, unit)
    with pytest.raises(IntegrityError):
        db.transact(engine, unit)
    assert seen == [1]


def test_a_unit_is_run_again_after_a_conflict(engine):
    runs = []

    def unit(connection):
        runs.append(connection)
        if len(runs) < 3:
            raise conflict()
        return "done"

    assert db.transact(engine, unit, sleep=lambda _: None) == "done"
    assert len(runs) == 3


def test_a_conflict_that_does_not_end_is_told_in_the_end(engine):
    runs = []

    def unit(connection):
        runs.append(connection)
        raise conflict()

    with pytest.raises(OperationalError):
        db.transact(engine, unit, sleep=lambda _: None)
    assert len(runs) == 6


def conflict():
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = 5
    return OperationalError("UPDATE", {}, error)


def test_units_of_many_threads_lose_no_update(engine, clock):
    with db.writing(engine) as connection:
        connection.execute(clusters.insert(), row("a", clock))

    def unit(connection):
        version = connection.execute(select(clusters.c.version).with_for_update()).scalar_one()
        connection.execute(clusters.update().values(version=version + 1))

    threads = [
        threading.Thread(target=lambda: [db.transact(engine, unit) for _ in range(10)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with db.reading(engine) as connection:
        assert connection.execute(select(clusters.c.version)).scalar_one() == 41


def test_units_that_lock_in_opposite_order_both_finish(engine, clock):
    with db.writing(engine) as connection:
        connection.execute(clusters.insert(), [row("a", clock), row("b", clock)])
    gate = threading.Barrier(2, timeout=0.5)

    def change(first, second):
        def unit(connection):
            bump(connection, first)
            # SQLite lets only one in, and the run after a deadlock is alone.
            with contextlib.suppress(threading.BrokenBarrierError):
                gate.wait()
            bump(connection, second)

        db.transact(engine, unit)

    threads = [threading.Thread(target=change, args=pair) for pair in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with db.reading(engine) as connection:
        assert connection.execute(select(clusters.c.version)).scalars().all() == [3, 3]


def bump(connection, key):
    connection.execute(clusters.update().where(clusters.c.id == key).values(version=clusters.c.version + 1))


@pytest.mark.parametrize(("column", "value"), [("status", "excellent"), ("name", None)])
def test_the_database_itself_refuses_what_breaks_an_invariant(engine, clock, column, value):
    with pytest.raises((IntegrityError, OperationalError)), db.writing(engine) as connection:
        connection.execute(clusters.insert(), row("a", clock) | {column: value})


def test_names_that_differ_in_case_only_are_different(engine, clock):
    with db.writing(engine) as connection:
        connection.execute(clusters.insert(), [row("a", clock), row("A", clock)])
    assert count(engine) == 2


def test_a_fault_of_ours_is_not_taken_for_an_outage(engine):
    with pytest.raises(Exception, match="nonsense") as caught, db.reading(engine) as connection:
        connection.execute(text("SELECT * FROM nonsense"))
    assert not db.is_outage(caught.value)


def test_a_database_that_cannot_be_opened_is_an_outage(tmp_path):
    engine = db.connect(f"sqlite:///{tmp_path}/missing/folder.db")
    with pytest.raises(OperationalError) as caught, db.reading(engine):
        pass
    assert db.is_outage(caught.value)


def test_an_unknown_kind_of_database_is_refused_by_name():
    with pytest.raises(ValueError, match=r"postgresql.*use sqlite"):
        db.connect("postgresql://localhost/x")
