"""Messages between gateway, template process and worker: JSON objects, one per line, on a Unix stream socket.

File descriptors travel with the message that needs them (SCM_RIGHTS) and are received in the order of the messages.
Used on both sides, so it imports next to nothing.
"""

from __future__ import annotations

import array
import json
import os
import socket
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

#: Descriptors that one read can take in; more stay with the next read.
_MAX_DESCRIPTORS = 64
_READ_BYTES = 65536


class ChannelClosedError(Exception):
    """The other side is gone."""


def encode(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


class Inbox:
    """Reads messages and their descriptors from ``sock``."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._buffer = b""
        self._descriptors: deque[int] = deque()

    def receive(self) -> Iterator[dict[str, Any]]:
        """One read; the messages it completed. Raises :class:`ChannelClosedError`, or BlockingIOError when empty."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self._socket, _READ_BYTES, _MAX_DESCRIPTORS)
        except ConnectionError:
            raise ChannelClosedError from None
        self._descriptors.extend(descriptors)
        if not data:
            raise ChannelClosedError
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        return (json.loads(line) for line in lines)

    def descriptor(self) -> int:
        """The next descriptor that came with a message, now the caller's to close."""
        return self._descriptors.popleft()


class Outbox:
    """Queues messages for a non-blocking socket and keeps descriptors open until they are on their way."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._waiting: deque[tuple[bytes, tuple[int, ...]]] = deque()

    def put(self, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        """Take over ``descriptors``: they are closed here once sent."""
        self._waiting.append((encode(message), tuple(descriptors)))

    def flush(self) -> bool:
        """Send what the socket takes; True when all is sent. Raises :class:`ChannelClosedError`."""
        while self._waiting:
            data, descriptors = self._waiting[0]
            try:
                sent = self._send(data, descriptors)
            except BlockingIOError:
                return False
            except OSError:
                raise ChannelClosedError from None
            for descriptor in descriptors:
                os.close(descriptor)
            if sent == len(data):
                self._waiting.popleft()
            else:
                self._waiting[0] = (data[sent:], ())
        return True

    def discard(self) -> None:
        """Close what was never sent."""
        for _, descriptors in self._waiting:
            for descriptor in descriptors:
                os.close(descriptor)
        self._waiting.clear()

    def _send(self, data: bytes, descriptors: tuple[int, ...]) -> int:
        if not descriptors:
            return self._socket.send(data)
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
        return self._socket.sendmsg([data], [rights])
