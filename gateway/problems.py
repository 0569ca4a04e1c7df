"""Errors of the gateway itself, as RFC 9457 problem documents that also carry ``error`` and ``request_id``.

Answers made by infrastructure, not by a function, are marked ``X-OpenFaaS-Internal`` (contract section 11): retry logic
keys on it.
"""

from __future__ import annotations

from http import HTTPStatus

import orjson

from gateway.wire.exchange import Exchange
from gateway.wire.message import Headers, header_block, status_line

#: Value of ``X-OpenFaaS-Internal`` on what the gateway answers itself.
INTERNAL_MARK = (b"X-OpenFaaS-Internal", b"gateway")
_CONTENT_TYPE = (b"Content-Type", b"application/problem+json")


def problem_body(status: int, detail: str, request_id: str) -> bytes:
    """The document: ``type, title, status, detail, error, request_id``."""
    return orjson.dumps(
        {
            "type": "about:blank",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
            "error": detail,
            "request_id": request_id,
        }
    )


def reply_problem(
    exchange: Exchange, status: int, detail: str, request_id: str, extra: tuple[tuple[bytes, bytes], ...] = ()
) -> None:
    """Answer ``exchange`` with a problem document."""
    headers: Headers = [_CONTENT_TYPE, INTERNAL_MARK, (b"X-Request-Id", request_id.encode("latin-1")), *extra]
    exchange.reply(status, headers, problem_body(status, detail, request_id))


def bad_request(status: int, detail: str) -> bytes:
    """The whole answer to bytes that are not a request; the connection closes after it."""
    body = problem_body(status, detail, "")
    headers: Headers = [
        _CONTENT_TYPE,
        INTERNAL_MARK,
        (b"Content-Length", b"%d" % len(body)),
        (b"Connection", b"close"),
    ]
    return status_line(status) + header_block(headers) + b"\r\n" + body
