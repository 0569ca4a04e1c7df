from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from genie import readiness


@contextmanager
def scripted(answer: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """A server that answers its first connection with ``answer``; what it was sent is in the list."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                heard.append(connection.recv(4096))
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1], heard
        thread.join()


def test_redis_is_ready_when_it_answers_ping_after_auth():
    with scripted(b"+OK\r\n+PONG\r\n") as (port, heard):
        assert readiness.redis_answers(f"redis://:s%20t@127.0.0.1:{port}/0")

    assert heard == [b"*2\r\n$4\r\nAUTH\r\n$3\r\ns t\r\n*1\r\n$4\r\nPING\r\n"]


def test_redis_that_still_loads_is_not_ready():
    with scripted(b"-LOADING\r\n") as (port, _):
        assert not readiness.redis_answers(f"redis://127.0.0.1:{port}")


def test_kafka_is_ready_when_it_answers_api_versions_without_error():
    with scripted(struct.pack(">iihi", 10, 1, 0, 0)) as (port, _):
        assert readiness.kafka_answers(f"127.0.0.1:{port}")
    with scripted(struct.pack(">iihi", 10, 1, 35, 0)) as (port, _):
        assert not readiness.kafka_answers(f"127.0.0.1:{port}")


def test_the_gateway_is_ready_when_readyz_says_so():
    with scripted(b"HTTP/1.1 200 OK\r\n\r\n") as (port, _):
        assert readiness.gateway_answers(f"http://127.0.0.1:{port}")
    with scripted(b"HTTP/1.1 503 Service Unavailable\r\n\r\n") as (port, _):
        assert not readiness.gateway_answers(f"http://127.0.0.1:{port}")


def test_what_does_not_listen_is_not_ready():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    assert not readiness.redis_answers(f"redis://127.0.0.1:{port}")
    assert not readiness.kafka_answers(f"127.0.0.1:{port}")
    assert not readiness.gateway_answers(f"http://127.0.0.1:{port}")
