"""What travels on the wire: heads as bytes, never decoded unless somebody asks."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

#: Headers that end at each hop (RFC 9110 section 7.6.1) and so are never passed on.
HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)

#: Statuses whose answers never have a body (RFC 9112 section 6.3).
BODILESS = frozenset((204, 304))

Headers = list[tuple[bytes, bytes]]

_STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode("ascii") for status in HTTPStatus
}


def status_line(status: int) -> bytes:
    """``HTTP/1.1 200 OK`` with its line end; unregistered codes get an empty phrase."""
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


def header_block(headers: Headers) -> bytes:
    """The lines of ``headers`` without the empty line that ends a head."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])


class Request:
    """The head of one request, as it came.

    ``known`` maps each lower-case header name to its first value; ``headers`` keeps every header with its spelling and
    order, for passing on.
    """

    __slots__ = ("chunked", "headers", "http_1_0", "keep_alive", "known", "length", "method", "path", "query")

    def __init__(self, method: bytes, target: bytes, headers: Headers, known: dict[bytes, bytes]) -> None:
        self.method = method
        path, _, query = target.partition(b"?")
        self.path = path.decode("latin-1")
        """As sent, percent-encoding included."""
        self.query = query
        self.headers = headers
        self.known = known
        length = known.get(b"content-length")
        self.length = int(length) if length else 0
        """Announced body length in bytes; 0 when chunked or without a body."""
        self.chunked = b"transfer-encoding" in known
        self.http_1_0 = False
        self.keep_alive = True

    @property
    def has_body(self) -> bool:
        return self.chunked or self.length > 0

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header; ``name`` in lower case."""
        return self.known.get(name)


@dataclass(frozen=True)
class Answer:
    """A whole response, for those who do not stream."""

    status: int
    headers: Headers
    body: bytes = b""

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header; ``name`` in lower case."""
        return next((value for key, value in self.headers if key.lower() == name), None)
