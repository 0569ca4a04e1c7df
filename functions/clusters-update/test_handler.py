import pytest


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_what_is_given_is_changed_and_the_rest_is_kept(functions, outbox_events, method):
    cluster = functions.create_cluster()
    body = {"status": "warning", "name": "", "region": None}
    answer = functions("clusters-update", method, f"/{cluster['id']}", body)
    assert answer.status == 200
    changed = answer.body["cluster"]
    assert {key: changed[key] for key in ("name", "region", "status")} == {
        "name": "prod", "region": "nyc1", "status": "warning"
    }  # fmt: skip
    assert answer.headers["ETag"] == '"2"'
    assert outbox_events()[-1].data["changed"] == ["status"]


def test_a_stale_version_changes_nothing(functions, outbox_events):
    cluster = functions.create_cluster()
    path = f"/{cluster['id']}"
    assert functions("clusters-update", "PUT", path, {"name": "b"}, headers={"If-Match": '"1"'}).status == 200
    answer = functions("clusters-update", "PUT", path, {"name": "c"}, headers={"If-Match": '"1"'})
    assert answer.status == 412
    assert '"2"' in answer.body["detail"]
    assert functions("clusters-get", path=path).body["cluster"]["name"] == "b"
    assert len(outbox_events()) == 2


@pytest.mark.parametrize("tag", ["*", '"1"', '"7", "1"'])
def test_a_version_that_fits_is_let_through(functions, tag):
    cluster = functions.create_cluster()
    assert (
        functions(
            "clusters-update", "PUT", f"/{cluster['id']}", {"name": "b"}, headers={"If-Match": tag}
        ).status
        == 200
    )


def test_the_name_of_another_is_refused(functions):
    functions.create_cluster("taken")
    cluster = functions.create_cluster("mine")
    assert functions("clusters-update", "PUT", f"/{cluster['id']}", {"name": "taken"}).status == 409


@pytest.mark.parametrize("body", [{"status": "fine"}, {"name": "x" * 101}, {"region": 3}])
def test_values_are_checked_as_at_creation(functions, body):
    cluster = functions.create_cluster()
    assert functions("clusters-update", "PATCH", f"/{cluster['id']}", body).status == 422


def test_an_unknown_id_is_not_found(functions):
    assert functions("clusters-update", "PUT", "/cluster-none", {"name": "b"}).status == 404
