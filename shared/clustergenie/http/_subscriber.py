"""``@subscriber`` and ``@batch_subscriber``: handlers of what the connector delivers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from clustergenie.events import Event
from clustergenie.http._endpoint import Handler
from clustergenie.http._frame import answer
from clustergenie.http._messages import Call, Delivery, HttpEvent, RecordBatch, Reply
from clustergenie.http._spec import Spec
from clustergenie.http.errors import MalformedError, MethodNotAllowedError
from clustergenie.identity import Role
from clustergenie.logs import bind
from clustergenie.logs.enrich import LogRecord


def subscriber(topic: str, *, role: Role = Role.ADMIN) -> Callable[[Callable[[Delivery], Reply]], Handler]:
    """Take single events of ``topic``. Lines logged meanwhile carry the ``job_id`` the event speaks of.

    What is not an event is answered 400, so that the connector parks it at once.
    """

    def decorate(work: Callable[[Delivery], Reply]) -> Handler:
        def read(call: Call, event: HttpEvent) -> Reply:
            received = Event.from_headers(event.headers, event.body)
            job_id = received.data.get("job_id")
            if isinstance(job_id, str):
                bind(job_id=job_id)
            return work(Delivery(**vars(call), event=received))

        return _handler(Spec(role, topic=topic), read)

    return decorate


def batch_subscriber(
    topic: str, *, role: Role = Role.ADMIN
) -> Callable[[Callable[[RecordBatch], Reply]], Handler]:
    """Take batches of records of ``topic``: newline-delimited JSON."""

    def decorate(work: Callable[[RecordBatch], Reply]) -> Handler:
        def read(call: Call, event: HttpEvent) -> Reply:
            return work(RecordBatch(**vars(call), records=_records(event.body)))

        return _handler(Spec(role, topic=topic), read)

    return decorate


def _handler(spec: Spec, read: Callable[[Call, HttpEvent], Reply]) -> Handler:
    def handle(event: HttpEvent, _context: object) -> dict[str, Any]:
        def work(call: Call) -> Reply:
            if event.method not in spec.methods:
                raise MethodNotAllowedError(event.method, spec.methods)
            return read(call, event)

        return answer(event, spec.role, work)

    handle.spec = spec  # type: ignore[attr-defined]  # read by the test that compares it with stack.yml
    return handle


def _records(body: bytes) -> list[LogRecord]:
    try:
        return [LogRecord.from_json(orjson.loads(line)) for line in body.splitlines() if line]
    except (ValueError, AttributeError, TypeError) as error:
        raise MalformedError(f"the body is not a batch of records: {error}") from error
