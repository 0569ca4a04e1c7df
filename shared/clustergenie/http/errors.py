"""What can be wrong with a request before the domain sees it.

::

    RequestError
    ├── MalformedError             400  the body is not JSON
    ├── UnauthenticatedError       401  nobody knows who is calling
    ├── ForbiddenError             403  the caller's role is too small
    ├── NoSuchPathError            404  the function has no such path
    ├── MethodNotAllowedError      405
    ├── BodyTooLargeError          413
    └── UnsupportedMediaTypeError  415
"""

from __future__ import annotations

from collections.abc import Collection


class RequestError(Exception):
    """Base of all: the caller's to mend."""

    status = 400


class MalformedError(RequestError):
    """The body cannot be read at all."""


class UnauthenticatedError(RequestError):
    """There is no identity that could be believed."""

    status = 401


class ForbiddenError(RequestError):
    """The identity is known, and not enough."""

    status = 403


class NoSuchPathError(RequestError):
    """What follows the function's name is not one of its paths."""

    status = 404


class MethodNotAllowedError(RequestError):
    """:attr:`allowed` lists the methods of this path."""

    status = 405

    def __init__(self, method: str, allowed: Collection[str]) -> None:
        self.allowed = ", ".join(allowed)
        super().__init__(f"{method} is not allowed here; use {self.allowed}")


class BodyTooLargeError(RequestError):
    """The body is over the limit."""

    status = 413


class UnsupportedMediaTypeError(RequestError):
    """The body is of a kind that is not read."""

    status = 415
