def test_a_cluster_is_shown_with_its_version(functions):
    cluster = functions.create_cluster()
    answer = functions("clusters-get", path=f"/{cluster['id']}")
    assert answer.status == 200
    assert answer.body["cluster"] == cluster
    assert answer.headers["ETag"] == '"1"'


def test_the_whole_path_works_too(functions):
    cluster = functions.create_cluster()
    assert functions("clusters-get", path=f"/api/v1/clusters/{cluster['id']}").status == 200


def test_an_unknown_id_is_not_found(functions):
    answer = functions("clusters-get", path="/cluster-none")
    assert answer.status == 404
    assert answer.body["error"] == answer.body["detail"] == "there is no cluster cluster-none"
    assert answer.body["request_id"] == "call-1"


def test_a_path_of_something_else_is_not_found(functions):
    assert functions("clusters-get", path="/").status == 404
    assert functions("clusters-get", path="/a/b").status == 404
