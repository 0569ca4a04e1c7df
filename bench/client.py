"""A load client with as little of its own cost as Python allows: fixed requests, blocking or epoll sockets."""

from __future__ import annotations

import select
import socket
import time

_READ_BYTES = 65536


def connect(address: str) -> socket.socket:
    """A connection to a Unix socket path or ``host:port``."""
    if address.startswith("/"):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(address)
        return connection
    host, _, port = address.rpartition(":")
    connection = socket.create_connection((host, int(port)))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def exchange(connection: socket.socket, request: bytes) -> bytes:
    """Send one request and read its whole answer (which must have a Content-Length)."""
    connection.sendall(request)
    data = b""
    while (length := _whole(data)) is None or len(data) < length:
        piece = connection.recv(_READ_BYTES)
        if not piece:
            raise ConnectionError("the server hung up")
        data += piece
    return data


def latencies(address: str, request: bytes, count: int) -> list[float]:
    """Seconds of ``count`` exchanges, one after another on one connection."""
    with connect(address) as connection:
        seconds = []
        for _ in range(count):
            begun = time.perf_counter()
            answer = exchange(connection, request)
            seconds.append(time.perf_counter() - begun)
            if not answer.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(answer[:200].decode("latin-1"))
    return seconds


def throughput(address: str, request: bytes, connections: int, seconds: float) -> float:
    """Exchanges per second over ``connections`` kept-alive connections."""
    open_sockets = {(c := connect(address)).fileno(): c for _ in range(connections)}
    received = dict.fromkeys(open_sockets, b"")
    poller = select.epoll()
    for number, connection in open_sockets.items():
        poller.register(number, select.EPOLLIN)
        connection.sendall(request)
    done, begun = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - begun) < seconds:
        for number, _ in poller.poll(1.0):
            data = received[number] + open_sockets[number].recv(_READ_BYTES)
            length = _whole(data)
            if length is None or len(data) < length:
                received[number] = data
                continue
            received[number] = b""
            done += 1
            open_sockets[number].sendall(request)
    poller.close()
    for connection in open_sockets.values():
        connection.close()
    return done / elapsed


def _whole(data: bytes) -> int | None:
    """Bytes of the whole answer, or None while its head is incomplete."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    at = data.lower().find(b"content-length: ", 0, end)
    if at < 0:
        raise RuntimeError(f"an answer without a length: {data[:200]!r}")
    return end + 4 + int(data[at + 16 : data.index(b"\r\n", at)])
