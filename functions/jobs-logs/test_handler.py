import json


def write(functions, *lines):
    records = [
        {
            "topic": "logs.x",
            "partition": 0,
            "offset": number,
            "timestamp_ms": 4_102_444_800_000,
            "value": json.dumps(line),
        }
        for number, line in enumerate(lines)
    ]
    body = "\n".join(json.dumps(record) for record in records).encode()
    assert functions("log-enricher", "POST", body=body).status == 200


def test_only_the_lines_of_the_job_are_shown(functions):
    job = functions.create_job(functions.create_cluster()["id"])
    write(
        functions,
        {"msg": "mine", "job_id": job["id"]},
        {"msg": "other", "job_id": "job-2"},
        {"msg": "bad", "job_id": job["id"], "level": "error"},
    )
    path = f"/{job['id']}/logs"
    assert [line["msg"] for line in functions("jobs-logs", path=path).body["items"]] == ["mine", "bad"]
    assert [line["msg"] for line in functions("jobs-logs", path=path, level="error").body["items"]] == ["bad"]


def test_an_unknown_job_is_not_found(functions):
    assert functions("jobs-logs", path="/job-none/logs").status == 404
