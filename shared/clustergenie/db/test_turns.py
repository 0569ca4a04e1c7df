import multiprocessing
import os
import signal
import threading

import pytest
from sqlalchemy import func, select

from clustergenie import db
from clustergenie.db.tables import inbox


def add(engine, clock, name):
    row = {"consumer": "test", "event_id": name, "result": None, "created_at": clock()}
    db.transact(engine, lambda connection: connection.execute(inbox.insert(), row))


def test_writers_of_one_file_wait_for_each_other_in_their_order(engine, clock):
    order = []

    def later(name):
        with db.writing(engine):
            order.append(name)

    with db.writing(engine):
        thread = threading.Thread(target=later, args=("second",))
        thread.start()
        order.append("first")
    thread.join(20)
    assert order == ["first", "second"]


def test_a_writer_inside_a_writer_is_a_mistake_that_is_told(engine):
    with pytest.raises(RuntimeError, match="inside another"), db.writing(engine), db.writing(engine):
        pass
    with db.writing(engine):
        pass  # and the turn was given back


def test_reading_waits_for_nobody(engine, clock):
    with db.writing(engine), db.reading(engine) as connection:
        assert connection.execute(select(func.count()).select_from(inbox)).scalar_one() == 0


def _hold(url, holds):
    with db.writing(db.connect(url)):
        holds.set()
        signal.pause()


def test_the_turn_of_a_killed_writer_is_free_at_once(engine, clock, database_url):
    context = multiprocessing.get_context("fork")
    holds = context.Event()
    process = context.Process(target=_hold, args=(database_url, holds))
    process.start()
    assert holds.wait(20)
    os.kill(process.pid, signal.SIGKILL)
    process.join(20)
    add(engine, clock, "after")
