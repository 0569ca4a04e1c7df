"""One member of a group, and what it is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from triggers.broker.errors import ErrorCode


class Protocol(NamedTuple):
    """One way of sharing partitions that a member knows, with its subscription in the client's own encoding."""

    name: str
    metadata: bytes


class Caller(NamedTuple):
    """Who a member says it is, in every request but the first."""

    member_id: str
    instance_id: str | None = None
    generation: int = -1


class JoinedMember(NamedTuple):
    """What the leader learns of a member."""

    member_id: str
    instance_id: str | None
    metadata: bytes


class JoinAnswer(NamedTuple):
    error: ErrorCode = ErrorCode.NONE
    member_id: str = ""
    generation: int = -1
    protocol_type: str | None = None
    protocol: str | None = None
    leader: str = ""
    members: tuple[JoinedMember, ...] = ()
    """Empty for all but the leader."""


class SyncAnswer(NamedTuple):
    error: ErrorCode = ErrorCode.NONE
    assignment: bytes = b""
    protocol_type: str | None = None
    protocol: str | None = None


JoinReply = Callable[[JoinAnswer], None]
SyncReply = Callable[[SyncAnswer], None]


class JoinRequest(NamedTuple):
    member_id: str
    """Empty when the member is new."""
    instance_id: str | None
    """Set for a static member: it keeps its place over restarts."""
    protocol_type: str
    protocols: tuple[Protocol, ...]
    session_seconds: float
    rebalance_seconds: float
    client_id: str = ""
    client_host: str = ""
    needs_known_id: bool = True
    """False for old clients, which join without asking for an id first."""


@dataclass
class Member:
    id: str
    request: JoinRequest
    expires_at: float
    """When the session ends unless it gives a sign of life."""
    assignment: bytes = b""
    join_reply: JoinReply | None = None
    """Set while it waits for the rebalance to complete."""
    sync_reply: SyncReply | None = None
    """Set while it waits for the leader's assignment."""

    @property
    def is_waiting(self) -> bool:
        """A waiting member cannot send heartbeats, so its session does not end."""
        return self.join_reply is not None or self.sync_reply is not None

    def metadata(self, protocol: str) -> bytes:
        return next((known.metadata for known in self.request.protocols if known.name == protocol), b"")

    def answer_join(self, answer: JoinAnswer) -> None:
        reply, self.join_reply = self.join_reply, None
        if reply is not None:
            reply(answer)

    def answer_sync(self, answer: SyncAnswer) -> None:
        reply, self.sync_reply = self.sync_reply, None
        if reply is not None:
            reply(answer)

    def alive(self, now: float) -> None:
        self.expires_at = now + self.request.session_seconds
