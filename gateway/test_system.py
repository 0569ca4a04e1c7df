"""The management API as an OpenFaaS client meets it."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest

from gateway.conftest import Bench
from gateway.specs import SpecStore


async def _call(gateway: Bench, method: str, path: str, body: object = None):
    text = b"" if body is None else json.dumps(body).encode()
    return await gateway.client.request(method, path, headers=[gateway.basic], body=text)


@pytest.mark.parametrize(
    "shown", [None, "Basic wrong", "Basic " + base64.b64encode(b"admin:no").decode(), "Bearer x"]
)
async def test_without_the_administrators_credentials_the_answer_is_401_with_the_contracts_challenge(
    gateway, shown
):
    headers = [("Authorization", shown)] if shown else []
    answer = await gateway.client.request("GET", "/system/functions", headers=headers)
    assert answer.status == 401
    assert answer.header(b"www-authenticate") == b'Basic realm="Restricted"'


async def test_an_update_of_an_unknown_function_is_404_so_that_the_client_creates_it(gateway: Bench):
    body = {"service": "hello", "image": "hello:latest", "labels": None, "annotations": {}}
    assert (await _call(gateway, "PUT", "/system/functions", body)).status == 404
    assert (await _call(gateway, "POST", "/system/functions", body)).status == 202
    assert (await _call(gateway, "PUT", "/system/functions", body)).status == 202


async def test_the_list_tells_specification_and_running_state(gateway: Bench):
    await gateway.deploy("hello", envVars={"a": "b"}, labels={"x": "y"})
    await gateway.client.request("GET", "/function/hello")
    (status,) = json.loads((await _call(gateway, "GET", "/system/functions")).body)
    assert status | {"createdAt": ""} == {
        "name": "hello", "image": "hello:latest", "namespace": "openfaas-fn", "envVars": {"a": "b"}, "labels": {"x": "y"},
        "replicas": 1, "availableReplicas": 1, "invocationCount": 1.0, "createdAt": "",
    }  # fmt: skip


async def test_an_empty_list_is_an_empty_array(gateway: Bench):
    assert (await _call(gateway, "GET", "/system/functions")).body == b"[]"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"image": "x:latest"}, "service is required"),
        ({"service": "a/b", "image": "x"}, "not valid"),
        ({"service": "a", "image": "missing:latest"}, "genie build"),
        ({"service": "a", "image": "x", "labels": {"n": 1}}, "values are strings"),
        ({"service": "a", "image": "x", "annotations": {"auth.role": "king"}}, "auth.role"),
        ({"service": "a", "image": "x", "envVars": {"exec_timeout": "soon"}}, "exec_timeout"),
        ([], "JSON object"),
    ],
)
async def test_a_bad_deployment_is_400_with_the_cause_and_leaves_nothing(
    gateway: Bench, body: object, said: str
):
    answer = await _call(gateway, "POST", "/system/functions", body)
    assert answer.status == 400
    assert said in answer.body.decode()
    assert (await _call(gateway, "GET", "/system/functions")).body == b"[]"


async def test_a_route_belongs_to_one_function_only(gateway: Bench):
    notes = {"http.path": "/api/v1/things", "http.method": "GET"}
    await gateway.deploy("first", annotations=notes)
    body = {"service": "second", "image": "x", "annotations": notes}
    answer = await _call(gateway, "POST", "/system/functions", body)
    assert answer.status == 400
    assert b"first.openfaas-fn" in answer.body


async def test_a_removed_function_is_gone_everywhere(gateway: Bench):
    await gateway.deploy("hello", annotations={"http.path": "/api/v1/hello"})
    assert (await _call(gateway, "DELETE", "/system/functions", {"functionName": "hello"})).status == 202
    assert (await _call(gateway, "DELETE", "/system/functions", {"functionName": "hello"})).status == 404
    for path in ("/function/hello", "/api/v1/hello"):
        assert (await gateway.client.request("GET", path)).status == 404
    assert SpecStore(gateway.folder / "specs").load() == []


async def test_what_was_accepted_is_on_disk(gateway: Bench):
    await gateway.deploy("hello", secrets=["a"], readOnlyRootFilesystem=True)
    (stored,) = SpecStore(gateway.folder / "specs").load()
    assert stored.deployment == gateway.fleet.table.find("hello").deployment  # type: ignore[union-attr]


async def test_scaling_honours_the_body_and_refuses_what_is_no_count(gateway: Bench):
    await gateway.deploy("hello")
    assert (
        await _call(gateway, "POST", "/system/scale-function/hello", {"serviceName": "hello", "replicas": 3})
    ).status == 202
    status = json.loads((await _call(gateway, "GET", "/system/function/hello?usage=1")).body)
    assert (status["replicas"], status["availableReplicas"], status["usage"]["cpu"]) == (3, 3, 12.0)
    for bad in ({"replicas": -1}, {"replicas": "2"}, {"replicas": True}):
        assert (await _call(gateway, "POST", "/system/scale-function/hello", bad)).status == 400
    assert (await _call(gateway, "POST", "/system/scale-function/no", {"replicas": 1})).status == 404


async def test_secrets_go_in_and_never_come_out(gateway: Bench):
    body = {"name": "key", "value": "trimmed", "rawValue": base64.b64encode(b"raw \n").decode()}
    assert (await _call(gateway, "POST", "/system/secrets", body)).status == 202
    assert (await _call(gateway, "POST", "/system/secrets", body)).status == 409
    assert json.loads((await _call(gateway, "GET", "/system/secrets")).body) == [
        {"name": "key", "namespace": "openfaas-fn"}
    ]
    file = gateway.folder / "secrets" / "openfaas-fn" / "key"
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"raw \n", 0o600)
    assert (await _call(gateway, "PUT", "/system/secrets", {"name": "no", "value": "x"})).status == 404
    assert (await _call(gateway, "DELETE", "/system/secrets", {"name": "key"})).status == 202
    assert (await _call(gateway, "POST", "/system/secrets", {"name": "../up", "value": "x"})).status == 400


async def test_logs_tell_the_newest_lines_of_all_replicas_in_order(gateway: Bench):
    await gateway.deploy("hello")
    folder = gateway.folder / "logs" / "hello.openfaas-fn"
    folder.mkdir()
    for instance, second in (("a", 1), ("b", 0), ("a", 3), ("b", 2)):
        line = {"ts": f"2026-01-01T00:00:0{second}.000Z", "instance": instance, "msg": str(second)}
        with (folder / f"{instance}.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
    answer = await _call(gateway, "GET", "/system/logs?name=hello&tail=3")
    assert answer.header(b"content-type") == b"application/x-ndjson"
    assert [json.loads(line)["text"] for line in answer.body.splitlines()] == ["1", "2", "3"]
    since = await _call(gateway, "GET", "/system/logs?name=hello&since=2026-01-01T00:00:02Z")
    assert [json.loads(line)["text"] for line in since.body.splitlines()] == ["2", "3"]
    assert (await _call(gateway, "GET", "/system/logs?name=hello&since=yesterday")).status == 422
    assert (await _call(gateway, "GET", "/system/logs?name=nobody")).status == 404


async def test_followed_logs_tell_a_new_line_when_it_is_written(gateway: Bench):
    await gateway.deploy("hello")
    file = gateway.folder / "logs" / "hello.openfaas-fn" / "a.jsonl"
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(
        f"GET /system/logs?name=hello&follow=true HTTP/1.1\r\nHost: x\r\n{': '.join(gateway.basic)}\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    with file.open("a") as log:
        log.write('{"ts": "2026-01-01T00:00:00.000Z", "msg": "fresh"}\n')
    async with asyncio.timeout(5):
        assert b'"text":"fresh"' in await reader.readuntil(b"}\n")
    writer.close()


async def test_a_known_path_with_a_wrong_method_is_405_and_an_unknown_path_404(gateway: Bench):
    assert (await _call(gateway, "DELETE", "/system/info")).status == 405
    assert (await _call(gateway, "GET", "/system/nothing")).status == 404


async def test_info_has_both_versions_because_the_client_reads_them_unchecked(gateway: Bench):
    info = json.loads((await _call(gateway, "GET", "/system/info")).body)
    assert info["version"]["release"]
    assert info["provider"]["version"]["release"]


async def test_a_removal_answers_at_once_and_the_same_name_starts_again_after_the_old_one_drained(
    gateway: Bench,
):
    finish = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await finish.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold")
        await reader.read()

    key = await gateway.deploy("hello", script=slow)
    call = asyncio.ensure_future(gateway.client.request("POST", "/function/hello"))
    balancer = gateway.fleet.table.get(key).balancer
    async with asyncio.timeout(5):
        while balancer.in_flight == 0:  # noqa: ASYNC110 - the request is on its way through the loop
            await asyncio.sleep(0)
    assert (await _call(gateway, "DELETE", "/system/functions", {"functionName": "hello"})).status == 202
    again = asyncio.ensure_future(gateway.deploy("hello"))
    finish.set()
    assert (await call).body == b"old"
    await again
    assert b"GET / HTTP/1.1" in (await gateway.client.request("GET", "/function/hello")).body


async def test_a_follower_that_leaves_is_noticed_without_a_line_being_written(gateway: Bench):
    await gateway.deploy("hello")
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    login = ": ".join(gateway.basic)
    writer.write(f"GET /system/logs?name=hello&follow=true HTTP/1.1\r\nHost: x\r\n{login}\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    writer.close()
    async with asyncio.timeout(5):
        while gateway.server.open_connections:  # noqa: ASYNC110 - the server's own close is what we wait for
            await asyncio.sleep(0)


async def test_followers_do_not_hold_up_a_stop(gateway: Bench):
    await gateway.deploy("hello")
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    login = ": ".join(gateway.basic)
    writer.write(f"GET /system/logs?name=hello&follow=true HTTP/1.1\r\nHost: x\r\n{login}\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    gateway.system.end_streams()
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()
