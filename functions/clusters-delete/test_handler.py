def test_an_empty_cluster_goes_and_is_told(functions, outbox_events):
    cluster = functions.create_cluster()
    answer = functions("clusters-delete", "DELETE", f"/{cluster['id']}")
    assert answer.status == 200
    assert "deleted" in answer.body["message"]
    assert functions("clusters-get", path=f"/{cluster['id']}").status == 404
    assert outbox_events()[-1].type == "cluster.deleted"


def test_a_cluster_with_unfinished_jobs_says_what_it_holds(functions):
    cluster = functions.create_cluster()
    functions.create_job(cluster["id"])
    answer = functions("clusters-delete", "DELETE", f"/{cluster['id']}")
    assert answer.status == 409
    assert "0 droplets and 1 unfinished jobs" in answer.body["detail"]


def test_force_takes_all_of_it(functions):
    cluster = functions.create_cluster()
    job = functions.create_job(cluster["id"])
    assert functions("clusters-delete", "DELETE", f"/{cluster['id']}", force="true").status == 200
    assert functions("jobs-get", path=f"/{job['id']}").status == 404


def test_a_stale_version_deletes_nothing(functions):
    cluster = functions.create_cluster()
    assert (
        functions("clusters-delete", "DELETE", f"/{cluster['id']}", headers={"If-Match": '"9"'}).status == 412
    )
    assert functions("clusters-get", path=f"/{cluster['id']}").status == 200


def test_an_unknown_id_is_not_found(functions):
    assert functions("clusters-delete", "DELETE", "/cluster-none").status == 404
