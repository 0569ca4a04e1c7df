"""The one place where an exception becomes a status: RFC 9457 documents that also carry ``error``, ``request_id``, ``fields``."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from clustergenie.db import is_outage
from clustergenie.errors import (
    ConflictError,
    DomainError,
    InvalidError,
    LeaseHeldError,
    NotFoundError,
    StaleError,
    UnavailableError,
)
from clustergenie.events import EventError
from clustergenie.http._messages import Reply
from clustergenie.http.errors import MethodNotAllowedError, RequestError

CONTENT_TYPE = "application/problem+json"
_STATUSES: Mapping[type[Exception], int] = {
    InvalidError: 422,
    NotFoundError: 404,
    ConflictError: 409,
    StaleError: 412,
    UnavailableError: 503,
    EventError: 400,
    DomainError: 500,
}
_INTERNAL = "something went wrong inside; the log line with this request_id says what"

_log = logging.getLogger(__name__)


def problem(error: Exception, request_id: str) -> Reply:
    """What the caller is told. An error nobody foresaw is logged with its traceback and told without its text."""
    if is_outage(error):
        _log.error("the database is not available: %s", error)
        error = UnavailableError("database", "it cannot be reached or is too busy; try again in a moment")
    status = _status(error)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("unforeseen error", exc_info=error)
    detail = _INTERNAL if status == HTTPStatus.INTERNAL_SERVER_ERROR else str(error)
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "error": detail,
        "request_id": request_id,
    }
    if isinstance(error, InvalidError):
        document["fields"] = [{"field": each.field, "message": each.message} for each in error.fields]
    return Reply(status, document, headers={"Content-Type": CONTENT_TYPE, **_headers(error)})


def _status(error: Exception) -> int:
    if isinstance(error, RequestError):
        return error.status
    return next((status for kind, status in _STATUSES.items() if isinstance(error, kind)), 500)


def _headers(error: Exception) -> dict[str, str]:
    if isinstance(error, MethodNotAllowedError):
        return {"Allow": error.allowed}
    if isinstance(error, LeaseHeldError | UnavailableError):
        return {"Retry-After": str(error.retry_after_seconds)}
    return {}
