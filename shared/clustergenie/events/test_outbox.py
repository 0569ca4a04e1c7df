import pytest
from sqlalchemy.exc import IntegrityError

from clustergenie import db
from clustergenie.events import Event, EventError, catalogue, inbox, outbox

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def created(name):
    return catalogue.ClusterCreated(cluster_id=name, name=name, region="nyc1", status="healthy").event(name)


def append(engine, *names):
    def unit(connection):
        for name in names:
            outbox.append(connection, "cluster-events", name, created(name), TRACEPARENT)

    db.transact(engine, unit)


def rows(engine, limit=100):
    with db.reading(engine) as connection:
        return outbox.oldest(connection, limit)


def test_a_row_is_the_message_as_it_is_to_be_sent(engine):
    event = created("a")
    db.transact(
        engine, lambda connection: outbox.append(connection, "cluster-events", "a", event, TRACEPARENT)
    )
    (row,) = rows(engine)
    assert (row.topic, row.key, row.event_id) == ("cluster-events", "a", event.id)
    assert row.headers == event.headers() | {"traceparent": TRACEPARENT}
    assert row.body == event.body()


def test_rows_come_out_in_the_order_they_went_in(engine):
    append(engine, "a", "b")
    append(engine, "c")
    assert [row.key for row in rows(engine)] == ["a", "b", "c"]
    assert [row.key for row in rows(engine, limit=2)] == ["a", "b"]


def test_only_what_was_acknowledged_is_deleted(engine):
    append(engine, "a", "b", "c")
    first, second, _ = rows(engine)
    db.transact(engine, lambda connection: outbox.delete(connection, [first.id, second.id]))
    db.transact(engine, lambda connection: outbox.delete(connection, []))
    assert [row.key for row in rows(engine)] == ["c"]


def test_ids_are_never_given_twice(engine):
    append(engine, "a")
    (row,) = rows(engine)
    db.transact(engine, lambda connection: outbox.delete(connection, [row.id]))
    append(engine, "b")
    assert rows(engine)[0].id > row.id


def test_a_change_that_fails_leaves_no_event_and_wakes_nobody(engine):
    calls = []

    def unit(connection):
        outbox.append(connection, "cluster-events", "a", created("a"))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        db.transact(outbox.waking(engine, lambda: calls.append(1)), unit)
    assert rows(engine) == []
    assert calls == []


def test_the_relay_is_woken_once_per_transaction_after_the_commit(engine):
    seen = []
    append(outbox.waking(engine, lambda: seen.append(len(rows(engine)))), "a", "b")
    assert seen == [2]


def test_an_event_outside_the_catalogue_cannot_be_stored(engine):
    with pytest.raises(EventError):
        db.transact(engine, lambda connection: outbox.append(connection, "t", "k", Event("x.y", "k", {})))


def test_an_effect_happens_once_and_its_result_is_answered_again(engine, clock):
    effects = []

    def effect(_connection):
        effects.append(1)
        return {"id": "droplet-1"}

    def deliver(_time):
        return db.transact(engine, lambda c: inbox.once(c, "job-provision", "e1", effect, clock=clock))

    assert [deliver(1), deliver(2)] == [{"id": "droplet-1"}] * 2
    assert effects == [1]


def test_consumers_do_not_share_their_inboxes(engine):
    for consumer in ("a", "b"):
        assert (
            db.transact(engine, lambda c, name=consumer: inbox.once(c, name, "e1", lambda _: name))
            == consumer
        )


def test_an_effect_that_fails_is_not_remembered(engine):
    def broken(_connection):
        raise IntegrityError("x", {}, Exception())

    with pytest.raises(IntegrityError):
        db.transact(engine, lambda c: inbox.once(c, "a", "e1", broken))
    assert db.transact(engine, lambda c: inbox.once(c, "a", "e1", lambda _: 1)) == 1


def test_old_answers_can_be_forgotten(engine, clock):
    db.transact(engine, lambda c: inbox.once(c, "a", "e1", lambda _: 1, clock=clock))
    clock.advance(10)
    assert db.transact(engine, lambda c: inbox.forget(c, clock())) == 1
    assert db.transact(engine, lambda c: inbox.once(c, "a", "e1", lambda _: 2)) == 2
