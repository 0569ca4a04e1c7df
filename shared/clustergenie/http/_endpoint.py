"""``@endpoint``: a handler of the REST API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from clustergenie.errors import FieldProblem, InvalidError
from clustergenie.http._frame import answer
from clustergenie.http._messages import Call, HttpEvent, Reply, Request
from clustergenie.http._spec import Spec
from clustergenie.http.errors import (
    BodyTooLargeError,
    MalformedError,
    MethodNotAllowedError,
    UnsupportedMediaTypeError,
)
from clustergenie.identity import Role

#: Largest body of an API request, in bytes; the gateway's default for routes is the same.
MAX_BODY_BYTES = 1024 * 1024
_READ_AS_JSON = frozenset({"", "application/json", "text/plain"})

Model = TypeVar("Model", bound=BaseModel)
Handler = Callable[[HttpEvent, object], dict[str, Any]]


def endpoint(
    methods: str,
    path: str,
    *,
    role: Role,
    body: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
) -> Callable[[Callable[[Request[Any, Any]], Reply]], Handler]:
    """Serve ``methods`` (comma list) of ``path`` (template with ``{name}``) for callers with ``role``.

    The body, where ``body`` is given, is one JSON object that fits it; likewise the query parameters and ``query``.
    """
    spec = Spec(role, tuple(methods.split(",")), path, body=body, query=query)

    def decorate(work: Callable[[Request[Any, Any]], Reply]) -> Handler:
        def handle(event: HttpEvent, _context: object) -> dict[str, Any]:
            return answer(event, role, lambda call: work(_request(spec, event, call)))

        handle.spec = spec  # type: ignore[attr-defined]  # read by the test that compares it with stack.yml
        return handle

    return decorate


def _request(spec: Spec, event: HttpEvent, call: Call) -> Request[Any, Any]:
    method = "GET" if event.method == "HEAD" else event.method
    if method not in spec.methods:
        raise MethodNotAllowedError(event.method, spec.methods)
    return Request(
        **vars(call),
        method=method,
        parameters=spec.parameters(event.path),
        query=_query(spec.query, event) if spec.query else None,
        body=_body(spec.body, event) if spec.body else None,
        if_match=event.headers.get("If-Match"),
    )


def _body(schema: type[Model], event: HttpEvent) -> Model:
    kind = (event.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
    if kind not in _READ_AS_JSON and not kind.endswith("+json"):
        raise UnsupportedMediaTypeError(f"{kind} is not read here; send Content-Type: application/json")
    if len(event.body) > MAX_BODY_BYTES:
        raise BodyTooLargeError(f"the body has {len(event.body)} bytes; {MAX_BODY_BYTES} are allowed")
    if not event.body.strip():
        raise MalformedError("the body is empty; send a JSON object")
    try:
        return schema.model_validate_json(event.body)
    except ValidationError as error:
        raise _refusal(error) from None


def _query(schema: type[Model], event: HttpEvent) -> Model:
    # An empty value is what a form sends for a filter that was left alone.
    given = {name: value for name, value in event.query.items() if value != ""}
    try:
        return schema.model_validate(given)
    except ValidationError as error:
        raise _refusal(error) from None


def _refusal(error: ValidationError) -> Exception:
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    if problems[0]["type"] == "json_invalid":
        return MalformedError(f"the body is not JSON: {problems[0]['msg'].removeprefix('Invalid JSON: ')}")
    return InvalidError(*(FieldProblem(_field(each["loc"]), _sentence(each["msg"])) for each in problems))


def _field(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "body"


def _sentence(message: str) -> str:
    # A validator of ours raises ValueError; pydantic puts its name in front.
    return message.removeprefix("Value error, ")
