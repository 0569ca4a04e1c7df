import pytest

from clustergenie.identity import Role


def test_a_cluster_is_created_healthy_and_told(functions, outbox_events):
    answer = functions(
        "clusters-create", "POST", body={"name": " prod ", "region": "nyc1", "id": "cluster-mine"}
    )
    cluster = answer.body["cluster"]
    assert answer.status == 201
    assert answer.headers["Location"] == f"/api/v1/clusters/{cluster['id']}"
    assert answer.headers["ETag"] == '"1"'
    assert answer.headers["X-Request-Id"] == "call-1"
    assert cluster["id"].startswith("cluster-")
    assert cluster["id"] != "cluster-mine"
    assert {name: cluster[name] for name in ("name", "region", "status", "droplets")} == {
        "name": "prod", "region": "nyc1", "status": "healthy", "droplets": []
    }  # fmt: skip
    (event,) = outbox_events()
    assert (event.type, event.subject) == ("cluster.created", cluster["id"])


def test_a_name_is_given_once_only(functions, outbox_events):
    functions.create_cluster("prod")
    answer = functions("clusters-create", "POST", body={"name": "prod", "region": "lon1"})
    assert answer.status == 409
    assert "'prod'" in answer.body["detail"]
    assert len(outbox_events()) == 1


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["name", "region"]),
        ({"name": "a"}, ["region"]),
        ({"name": "", "region": "nyc1"}, ["name"]),
        ({"name": "a", "region": "no spaces"}, ["region"]),
        ({"name": 1, "region": []}, ["name", "region"]),
    ],
)
def test_every_bad_value_is_named(functions, outbox_events, body, fields):
    answer = functions("clusters-create", "POST", body=body)
    assert answer.status == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert [field["field"] for field in answer.body["fields"]] == fields
    assert outbox_events() == []


def test_a_viewer_may_not_create(functions):
    assert (
        functions("clusters-create", "POST", body={"name": "a", "region": "b"}, role=Role.VIEWER).status
        == 403
    )
