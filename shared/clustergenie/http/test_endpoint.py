"""The frame around handlers, seen from outside: what a request with a given flaw is answered."""

import json
import logging
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from sqlalchemy import text
from werkzeug.datastructures import Headers, MultiDict

from clustergenie import errors
from clustergenie.db import reading
from clustergenie.fields import Name, RequestBody
from clustergenie.http import Reply, Request, Role, endpoint
from clustergenie.http._endpoint import MAX_BODY_BYTES
from clustergenie.identity import FUNCTION_AUDIENCE, IDENTITY_HEADER, Identity, TokenSigner
from clustergenie.logs import context

KEY = "k" * 64


class Thing(RequestBody):
    name: Name
    count: int = 0


@dataclass
class Event:
    method: str = "POST"
    path: str = "/"
    body: bytes = b'{"name":"a"}'
    headers: Headers = field(default_factory=Headers)
    query: MultiDict = field(default_factory=MultiDict)


@pytest.fixture
def secrets(database_url, tmp_path, monkeypatch):
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "database-url").write_text(database_url)
    (folder / "identity-key").write_text(KEY)
    monkeypatch.setenv("secret_mount_path", str(folder))
    return folder


@pytest.fixture
def call(secrets):
    def call(handler, *, role=Role.ADMIN, key=KEY, headers=(), lifetime=60, **event):
        sent = Headers(headers)
        if role is not None:
            token = TokenSigner(key, FUNCTION_AUDIENCE).issue(
                Identity("u1", role), timedelta(seconds=lifetime)
            )
            sent[IDENTITY_HEADER] = token
        answer = handler(Event(headers=sent, **event), None)
        return answer["statusCode"], json.loads(answer["body"]), answer["headers"]

    return call


@endpoint("POST", "/api/v1/things", role=Role.OPERATOR, body=Thing)
def create(request: Request[Thing]) -> Reply:
    return Reply(201, {"name": request.body.name, "by": request.identity.subject}, location="/x", version=3)


@endpoint("GET,PUT", "/api/v1/things/{id}/parts/{part}", role=Role.PUBLIC)
def part(request: Request) -> Reply:
    return Reply(200, dict(request.parameters))


def raising(error):
    @endpoint("POST", "/api/v1/things", role=Role.PUBLIC)
    def handle(_request):
        raise error

    return handle


def test_a_good_request_is_answered_with_all_that_belongs_to_it(call):
    status, body, headers = call(create, headers={"X-Call-Id": "c-1"})
    assert (status, body) == (201, {"name": "a", "by": "u1"})
    assert headers == {
        "Content-Type": "application/json",
        "X-Request-Id": "c-1",
        "Location": "/x",
        "ETag": '"3"',
    }


@pytest.mark.parametrize(
    ("flaw", "expected", "words"),
    [
        ({"body": b"{"}, 400, "not JSON"),
        ({"body": b""}, 400, "empty"),
        ({"body": b"\xff"}, 400, "not JSON"),
        ({"body": b'{"name":"\\ud800"}'}, 400, "not JSON"),
        ({"body": b"[" * 100_000}, 400, "not JSON"),
        ({"role": None}, 401, "sign in"),
        ({"key": "x" * 64}, 401, "not valid"),
        ({"lifetime": -1}, 401, "expired"),
        ({"role": Role.VIEWER}, 403, "operator"),
        ({"path": "/nothing"}, 404, "/api/v1/things"),
        ({"method": "DELETE"}, 405, "use POST"),
        ({"body": b" " * (MAX_BODY_BYTES + 1)}, 413, str(MAX_BODY_BYTES)),
        ({"headers": {"Content-Type": "application/xml"}}, 415, "application/json"),
        ({"headers": {"Content-Type": "application/x-www-form-urlencoded"}}, 415, "application/json"),
        ({"body": b"[]"}, 422, "object"),
        ({"body": b"null"}, 422, "object"),
        ({"body": b"{}"}, 422, "name"),
        ({"body": b'{"name":"a","count":"1"}'}, 422, "count"),
        ({"body": b'{"name":"a","count":1e400}'}, 422, "count"),
    ],
    ids=str,
)  # fmt: skip
def test_every_flaw_has_its_status_and_a_problem_document(call, flaw, expected, words):
    status, body, headers = call(create, **flaw)
    assert (status, body["status"]) == (expected, expected)
    assert words in body["detail"]
    assert set(body) >= {"type", "title", "status", "detail", "error", "request_id"}
    assert body["error"] == body["detail"]
    assert headers["Content-Type"] == "application/problem+json"
    assert headers["X-Request-Id"] == body["request_id"]
    assert ("fields" in body) == (expected == 422)
    assert headers.get("Allow") == ("POST" if expected == 405 else None)


@pytest.mark.parametrize(
    "kind",
    ["application/json", "application/json; charset=utf-8", "application/merge-patch+json", "text/plain", ""],
)
def test_json_is_read_under_each_of_its_names(call, kind):
    assert call(create, headers={"Content-Type": kind})[0] == 201


def test_every_bad_field_is_named_by_its_path(call):
    _, body, _ = call(create, body=b'{"name":5,"count":"x"}')
    assert [each["field"] for each in body["fields"]] == ["name", "count"]


@pytest.mark.parametrize("path", ["/7/parts/x", "/api/v1/things/7/parts/x", "/7/parts/x/"])
def test_the_path_may_be_whole_or_what_follows_its_static_beginning(call, path):
    assert call(part, method="GET", path=path)[:2] == (200, {"id": "7", "part": "x"})


@pytest.mark.parametrize("path", ["/", "/7", "/7/parts/", "/7/parts/x/y", "/api/v1/things"])
def test_other_paths_are_not_found(call, path):
    assert call(part, method="GET", path=path)[0] == 404


def test_head_is_answered_where_get_is(call):
    assert call(part, method="HEAD", path="/7/parts/x")[0] == 200


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.NotFoundError("thing", "7"), 404),
        (errors.ConflictError("it is full"), 409),
        (errors.StaleError("it changed"), 412),
        (errors.InvalidError(errors.FieldProblem("a.b", "is odd")), 422),
        (errors.UnavailableError("provider", "it is away"), 503),
    ],
)
def test_errors_of_the_domain_have_their_status(call, error, status):
    found, body, _ = call(raising(error), role=None)
    assert (found, body["detail"]) == (status, str(error))


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (errors.LeaseHeldError("job-1", "w", 2.1), "3"),
        (errors.UnavailableError("x", "y", retry_after_seconds=7), "7"),
    ],
)
def test_who_is_to_come_again_is_told_when(call, error, seconds):
    assert call(raising(error), role=None)[2]["Retry-After"] == seconds


def test_an_error_nobody_foresaw_shows_nothing_of_the_inside(call, caplog):
    with caplog.at_level(logging.ERROR):
        status, body, _ = call(
            raising(RuntimeError("password=hunter2")), role=None, headers={"X-Call-Id": "c-9"}
        )
    assert status == 500
    assert "hunter2" not in json.dumps(body)
    assert body["request_id"] == "c-9"
    assert "hunter2" in caplog.text
    assert "Traceback" in caplog.text


def test_a_database_that_is_away_is_named_without_its_words(call, secrets, caplog):
    (secrets / "database-url").write_text("sqlite:////nonexistent/secret-folder/x.db")

    @endpoint("POST", "/api/v1/things", role=Role.PUBLIC)
    def handle(request):
        with reading(request.db) as connection:
            connection.execute(text("SELECT 1"))

    status, body, headers = call(handle, role=None)
    assert status == 503
    assert "database" in body["detail"]
    assert "secret-folder" not in json.dumps(body)
    assert headers["Retry-After"] == "1"


def test_a_fault_in_our_sql_is_no_outage(call, caplog):
    @endpoint("POST", "/api/v1/things", role=Role.PUBLIC)
    def handle(request):
        with reading(request.db) as connection:
            connection.execute(text("SELECT nonsense"))

    status, body, _ = call(handle, role=None)
    assert status == 500
    assert "nonsense" not in json.dumps(body)


def test_a_function_without_its_secret_says_which(call, secrets):
    (secrets / "database-url").unlink()

    @endpoint("POST", "/api/v1/things", role=Role.PUBLIC)
    def handle(request):
        return Reply(200, {"db": str(request.db)})

    status, body, _ = call(handle, role=None)
    assert status == 503
    assert "database-url" in body["detail"]


def test_without_the_identity_key_nobody_gets_in(call, secrets):
    (secrets / "identity-key").unlink()
    assert call(create)[0] == 503
    assert call(create, role=None)[0] == 401


def test_auth_can_be_switched_off_for_a_loopback_installation(call, monkeypatch):
    monkeypatch.setenv("GENIE_AUTH", "off")
    assert call(create, role=None)[0] == 201


def test_a_request_without_ids_gets_new_ones(call):
    seen = []

    @endpoint("POST", "/api/v1/things", role=Role.PUBLIC)
    def handle(request):
        seen.append((request.call_id, request.origin.trace_id, context.current()))
        return Reply(200, {})

    call(handle, role=None, headers={"traceparent": "nonsense", "X-Call-Id": "bad\x01id"})
    call(handle, role=None, headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "X-Call-Id": "c-2"})
    (first, first_trace, first_context), second = seen
    assert len(first) == 36
    assert len(first_trace) == 32
    assert first_context == {"call_id": first, "trace_id": first_trace}
    assert second == ("c-2", "a" * 32, {"call_id": "c-2", "trace_id": "a" * 32})


def test_a_job_bound_in_one_request_is_not_carried_into_the_next(call):
    context.bind(job_id="job-of-the-last-request")
    call(part, method="GET", path="/7/parts/x")
    assert context.job_id.get() == ""
