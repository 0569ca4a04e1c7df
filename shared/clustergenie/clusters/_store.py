from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, Select, func, select
from sqlalchemy.exc import IntegrityError

from clustergenie import db, ids
from clustergenie.clock import Clock, system_clock
from clustergenie.clusters._record import Cluster
from clustergenie.clusters._requests import CreateCluster, ListClusters, UpdateCluster
from clustergenie.db.tables import clusters, droplets, jobs
from clustergenie.errors import ConflictError, NotFoundError
from clustergenie.events import CLUSTER_EVENTS, outbox
from clustergenie.events.catalogue import ClusterCreated, ClusterDeleted, ClusterPayload, ClusterUpdated
from clustergenie.origin import Origin

_UNFINISHED = ("queued", "running")


def create(engine: Engine, wanted: CreateCluster, origin: Origin, *, clock: Clock = system_clock) -> Cluster:
    """A new, healthy cluster; raises ConflictError when the name is taken."""
    now = clock()
    row = {
        "id": ids.new("cluster"), "name": wanted.name, "region": wanted.region, "status": "healthy", "version": 1,
        "last_checked": now, "created_at": now, "updated_at": now,
    }  # fmt: skip

    def unit(connection: Connection) -> Cluster:
        with _unique_name(wanted.name):
            connection.execute(clusters.insert(), row)
        _tell(connection, ClusterCreated(**_told(row)), origin, clock)
        return Cluster.from_row(row, ())

    return db.transact(engine, unit)


def get(engine: Engine, cluster_id: str) -> Cluster:
    """Raises NotFoundError."""
    with db.reading(engine) as connection:
        return load(connection, cluster_id)


def load(connection: Connection, cluster_id: str) -> Cluster:
    """:func:`get` within a transaction."""
    row = connection.execute(_by_id(cluster_id)).mappings().one_or_none()
    if row is None:
        raise NotFoundError("cluster", cluster_id)
    return Cluster.from_row(row, _droplets(connection, [cluster_id])[cluster_id])


def find(engine: Engine, wanted: ListClusters) -> tuple[list[Cluster], db.Page]:
    """One page of the clusters that fit."""
    query = select(clusters)
    if wanted.status is not None:
        query = query.where(clusters.c.status == wanted.status)
    if wanted.region is not None:
        query = query.where(clusters.c.region == wanted.region)
    if wanted.q is not None:
        query = query.where(func.lower(clusters.c.name).contains(wanted.q.lower(), autoescape=True))
    with db.reading(engine) as connection:
        page = db.Page.fetch(connection, query, clusters.c.id, wanted.paging(wanted.sort_by))
        held = _droplets(connection, [row["id"] for row in page.rows])
    return [Cluster.from_row(row, held[row["id"]]) for row in page.rows], page


def update(
    engine: Engine,
    cluster_id: str,
    wanted: UpdateCluster,
    origin: Origin,
    *,
    check_version: Callable[[int], None],
    clock: Clock = system_clock,
) -> Cluster:
    """Change what ``wanted`` names. ``check_version`` may refuse the version that is found, before anything changes."""

    def unit(connection: Connection) -> Cluster:
        before = _lock(connection, cluster_id)
        check_version(before["version"])
        changed = sorted(name for name, value in wanted.changes.items() if before[name] != value)
        now = clock()
        values = {**wanted.changes, "version": before["version"] + 1, "last_checked": now, "updated_at": now}
        with _unique_name(wanted.name or before["name"]):
            connection.execute(clusters.update().where(clusters.c.id == cluster_id).values(values))
        _tell(connection, ClusterUpdated(**_told({**before, **values}), changed=changed), origin, clock)
        return load(connection, cluster_id)

    return db.transact(engine, unit)


def delete(
    engine: Engine,
    cluster_id: str,
    origin: Origin,
    *,
    force: bool = False,
    check_version: Callable[[int], None],
    clock: Clock = system_clock,
) -> None:
    """Delete it with all it holds. Without ``force``: ConflictError while it has droplets or unfinished jobs."""

    def unit(connection: Connection) -> None:
        row = _lock(connection, cluster_id)
        check_version(row["version"])
        living = _count(connection, _living_droplets([cluster_id]))
        unfinished = _count(connection, _unfinished_jobs(cluster_id))
        if not force and (living or unfinished):
            raise ConflictError(
                f"{cluster_id} still holds {living} droplets and {unfinished} unfinished jobs; "
                "remove them first, or delete all of it with ?force=true"
            )
        connection.execute(clusters.delete().where(clusters.c.id == cluster_id))
        _tell(connection, ClusterDeleted(**_told(row), droplets=living, jobs=unfinished), origin, clock)

    db.transact(engine, unit)


@contextmanager
def _unique_name(name: str) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        raise ConflictError(f"there is a cluster named {name!r} already; choose another name") from error


def _by_id(cluster_id: str) -> Select[Any]:
    return select(clusters).where(clusters.c.id == cluster_id)


def _lock(connection: Connection, cluster_id: str) -> RowMapping:
    row = connection.execute(_by_id(cluster_id).with_for_update()).mappings().one_or_none()
    if row is None:
        raise NotFoundError("cluster", cluster_id)
    return row


def _living_droplets(cluster_ids: Iterable[str]) -> Select[Any]:
    wanted = droplets.c.cluster_id.in_(list(cluster_ids)), droplets.c.status != "deleted"
    return select(droplets.c.cluster_id, droplets.c.id).where(*wanted)


def _unfinished_jobs(cluster_id: str) -> Select[Any]:
    return select(jobs.c.id).where(jobs.c.cluster_id == cluster_id, jobs.c.status.in_(_UNFINISHED))


def _droplets(connection: Connection, cluster_ids: Sequence[str]) -> Mapping[str, list[str]]:
    held: defaultdict[str, list[str]] = defaultdict(list)
    if cluster_ids:
        order = droplets.c.created_at, droplets.c.id
        for cluster_id, droplet_id in connection.execute(_living_droplets(cluster_ids).order_by(*order)):
            held[cluster_id].append(droplet_id)
    return held


def _count(connection: Connection, query: Select[Any]) -> int:
    return connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()


def _told(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {"cluster_id": row["id"], **{name: row[name] for name in ("name", "region", "status")}}


def _tell(connection: Connection, payload: ClusterPayload, origin: Origin, clock: Clock) -> None:
    event = payload.event(payload.cluster_id, clock=clock)
    outbox.append(connection, CLUSTER_EVENTS, payload.cluster_id, event, origin.traceparent)
