"""The data path over real sockets: what a client sends, what a function sees, what comes back."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from datetime import timedelta

import pytest

from clustergenie.identity import FUNCTION_AUDIENCE, IDENTITY_HEADER, Role, TokenSigner
from gateway.conftest import IDENTITY_KEY, Bench
from gateway.wire.errors import WireError


async def test_a_function_sees_the_path_behind_its_name_with_query_method_and_body(gateway: Bench):
    await gateway.deploy("hello")
    answer = await gateway.client.request("PUT", "/function/hello/a/b?q=1&r=2", body=b"text")
    assert answer.status == 200
    assert answer.body.startswith(b"PUT /a/b?q=1&r=2 HTTP/1.1\r\n")
    assert answer.body.endswith(b"\r\n\r\ntext")


@pytest.mark.parametrize("name", ["hello", "hello.openfaas-fn"])
async def test_a_bare_name_and_the_default_namespace_are_the_same_function(gateway: Bench, name: str):
    await gateway.deploy("hello")
    assert (await gateway.client.request("GET", f"/function/{name}")).body.startswith(b"GET / HTTP/1.1")


async def test_a_route_and_the_function_name_show_the_function_the_same_path(gateway: Bench):
    notes = {"http.method": "GET", "http.path": "/api/v1/jobs/{id}/events"}
    await gateway.deploy("jobs-events", annotations=notes)
    by_route = await gateway.client.request("GET", "/api/v1/jobs/job-1/events?page=2")
    by_name = await gateway.client.request("GET", "/function/jobs-events/job-1/events?page=2")
    assert (
        by_route.body.split(b"\r\n")[0]
        == by_name.body.split(b"\r\n")[0]
        == b"GET /job-1/events?page=2 HTTP/1.1"
    )


async def test_an_unknown_route_is_a_404_problem_and_a_wrong_method_a_405_with_allow(gateway: Bench):
    await gateway.deploy("list", annotations={"http.method": "GET,PUT", "http.path": "/api/v1/things"})
    missing = await gateway.client.request("GET", "/api/v1/nothing")
    wrong = await gateway.client.request("DELETE", "/api/v1/things")
    assert (missing.status, wrong.status) == (404, 405)
    assert wrong.header(b"allow") == b"GET, PUT"
    problem = json.loads(missing.body)
    assert missing.header(b"content-type") == b"application/problem+json"
    assert problem["status"] == 404
    assert problem["error"] == problem["detail"]
    assert problem["request_id"] == (missing.header(b"x-request-id") or b"").decode()


async def test_an_unknown_function_is_404_and_marked_as_the_infrastructures_word(gateway: Bench):
    answer = await gateway.client.request("POST", "/function/nobody")
    assert answer.status == 404
    assert answer.header(b"x-openfaas-internal") == b"gateway"


async def test_a_generated_call_id_is_told_to_both_sides_and_a_clients_own_is_kept(gateway: Bench):
    await gateway.deploy("hello")
    generated = await gateway.client.request("GET", "/function/hello")
    call_id = generated.header(b"x-call-id")
    assert call_id is not None
    assert b"X-Call-Id: " + call_id in generated.body
    own = await gateway.client.request("GET", "/function/hello", headers=[("X-Call-Id", "mine")])
    assert own.header(b"x-call-id") is None
    assert own.header(b"x-request-id") == b"mine"
    assert own.body.count(b"mine") == 1


async def test_a_valid_traceparent_passes_and_an_invalid_one_is_replaced(gateway: Bench):
    await gateway.deploy("hello")
    valid = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    passed = await gateway.client.request("GET", "/function/hello", headers=[("traceparent", valid)])
    assert valid.encode() in passed.body
    replaced = await gateway.client.request("GET", "/function/hello", headers=[("traceparent", "nonsense")])
    assert b"nonsense" not in replaced.body
    assert replaced.body.count(b"traceparent: 00-") == 1


async def test_a_chunked_body_reaches_the_function_whole(gateway: Bench):
    await gateway.deploy("hello")
    wire = b"POST /function/hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
    answer = await _raw(gateway, wire)
    assert answer.endswith(b"\r\n\r\nabcdefg")


async def test_expect_continue_is_answered_before_the_body_is_sent(gateway: Bench):
    await gateway.deploy("hello")
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(
        b"POST /function/hello HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    )
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"body")
    assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def test_pipelined_requests_are_answered_in_order(gateway: Bench):
    await gateway.deploy("hello")
    requests = b"".join(b"GET /function/hello/%d HTTP/1.1\r\nHost: x\r\n\r\n" % n for n in range(20))
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(requests)
    seen = []
    for _ in range(20):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        seen.append((await reader.readexactly(length)).split(b" ")[1])
    writer.close()
    assert seen == [b"/%d" % n for n in range(20)]


async def test_a_response_streams_piece_by_piece_before_it_ends(gateway: Bench):
    more = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        await more.wait()
        writer.write(b"3\r\ntwo\r\n0\r\n\r\n")

    await gateway.deploy("hello", script=slow)
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(b"GET /function/hello HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readuntil(b"one\r\n")
    more.set()
    await reader.readuntil(b"two\r\n0\r\n\r\n")
    writer.close()


async def test_a_slow_function_ends_in_504_that_names_the_setting(gateway: Bench):
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    await gateway.deploy("hang", script=hang, envVars={"exec_timeout": "50ms"})
    answer = await gateway.client.request("GET", "/function/hang")
    assert answer.status == 504
    assert b"exec_timeout" in answer.body
    assert gateway.fleet.table.find("hang").balancer.in_flight == 0  # type: ignore[union-attr]


async def test_x_timeout_shortens_the_limit_and_never_lengthens_it(gateway: Bench):
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    await gateway.deploy("hang", script=hang, envVars={"exec_timeout": "100ms"})
    for wish in ("20ms", "1h"):
        assert (
            await gateway.client.request("GET", "/function/hang", headers=[("X-Timeout", wish)])
        ).status == 504


async def test_a_function_that_dies_before_its_answer_is_a_502_and_after_its_head_a_broken_connection(
    gateway: Bench,
):
    async def die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b" /half " in head:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    await gateway.deploy("die", script=die)
    assert (await gateway.client.request("POST", "/function/die")).status == 502
    with pytest.raises(WireError, match="hung up"):
        await gateway.client.request("POST", "/function/die/half")


async def test_a_body_over_the_limit_is_413_whether_announced_or_chunked(gateway: Bench):
    await gateway.deploy("small", annotations={"http.max_body_bytes": "10"})
    announced = await gateway.client.request("POST", "/function/small", body=b"x" * 11)
    assert announced.status == 413
    wire = (
        b"POST /function/small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n"
        + b"x" * 11
        + b"\r\n0\r\n\r\n"
    )
    assert (await _raw(gateway, wire)).startswith(b"HTTP/1.1 413 ")
    assert (await gateway.client.request("POST", "/function/small", body=b"x" * 10)).status == 200


async def test_an_early_answer_keeps_the_connection_when_the_rest_of_the_body_is_small(gateway: Bench):
    await gateway.deploy("small", annotations={"http.max_body_bytes": "10"})
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(b"POST /function/small HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n" + b"x" * 20)
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0]))
    writer.write(b"GET /function/small HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"413" in head
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_a_function_at_zero_is_woken_once_for_many_callers(gateway: Bench):
    key = await gateway.deploy("cold", labels={"com.openfaas.scale.zero": "true"})
    gateway.provider.held = True
    calls = [asyncio.ensure_future(gateway.client.request("GET", "/function/cold")) for _ in range(10)]
    await _eventually(lambda: gateway.fleet.table.get(key).balancer.waiting == 10)  # type: ignore[union-attr]
    await gateway.provider.release(key)
    answers = await asyncio.gather(*calls)
    assert [answer.status for answer in answers] == [200] * 10
    assert gateway.provider.scaled == [("cold", 1)]


async def test_callers_of_a_function_that_cannot_start_are_told_why(gateway: Bench):
    await gateway.deploy("broken", labels={"com.openfaas.scale.zero": "true"})
    gateway.provider.start_error = "ModuleNotFoundError: No module named 'pandas'"
    answer = await gateway.client.request("GET", "/function/broken")
    assert answer.status == 502
    assert b"pandas" in answer.body


async def test_a_client_that_resets_its_connection_while_waiting_is_never_served(gateway: Bench):
    # A mere half-close keeps its claim to the answer; only a reset tells that nobody is there.
    key = await gateway.deploy("cold", labels={"com.openfaas.scale.zero": "true"})
    gateway.provider.held = True
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(b"GET /function/cold HTTP/1.1\r\nHost: x\r\n\r\n")
    balancer = gateway.fleet.table.get(key).balancer  # type: ignore[union-attr]
    await _eventually(lambda: balancer.waiting == 1)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    await _eventually(lambda: balancer.waiting == 0)


async def test_scaling_down_waits_for_the_request_in_flight(gateway: Bench):
    finish = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await finish.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await reader.read()

    key = await gateway.deploy("slow", script=slow)
    call = asyncio.ensure_future(gateway.client.request("POST", "/function/slow"))
    balancer = gateway.fleet.table.get(key).balancer  # type: ignore[union-attr]
    await _eventually(lambda: balancer.in_flight == 1)
    down = asyncio.ensure_future(gateway.fleet.scale(key, 0))
    await asyncio.wait([down], timeout=0.05)
    assert not down.done()
    finish.set()
    assert (await call).status == 200
    await down


async def test_replicas_with_equal_load_take_turns(gateway: Bench):
    key = await gateway.deploy("hello")
    await gateway.fleet.scale(key, 3)
    balancer = gateway.fleet.table.get(key).balancer  # type: ignore[union-attr]
    chosen = {balancer.choose().endpoint.replica for _ in range(3)}  # type: ignore[union-attr]
    assert len(chosen) == 3


@pytest.mark.parametrize(
    ("role", "status"),
    [(None, 401), (Role.VIEWER, 403), (Role.OPERATOR, 200), (Role.ADMIN, 200), (Role.SYSTEM, 200)],
)
@pytest.mark.parametrize("path", ["/function/create", "/api/v1/things"])
async def test_a_role_guards_a_function_on_every_way_to_it(
    gateway: Bench, role: Role | None, status: int, path: str
):
    notes = {"auth.role": "operator", "http.method": "POST", "http.path": "/api/v1/things"}
    await gateway.deploy("create", annotations=notes)
    headers = [gateway.bearer(role)] if role is not None else []
    assert (await gateway.client.request("POST", path, headers=headers)).status == status


@pytest.mark.parametrize("shown", ["Bearer junk", "Basic YWRtaW46c2VjcmV0", "Bearer"])
async def test_credentials_that_are_no_bearer_token_are_401_with_a_challenge(gateway: Bench, shown: str):
    await gateway.deploy("create", annotations={"auth.role": "viewer"})
    answer = await gateway.client.request("POST", "/function/create", headers=[("Authorization", shown)])
    assert answer.status == 401
    assert (answer.header(b"www-authenticate") or b"").startswith(b"Bearer")


async def test_an_expired_token_is_401(gateway: Bench):
    await gateway.deploy("create", annotations={"auth.role": "viewer"})
    expired = gateway.bearer(Role.ADMIN, timedelta(seconds=-1))
    assert (await gateway.client.request("POST", "/function/create", headers=[expired])).status == 401


async def test_a_guarded_function_sees_the_signed_identity_and_never_the_token(gateway: Bench):
    await gateway.deploy("create", annotations={"auth.role": "viewer"})
    forged = (IDENTITY_HEADER, "forged")
    answer = await gateway.client.request(
        "POST", "/function/create", headers=[gateway.bearer(Role.OPERATOR), forged]
    )
    lines = dict(line.split(b": ", 1) for line in answer.body.split(b"\r\n")[1:] if b": " in line)
    identity, _ = TokenSigner(IDENTITY_KEY, FUNCTION_AUDIENCE).verify(
        lines[IDENTITY_HEADER.encode()].decode()
    )
    assert (identity.subject, identity.role) == ("ada", Role.OPERATOR)
    assert b"forged" not in answer.body
    assert b"Authorization" not in answer.body


async def test_a_function_without_a_role_gets_the_clients_own_authorization(gateway: Bench):
    await gateway.deploy("hello")
    answer = await gateway.client.request("GET", "/function/hello", headers=[("Authorization", "Custom abc")])
    assert b"Authorization: Custom abc" in answer.body


@pytest.mark.parametrize(
    "wire",
    [
        b"POST /function/hello HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /function/hello HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST /function/hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST /function/hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"POST /function/hello HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /function/hello HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET /function/hello HTTP/1.1\r\n\r\n",
        b"GET /function/hello HTTP/1.1\r\nHost : x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
    ],
)
async def test_what_two_servers_could_read_differently_is_refused_and_never_forwarded(
    gateway: Bench, wire: bytes
):
    key = await gateway.deploy("hello")
    assert (await _raw(gateway, wire)).startswith(b"HTTP/1.1 400 ")
    assert gateway.fleet.table.get(key).metrics.started == 0  # type: ignore[union-attr]


async def test_a_head_that_never_ends_is_431(gateway: Bench):
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-Flood: " + b"a" * 100_000)
    assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 431 ")
    writer.close()


async def test_invocations_are_counted_by_function_and_code_under_the_openfaas_names(gateway: Bench):
    await gateway.deploy("hello")
    for _ in range(3):
        await gateway.client.request("GET", "/function/hello")
    text = (await gateway.client.request("GET", "/metrics")).body.decode()
    assert 'gateway_function_invocation_total{code="200",function_name="hello.openfaas-fn"} 3.0' in text
    assert 'gateway_functions_seconds_count{code="200",function_name="hello.openfaas-fn"} 3.0' in text
    assert 'gateway_function_invocation_started{function_name="hello.openfaas-fn"} 3.0' in text
    assert 'gateway_service_count{function_name="hello.openfaas-fn"} 1.0' in text


async def _raw(gateway: Bench, wire: bytes) -> bytes:
    """What the gateway answers to ``wire``, read until the body announced is complete."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(wire)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    body = await reader.readexactly(length)
    writer.close()
    return head + body


async def _eventually(condition, seconds: float = 5.0) -> None:
    """Let the loop run until ``condition`` holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the condition belongs to others
            await asyncio.sleep(0)
