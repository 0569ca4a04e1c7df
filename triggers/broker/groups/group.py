"""The state machine of one consumer group. It does no input or output and reads no clock: time comes in with every call.

Empty ──join──▶ PreparingRebalance ──all joined──▶ CompletingRebalance ──leader's sync──▶ Stable
  ▲                    ▲   │ none left                     │ a change                      │ a change
  └────────────────────┼───┘                               │                               │
                       └───────────────────────────────────┴───────────────────────────────┘
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from enum import Enum

from triggers.broker.errors import ApiError, ErrorCode
from triggers.broker.groups.member import (
    Caller,
    JoinAnswer,
    JoinedMember,
    JoinReply,
    JoinRequest,
    Member,
    SyncAnswer,
    SyncReply,
)


class State(Enum):
    """Values as DescribeGroups names them."""

    EMPTY = "Empty"
    PREPARING = "PreparingRebalance"
    COMPLETING = "CompletingRebalance"
    STABLE = "Stable"


class Group:
    """Members, generation and assignments of one group. ``new_member_id(prefix)`` gives ids that are never repeated."""

    def __init__(self, new_member_id: Callable[[str], str]) -> None:
        self.state = State.EMPTY
        self.generation = 0
        self.protocol_type = ""
        self.protocol: str | None = None
        self.leader = ""
        self.members: dict[str, Member] = {}
        self._new_member_id = new_member_id
        self._static: dict[str, str] = {}
        self._pending: dict[str, float] = {}
        self._phase_ends_at: float | None = None

    @property
    def is_idle(self) -> bool:
        """True when nothing would be lost by forgetting the group."""
        return self.state is State.EMPTY and not self._pending

    def join(self, request: JoinRequest, now: float, reply: JoinReply) -> None:
        """Enter or re-enter; ``reply`` is called now or when the rebalance completes."""
        try:
            self._join(request, now, reply)
        except ApiError as error:
            reply(JoinAnswer(error.code, request.member_id))

    def sync(self, caller: Caller, assignments: Mapping[str, bytes], now: float, reply: SyncReply) -> None:
        """Ask for the assignment; the leader brings everyone's. ``reply`` is called now or when the leader has come."""
        try:
            member = self._known(caller)
        except ApiError as error:
            reply(SyncAnswer(error.code))
            return
        member.alive(now)
        if self.state is State.PREPARING:
            reply(SyncAnswer(ErrorCode.REBALANCE_IN_PROGRESS))
            return
        member.sync_reply = reply
        if self.state is State.COMPLETING and member.id == self.leader:
            self._assign(assignments, now)
        elif self.state is State.STABLE:
            member.answer_sync(self._assignment(member))

    def heartbeat(self, caller: Caller, now: float) -> ErrorCode:
        """A sign of life. Raises :class:`ApiError`; REBALANCE_IN_PROGRESS asks the member to join again."""
        self._known(caller).alive(now)
        return ErrorCode.REBALANCE_IN_PROGRESS if self.state is State.PREPARING else ErrorCode.NONE

    def leave(self, member_id: str, instance_id: str | None, now: float) -> None:
        """Go for good. A static member may be named by its instance alone. Raises :class:`ApiError`."""
        if not member_id and instance_id is not None:
            member_id = self._static.get(instance_id, "")
        if self._pending.pop(member_id, None) is not None:
            self._complete_if_all_joined(now)
            return
        self._check_identity(member_id, instance_id)
        self._remove([self.members[member_id]], now)

    def check_commit(self, caller: Caller, now: float) -> None:
        """Raises :class:`ApiError` unless the member may commit offsets. Without generation: only while nobody is in."""
        if caller.generation < 0 and self.state is State.EMPTY:
            return
        member = self._known(caller)
        if self.state is State.COMPLETING:
            raise ApiError(ErrorCode.REBALANCE_IN_PROGRESS)
        member.alive(now)

    def tick(self, now: float) -> None:
        """Let sessions and phases end whose time has come. To be called at :meth:`next_deadline`."""
        self._pending = {member_id: end for member_id, end in self._pending.items() if end > now}
        expired = [m for m in self.members.values() if m.expires_at <= now and not m.is_waiting]
        self._remove(expired, now)
        if self._phase_ends_at is not None and self._phase_ends_at <= now:
            self._end_phase(now)
        self._complete_if_all_joined(now)

    def next_deadline(self) -> float | None:
        """When :meth:`tick` has something to do at the earliest; None when nothing is awaited."""
        ends = [member.expires_at for member in self.members.values() if not member.is_waiting]
        ends += self._pending.values()
        if self._phase_ends_at is not None:
            ends.append(self._phase_ends_at)
        return min(ends, default=None)

    def _join(self, request: JoinRequest, now: float, reply: JoinReply) -> None:
        self._check_protocols(request)
        known_static = self._static.get(request.instance_id) if request.instance_id is not None else None
        if not request.member_id and known_static is not None:
            self._take_over(known_static, request, now, reply)
        elif not request.member_id:
            self._join_new(request, now, reply)
        elif request.member_id in self._pending:
            del self._pending[request.member_id]
            self._add(request.member_id, request, now, reply)
        else:
            self._check_identity(request.member_id, request.instance_id)
            self._join_again(self.members[request.member_id], request, now, reply)

    def _join_new(self, request: JoinRequest, now: float, reply: JoinReply) -> None:
        member_id = self._new_member_id(request.instance_id or request.client_id)
        if request.instance_id is None and request.needs_known_id:
            # So that a client whose answer got lost does not leave a ghost behind that everybody waits for.
            self._pending[member_id] = now + request.session_seconds
            reply(JoinAnswer(ErrorCode.MEMBER_ID_REQUIRED, member_id))
            return
        self._add(member_id, request, now, reply)

    def _add(self, member_id: str, request: JoinRequest, now: float, reply: JoinReply) -> None:
        member = self.members[member_id] = Member(
            member_id, request, now + request.session_seconds, join_reply=reply
        )
        if request.instance_id is not None:
            self._static[request.instance_id] = member_id
        self.protocol_type = request.protocol_type
        self._rebalance(member.request.rebalance_seconds, now)

    def _join_again(self, member: Member, request: JoinRequest, now: float, reply: JoinReply) -> None:
        changed = member.request.protocols != request.protocols
        member.request = request
        member.alive(now)
        member.answer_join(JoinAnswer(ErrorCode.UNKNOWN_MEMBER_ID, member.id))
        member.join_reply = reply
        leads_stable = self.state is State.STABLE and member.id == self.leader
        if changed or leads_stable or self.state is State.PREPARING:
            self._rebalance(request.rebalance_seconds, now)
        else:
            member.answer_join(self._joined(member))

    def _take_over(self, old_id: str, request: JoinRequest, now: float, reply: JoinReply) -> None:
        """A static member has come back: it gets its predecessor's place, and who still uses the old id is fenced."""
        old = self.members.pop(old_id)
        _dismiss(old, ErrorCode.FENCED_INSTANCE_ID)
        member_id = self._new_member_id(request.instance_id or "")
        member = Member(member_id, request, now + request.session_seconds, old.assignment, join_reply=reply)
        self.members[member_id] = member
        self._static[str(request.instance_id)] = member_id
        was_leader = self.leader == old_id
        if was_leader:
            self.leader = member_id
        if self.state is State.STABLE and old.metadata(self.protocol or "") == member.metadata(
            self.protocol or ""
        ):
            # Named as leader it would assign anew; the old leader's id makes it a follower that asks for its assignment.
            answer = self._joined(member)._replace(members=())
            member.answer_join(answer._replace(leader=old_id) if was_leader else answer)
            return
        self._rebalance(request.rebalance_seconds, now)

    def _rebalance(self, within_seconds: float, now: float) -> None:
        if self.state is not State.PREPARING:
            for member in self.members.values():
                member.answer_sync(SyncAnswer(ErrorCode.REBALANCE_IN_PROGRESS))
                within_seconds = max(within_seconds, member.request.rebalance_seconds)
            self.state = State.PREPARING
            self._phase_ends_at = now + within_seconds
        self._complete_if_all_joined(now)

    def _complete_if_all_joined(self, now: float) -> None:
        all_joined = all(member.join_reply is not None for member in self.members.values())
        if self.state is State.PREPARING and not self._pending and all_joined:
            self._complete(now)

    def _end_phase(self, now: float) -> None:
        if self.state is State.PREPARING:
            # A static member keeps its place until its session ends: it may be restarting.
            late = [
                m for m in self.members.values() if m.join_reply is None and m.request.instance_id is None
            ]
            self._forget(late)
            self._complete(now)
        elif self.state is State.COMPLETING:
            self._remove([m for m in self.members.values() if m.sync_reply is None], now)

    def _complete(self, now: float) -> None:
        self.generation += 1
        self._phase_ends_at = None
        if not self.members:
            self.state, self.protocol, self.leader = State.EMPTY, None, ""
            return
        self.state = State.COMPLETING
        self.protocol = self._vote()
        joined = [member for member in self.members.values() if member.join_reply is not None]
        if self.leader not in {member.id for member in joined}:
            self.leader = next(iter(joined or self.members.values())).id
        self._phase_ends_at = now + max(m.request.rebalance_seconds for m in self.members.values())
        for member in joined:
            member.alive(now)
            member.answer_join(self._joined(member))

    def _vote(self) -> str:
        """The protocol that all know and most prefer; the earlier name wins a tie."""
        common = self._common_protocols(self.members.values())
        votes = Counter(
            next(known.name for known in member.request.protocols if known.name in common)
            for member in self.members.values()
        )
        return min(votes, key=lambda name: (-votes[name], name))

    def _joined(self, member: Member) -> JoinAnswer:
        return JoinAnswer(
            ErrorCode.NONE, member.id, self.generation, self.protocol_type, self.protocol, self.leader,
            self._membership() if member.id == self.leader else (),
        )  # fmt: skip

    def _membership(self) -> tuple[JoinedMember, ...]:
        return tuple(
            JoinedMember(member.id, member.request.instance_id, member.metadata(self.protocol or ""))
            for member in self.members.values()
        )

    def _assign(self, assignments: Mapping[str, bytes], now: float) -> None:
        self.state = State.STABLE
        self._phase_ends_at = None
        for member in self.members.values():
            member.assignment = assignments.get(member.id, b"")
            if member.sync_reply is not None:
                member.alive(now)
                member.answer_sync(self._assignment(member))

    def _assignment(self, member: Member) -> SyncAnswer:
        return SyncAnswer(ErrorCode.NONE, member.assignment, self.protocol_type, self.protocol)

    def _remove(self, gone: Iterable[Member], now: float) -> None:
        gone = list(gone)
        self._forget(gone)
        if gone:
            self._rebalance(0.0, now)

    def _forget(self, gone: Iterable[Member]) -> None:
        for member in gone:
            del self.members[member.id]
            if member.request.instance_id is not None:
                self._static.pop(member.request.instance_id, None)
            _dismiss(member, ErrorCode.UNKNOWN_MEMBER_ID)

    def _known(self, caller: Caller) -> Member:
        self._check_identity(caller.member_id, caller.instance_id)
        if caller.generation != self.generation:
            raise ApiError(ErrorCode.ILLEGAL_GENERATION)
        return self.members[caller.member_id]

    def _check_identity(self, member_id: str, instance_id: str | None) -> None:
        holder = self._static.get(instance_id) if instance_id is not None else None
        if holder is not None and holder != member_id:
            raise ApiError(ErrorCode.FENCED_INSTANCE_ID)
        if member_id not in self.members or (instance_id is not None and holder is None):
            raise ApiError(ErrorCode.UNKNOWN_MEMBER_ID)

    def _check_protocols(self, request: JoinRequest) -> None:
        others = [
            member
            for member in self.members.values()
            if member.id != request.member_id and member.request.instance_id != (request.instance_id or "")
        ]
        names = {known.name for known in request.protocols}
        if not names or not request.protocol_type:
            raise ApiError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
        if others and (
            request.protocol_type != self.protocol_type or not names & self._common_protocols(others)
        ):
            raise ApiError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)

    @staticmethod
    def _common_protocols(members: Iterable[Member]) -> set[str]:
        return set.intersection(*({known.name for known in member.request.protocols} for member in members))


def _dismiss(member: Member, error: ErrorCode) -> None:
    member.answer_join(JoinAnswer(error, member.id))
    member.answer_sync(SyncAnswer(error))
