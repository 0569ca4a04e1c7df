"""What ``genie`` tells the operator when it cannot do as asked.

``GenieError`` (the operator can fix it; exit code 1)
├── ``StackError``      stack.yml has a mistake; the text names file, function and key
├── ``StartError``      a part of the instance did not come up; the text ends with its last log lines
└── ``GatewayError``    the gateway refused, or does not answer
"""

from __future__ import annotations


class GenieError(Exception):
    """One sentence that names the cause and the remedy."""


class StackError(GenieError):
    """stack.yml, or a file it names, cannot be used."""


class StartError(GenieError):
    """A component did not start or did not become ready."""


class GatewayError(GenieError):
    """The gateway does not answer, or answered with an error; ``status`` is 0 when there was no answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status
