"""Any interleaving of joins, syncs, heartbeats, departures and passing time keeps what the protocol promises."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from triggers.broker.errors import ApiError, ErrorCode
from triggers.broker.groups.group import Group, State
from triggers.broker.groups.member import Caller, JoinAnswer, JoinRequest, Protocol, SyncAnswer

_SESSION_SECONDS = 10.0
_REBALANCE_SECONDS = 30.0
_SLOTS = st.integers(0, 4)


@dataclass
class _Client:
    """A client with at most one request under way."""

    instance: str | None
    member_id: str = ""
    generation: int = -1
    joins: list[JoinAnswer] = field(default_factory=list)
    syncs: list[SyncAnswer] = field(default_factory=list)
    is_waiting: bool = False
    leads: tuple[str, ...] = ()

    @property
    def caller(self) -> Caller:
        return Caller(self.member_id, self.instance, self.generation)


class GroupMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        numbers = itertools.count()
        self.group = Group(lambda prefix: f"{prefix}-{next(numbers)}")
        self.now = 0.0
        self.clients = [_Client("static" if slot == 0 else None) for slot in range(5)]
        self.leaders: dict[int, set[str]] = {}
        self.plans: dict[int, dict[str, bytes]] = {}

    @rule(slot=_SLOTS, topics=st.sampled_from([b"a", b"b"]))
    def join(self, slot: int, topics: bytes) -> None:
        client = self.clients[slot]
        if client.is_waiting:
            return
        client.is_waiting = True
        protocols = (Protocol("range", topics),)
        request = JoinRequest(
            client.member_id, client.instance, "consumer", protocols, _SESSION_SECONDS, _REBALANCE_SECONDS
        )
        self.group.join(request, self.now, lambda answer: self._joined(client, answer))

    def _joined(self, client: _Client, answer: JoinAnswer) -> None:
        assert client.is_waiting, "an answer without a request"
        client.is_waiting = False
        if answer.error is ErrorCode.MEMBER_ID_REQUIRED:
            client.member_id = answer.member_id
        elif answer.error is ErrorCode.NONE:
            client.member_id, client.generation = answer.member_id, answer.generation
            client.leads = tuple(member.member_id for member in answer.members)
            if answer.members:
                self.leaders.setdefault(answer.generation, set()).add(answer.member_id)
        else:
            client.member_id, client.generation = "", -1

    @rule(slot=_SLOTS)
    def sync(self, slot: int) -> None:
        client = self.clients[slot]
        if client.is_waiting or client.generation < 0:
            return
        client.is_waiting = True
        plan = {member: f"{client.generation}:{member}".encode() for member in client.leads}
        self.group.sync(client.caller, plan, self.now, lambda answer: self._synced(client, answer))

    def _synced(self, client: _Client, answer: SyncAnswer) -> None:
        assert client.is_waiting, "an answer without a request"
        client.is_waiting = False
        if answer.error is not ErrorCode.NONE:
            return
        generation, _, member = answer.assignment.decode().partition(":")
        # A static member that took over may hold its predecessor's share.
        if client.instance is None:
            assert (int(generation), member) == (client.generation, client.member_id)

    @rule(slot=_SLOTS)
    def heartbeat(self, slot: int) -> None:
        client = self.clients[slot]
        if client.is_waiting or not client.member_id:
            return
        try:
            self.group.heartbeat(client.caller, self.now)
        except ApiError as error:
            assert error.code in {  # noqa: PT017 - any other code would be a fault
                ErrorCode.UNKNOWN_MEMBER_ID,
                ErrorCode.ILLEGAL_GENERATION,
            }

    @rule(slot=_SLOTS)
    def leave(self, slot: int) -> None:
        client = self.clients[slot]
        if client.is_waiting or not client.member_id:
            return
        try:
            self.group.leave(client.member_id, client.instance, self.now)
        except ApiError as error:
            assert error.code is ErrorCode.UNKNOWN_MEMBER_ID  # noqa: PT017 - its session had ended
        client.member_id, client.generation = "", -1

    @rule(slot=_SLOTS)
    def die(self, slot: int) -> None:
        """The process is gone; a new one in its place knows nothing but its instance."""
        self.clients[slot] = _Client(self.clients[slot].instance)

    @rule(seconds=st.floats(0.1, 12))
    def pass_time(self, seconds: float) -> None:
        self._run_until(self.now + seconds)

    def _run_until(self, end: float) -> None:
        while (deadline := self.group.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.group.tick(self.now)
        self.now = end

    @invariant()
    def each_generation_has_one_leader(self) -> None:
        assert all(len(leaders) == 1 for leaders in self.leaders.values())

    @invariant()
    def no_phase_lasts_for_ever(self) -> None:
        deadline = self.group.next_deadline()
        assert (deadline is None) == self.group.is_idle

    @invariant()
    def only_an_empty_group_has_no_members(self) -> None:
        assert (self.group.state is State.EMPTY) == (not self.group.members) or (
            self.group.state is State.PREPARING and not self.group.is_idle
        )

    def teardown(self) -> None:
        """When all are gone for good the group ends empty, and whoever waited has been answered."""
        self._run_until(self.now + 10 * (_SESSION_SECONDS + _REBALANCE_SECONDS))
        assert self.group.is_idle
        assert not any(client.is_waiting for client in self.clients)


GroupMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestGroupMachine = GroupMachine.TestCase
