import threading

import pytest

from clustergenie import clusters, db
from clustergenie.clusters import CreateCluster, ListClusters, UpdateCluster
from clustergenie.errors import ConflictError, NotFoundError, StaleError
from clustergenie.events import outbox


def create(engine, origin, name="prod", region="nyc1"):
    return clusters.create(engine, CreateCluster(name=name, region=region), origin)


def told(engine):
    with db.reading(engine) as connection:
        return [
            (row.headers["ce_type"], row.key, row.headers["traceparent"])
            for row in outbox.oldest(connection, 100)
        ]


def expecting(version):
    def check(found):
        if found != version:
            raise StaleError("it changed")

    return check


def test_every_change_is_told_with_its_trace(engine, origin):
    cluster = create(engine, origin)
    clusters.update(engine, cluster.id, UpdateCluster(status="warning"), origin, check_version=expecting(1))
    clusters.delete(engine, cluster.id, origin, check_version=expecting(2))
    assert told(engine) == [
        (kind, cluster.id, origin.traceparent)
        for kind in ("cluster.created", "cluster.updated", "cluster.deleted")
    ]


def test_what_is_read_is_what_was_written(engine, origin):
    cluster = create(engine, origin)
    assert clusters.get(engine, cluster.id) == cluster


def test_of_concurrent_changes_to_one_version_only_one_succeeds(engine, origin):
    cluster = create(engine, origin)
    outcomes = []

    def change(name):
        try:
            wanted = UpdateCluster(name=name)
            outcomes.append(
                clusters.update(engine, cluster.id, wanted, origin, check_version=expecting(1)).name
            )
        except StaleError:
            outcomes.append(None)

    threads = [threading.Thread(target=change, args=(f"name {number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    (winner,) = [name for name in outcomes if name]
    assert clusters.get(engine, cluster.id).name == winner
    assert clusters.get(engine, cluster.id).version == 2


def test_of_concurrent_creations_with_one_name_only_one_succeeds(engine, origin):
    outcomes = []

    def attempt():
        try:
            outcomes.append(create(engine, origin).id)
        except ConflictError:
            outcomes.append(None)

    threads = [threading.Thread(target=attempt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(outcome is not None for outcome in outcomes) == 1
    assert len(told(engine)) == 1


@pytest.mark.parametrize("name", ["prod", "Ünïcode 🐘", "a'b\"c\\d%_", "SELECT 1; --"])
def test_names_come_back_as_they_were_given(engine, origin, name):
    create(engine, origin, name)
    found, page = clusters.find(engine, ListClusters(q=name[:6]))
    assert [cluster.name for cluster in found] == [name]
    assert page.total == 1


def test_pages_by_cursor_cover_every_row_once_in_each_order(engine, origin):
    for number in range(7):
        create(engine, origin, f"c{number}", f"r{number % 2}")
    for sort_by in ("created_at", "name", "region", "id"):
        for sort_dir in ("asc", "desc"):
            seen, cursor = [], None
            while True:
                wanted = ListClusters(page_size=3, cursor=cursor, sort_by=sort_by, sort_dir=sort_dir)
                found, page = clusters.find(engine, wanted)
                seen += [(getattr(cluster, sort_by), cluster.id) for cluster in found]
                cursor = page.next_cursor
                if cursor is None:
                    break
            assert seen == sorted(seen, reverse=sort_dir == "desc")
            assert len(set(seen)) == 7


def test_unknown_ids_are_not_found(engine, origin):
    for call in (
        lambda: clusters.get(engine, "x"),
        lambda: clusters.update(engine, "x", UpdateCluster(name="a"), origin, check_version=expecting(1)),
        lambda: clusters.delete(engine, "x", origin, check_version=expecting(1)),
    ):
        with pytest.raises(NotFoundError):
            call()
