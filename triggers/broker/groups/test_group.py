from __future__ import annotations

import itertools

import pytest

from triggers.broker.errors import ApiError, ErrorCode
from triggers.broker.groups.group import Group, State
from triggers.broker.groups.member import Caller, JoinAnswer, JoinRequest, Protocol, SyncAnswer

_RANGE = Protocol("range", b"topics")
_STICKY = Protocol("sticky", b"topics")


class _World:
    """A group, its clock, and what its members were told."""

    def __init__(self) -> None:
        numbers = itertools.count(1)
        self.group = Group(lambda prefix: f"{prefix}-{next(numbers)}")
        self.now = 0.0

    def join(
        self,
        member_id: str = "",
        *,
        instance: str | None = None,
        protocols: tuple[Protocol, ...] = (_RANGE,),
        knows: bool = False,
        kind: str = "consumer",
    ) -> list[JoinAnswer]:
        """The list gets the answer, now or later."""
        answers: list[JoinAnswer] = []
        request = JoinRequest(
            member_id, instance, kind, protocols, 10.0, 60.0, client_id="c", needs_known_id=knows
        )
        self.group.join(request, self.now, answers.append)
        return answers

    def sync(self, joined: JoinAnswer, assignments: dict[str, bytes] | None = None) -> list[SyncAnswer]:
        answers: list[SyncAnswer] = []
        caller = Caller(joined.member_id, None, joined.generation)
        self.group.sync(caller, assignments or {}, self.now, answers.append)
        return answers

    def stable(self, count: int) -> list[JoinAnswer]:
        """Bring ``count`` dynamic members to the stable state."""
        waiting = [self.join() for _ in range(count)]
        first = waiting[0][0]
        if count > 1:
            waiting[0] = self.join(first.member_id)
        joined = [answers[0] for answers in waiting]
        for answer in joined[1:]:
            self.sync(answer)
        self.sync(joined[0], {answer.member_id: answer.member_id.encode() for answer in joined})
        assert self.group.state is State.STABLE
        return joined

    def heartbeat(self, joined: JoinAnswer) -> ErrorCode:
        return self.group.heartbeat(Caller(joined.member_id, None, joined.generation), self.now)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.group.tick(self.now)


@pytest.fixture
def world() -> _World:
    return _World()


def test_the_first_member_leads_the_first_generation(world):
    (answer,) = world.join()
    assert (answer.error, answer.generation, answer.leader) == (ErrorCode.NONE, 1, answer.member_id)
    assert [member.member_id for member in answer.members] == [answer.member_id]


def test_a_client_that_knows_the_handshake_gets_an_id_first(world):
    (first,) = world.join(knows=True)
    assert (first.error, first.generation) == (ErrorCode.MEMBER_ID_REQUIRED, -1)
    (second,) = world.join(first.member_id, knows=True)
    assert (second.error, second.member_id) == (ErrorCode.NONE, first.member_id)


def test_an_id_that_is_never_used_does_not_hold_up_the_group(world):
    world.join(knows=True)
    waiting = world.join()
    assert waiting == []
    world.pass_time(10)
    assert waiting[0].error is ErrorCode.NONE


def test_a_second_member_makes_the_first_join_again_and_both_learn_their_share(world):
    (first,) = world.join()
    world.sync(first)
    second = world.join()
    assert second == []
    assert world.heartbeat(first) is ErrorCode.REBALANCE_IN_PROGRESS
    (first_again,) = world.join(first.member_id)
    assert (first_again.generation, second[0].generation) == (2, 2)
    assert (len(first_again.members), second[0].members) == (2, ())
    follower = world.sync(second[0])
    assert follower == []
    (leader,) = world.sync(first_again, {first_again.member_id: b"L", second[0].member_id: b"F"})
    assert (leader.assignment, follower[0].assignment) == (b"L", b"F")


def test_a_member_that_leaves_makes_the_others_join_again(world):
    first, second = world.stable(2)
    world.group.leave(second.member_id, None, world.now)
    assert world.heartbeat(first) is ErrorCode.REBALANCE_IN_PROGRESS
    (again,) = world.join(first.member_id)
    assert len(again.members) == 1


def test_the_last_member_leaves_an_empty_group(world):
    (only,) = world.stable(1)
    world.group.leave(only.member_id, None, world.now)
    assert (world.group.state, world.group.is_idle, world.group.next_deadline()) == (State.EMPTY, True, None)


def test_a_silent_member_is_removed_when_its_session_ends(world):
    first, second = world.stable(2)
    world.pass_time(9)
    world.heartbeat(first)
    world.pass_time(1)
    assert set(world.group.members) == {first.member_id}
    with pytest.raises(ApiError) as refusal:
        world.heartbeat(second)
    assert refusal.value.code is ErrorCode.UNKNOWN_MEMBER_ID


def test_a_member_that_does_not_join_again_in_time_is_left_behind(world):
    first, second = world.stable(2)
    third = world.join()
    world.join(first.member_id)
    for _ in range(12):
        world.heartbeat(second)
        world.pass_time(5)
    assert third[0].error is ErrorCode.NONE
    assert second.member_id not in world.group.members


def test_a_leader_that_never_brings_the_assignment_is_removed(world):
    (first,) = world.join()
    second = world.join()
    (first,) = world.join(first.member_id)
    follower = world.sync(second[0])
    world.pass_time(10)
    assert follower[0].error is ErrorCode.REBALANCE_IN_PROGRESS
    (alone,) = world.join(second[0].member_id)
    assert alone.leader == second[0].member_id


def test_a_follower_that_joins_again_unchanged_gets_the_same_generation(world):
    _, second = world.stable(2)
    (again,) = world.join(second.member_id)
    assert again.generation == second.generation
    assert world.sync(again)[0].assignment == second.member_id.encode()


def test_a_changed_subscription_starts_a_rebalance(world):
    first, second = world.stable(2)
    assert world.join(second.member_id, protocols=(Protocol("range", b"other"),)) == []
    assert world.heartbeat(first) is ErrorCode.REBALANCE_IN_PROGRESS


def test_the_protocol_that_most_prefer_and_all_know_is_taken(world):
    (first,) = world.join(protocols=(_RANGE, _STICKY))
    others = [world.join(protocols=(_STICKY, _RANGE)) for _ in range(2)]
    (first,) = world.join(first.member_id, protocols=(_RANGE, _STICKY))
    assert {answer.protocol for answer in [first, *(other[0] for other in others)]} == {"sticky"}


@pytest.mark.parametrize(
    ("protocols", "kind"),
    [((_STICKY,), "consumer"), ((_RANGE,), "connect"), ((), "consumer"), ((_RANGE,), "")],
)
def test_a_member_that_cannot_share_with_the_others_is_refused(world, protocols, kind):
    world.stable(1)
    (answer,) = world.join(protocols=protocols, kind=kind)
    assert answer.error is ErrorCode.INCONSISTENT_GROUP_PROTOCOL


def test_an_unknown_member_is_told_so(world):
    world.stable(1)
    assert world.join("nobody")[0].error is ErrorCode.UNKNOWN_MEMBER_ID


def test_an_old_generation_is_told_so(world):
    (first,) = world.stable(1)
    with pytest.raises(ApiError) as refusal:
        world.heartbeat(first._replace(generation=0))
    assert refusal.value.code is ErrorCode.ILLEGAL_GENERATION
    assert world.sync(first._replace(generation=0))[0].error is ErrorCode.ILLEGAL_GENERATION


def test_a_static_member_that_comes_back_gets_its_assignment_at_once_and_nobody_is_disturbed(world):
    (first,) = world.join(instance="one")
    second = world.join(instance="two")
    (first,) = world.join(first.member_id, instance="one")
    answers = [world.sync(second[0]), world.sync(first, {second[0].member_id: b"S", first.member_id: b"F"})]
    assert [answer[0].assignment for answer in answers] == [b"S", b"F"]
    (back,) = world.join(instance="two")
    assert (back.error, back.generation) == (ErrorCode.NONE, first.generation)
    assert back.member_id != second[0].member_id
    assert world.sync(back)[0].assignment == b"S"
    assert world.heartbeat(first) is ErrorCode.NONE


def test_a_static_leader_that_comes_back_does_not_assign_anew(world):
    (leader,) = world.join(instance="one")
    world.sync(leader, {leader.member_id: b"all"})
    (back,) = world.join(instance="one")
    assert (back.members, back.leader) == ((), leader.member_id)
    assert world.sync(back)[0].assignment == b"all"


def test_who_uses_the_old_id_of_a_static_member_is_fenced(world):
    (old,) = world.join(instance="one")
    world.sync(old)
    world.join(instance="one")
    with pytest.raises(ApiError) as refusal:
        world.group.heartbeat(Caller(old.member_id, "one", old.generation), world.now)
    assert refusal.value.code is ErrorCode.FENCED_INSTANCE_ID
    assert world.join(old.member_id, instance="one")[0].error is ErrorCode.FENCED_INSTANCE_ID


def test_a_static_member_can_be_sent_away_by_its_instance(world):
    world.join(instance="one")
    world.group.leave("", "one", world.now)
    assert world.group.state is State.EMPTY


def test_offsets_are_taken_from_members_of_the_generation_only(world):
    group = world.group
    group.check_commit(Caller(""), world.now)
    first, second = world.stable(2)
    group.check_commit(Caller(first.member_id, None, first.generation), world.now)
    for caller, code in [
        (Caller(""), ErrorCode.UNKNOWN_MEMBER_ID),
        (Caller("nobody", None, first.generation), ErrorCode.UNKNOWN_MEMBER_ID),
        (Caller(first.member_id, None, first.generation - 1), ErrorCode.ILLEGAL_GENERATION),
    ]:
        with pytest.raises(ApiError) as refusal:
            group.check_commit(caller, world.now)
        assert refusal.value.code is code
    # While the others join again a member may still commit what it has done.
    world.join()
    group.check_commit(Caller(second.member_id, None, second.generation), world.now)
