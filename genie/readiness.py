"""Asking the parts whether they are ready, in their own protocols and without their client libraries."""

from __future__ import annotations

import socket
import struct
from urllib.parse import unquote, urlsplit

_TIMEOUT_SECONDS = 1.0
_DEFAULT_REDIS_PORT = 6379
_API_VERSIONS = 18
_READY = b" 200 "


def redis_answers(url: str) -> bool:
    """PING, after AUTH when ``url`` has a password."""
    parts = urlsplit(url)
    words = [["PING"]]
    if parts.password:
        user = [unquote(parts.username)] if parts.username else []
        words.insert(0, ["AUTH", *user, unquote(parts.password)])
    address = (parts.hostname or "127.0.0.1", parts.port or _DEFAULT_REDIS_PORT)
    return b"+PONG" in _exchange(address, b"".join(map(_redis_command, words)), b"PONG\r\n")


def kafka_answers(address: str) -> bool:
    """ApiVersions, version 0, to one ``host:port``."""
    request = struct.pack(">hhih5s", _API_VERSIONS, 0, 1, 5, b"genie")
    answer = _exchange(_host_port(address), struct.pack(">i", len(request)) + request, b"")
    return len(answer) >= 10 and struct.unpack(">ih", answer[4:10]) == (1, 0)  # noqa: PLR2004 - length, id, error code


def gateway_answers(url: str) -> bool:
    """``GET /readyz`` says 200: every stored function was taken up."""
    parts = urlsplit(url)
    request = f"GET /readyz HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode()
    return _READY in _exchange((parts.hostname or "", parts.port or 80), request, b"\r\n").split(b"\r\n")[0]


def _redis_command(words: list[str]) -> bytes:
    encoded = [word.encode() for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded)


def _host_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _exchange(address: tuple[str, int], request: bytes, until: bytes) -> bytes:
    """What came back until ``until`` (empty: the first piece); nothing when nobody listens."""
    try:
        with socket.create_connection(address, _TIMEOUT_SECONDS) as connection:
            connection.sendall(request)
            answer = b""
            while piece := connection.recv(4096):
                answer += piece
                if until in answer or len(answer) > 1 << 16:
                    break
            return answer
    except OSError:
        return b""
