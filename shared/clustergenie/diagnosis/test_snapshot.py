import pytest

from clustergenie import clusters, db, diagnosis, jobs
from clustergenie.db.tables import droplets, metrics
from clustergenie.errors import NotFoundError


@pytest.fixture
def cluster(engine, clock, origin):
    return clusters.create(engine, clusters.CreateCluster(name="prod", region="nyc1"), origin, clock=clock)


def take(engine, cluster, clock, **more):
    with db.reading(engine) as connection:
        return diagnosis.take(connection, cluster.id, clock=clock, **more)


def add_droplet(engine, clock, cluster, name, status="active"):
    row = {
        "id": name, "cluster_id": cluster.id, "name": name, "region": "nyc1", "size": "s", "image": "i",
        "status": status, "version": 1, "created_at": clock(), "updated_at": clock(),
    }  # fmt: skip
    with db.writing(engine) as connection:
        connection.execute(droplets.insert(), row)


def add_sample(engine, clock, cluster, kind, value):
    row = {
        "id": f"{kind}-{value}",
        "cluster_id": cluster.id,
        "type": kind,
        "value": value,
        "unit": "%",
        "timestamp": clock(),
    }
    with db.writing(engine) as connection:
        connection.execute(metrics.insert(), row)


def add_job(engine, clock, cluster, origin):
    wanted = jobs.CreateJob(type=jobs.JobType.DIAGNOSE, cluster_id=cluster.id)
    return jobs.create(engine, wanted, origin, clock=clock)


def test_droplets_are_those_of_the_cluster_that_are_not_deleted(engine, clock, cluster, origin):
    other = clusters.create(engine, clusters.CreateCluster(name="b", region="nyc1"), origin, clock=clock)
    add_droplet(engine, clock, cluster, "droplet-1")
    add_droplet(engine, clock, cluster, "droplet-2", "deleted")
    add_droplet(engine, clock, other, "droplet-3")
    taken = take(engine, cluster, clock)
    assert [droplet.id for droplet in taken.droplets] == ["droplet-1"] == list(taken.cluster.droplets)


def test_of_each_metric_the_newest_recent_sample_counts(engine, clock, cluster):
    add_sample(engine, clock, cluster, "disk", 99.0)
    clock.advance(16 * 60)
    add_sample(engine, clock, cluster, "cpu", 90.0)
    clock.advance(60)
    add_sample(engine, clock, cluster, "cpu", 10.0)
    assert [(sample.type, sample.value) for sample in take(engine, cluster, clock).samples] == [("cpu", 10.0)]


def test_jobs_are_those_of_the_last_day_without_the_one_that_looks(engine, clock, cluster, origin):
    add_job(engine, clock, cluster, origin)
    clock.advance(25 * 3600)
    recent, own = (add_job(engine, clock, cluster, origin) for _ in range(2))
    assert [job.id for job in take(engine, cluster, clock, without_job=own.id).jobs] == [recent.id]


def test_an_unknown_cluster_is_not_found(engine, clock):
    with pytest.raises(NotFoundError), db.reading(engine) as connection:
        diagnosis.take(connection, "cluster-none", clock=clock)
