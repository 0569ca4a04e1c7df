import random
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from triggers.connector.window import Limits, Ordering, Source, Window, Work

A: Source = ("events", 0)
B: Source = ("events", 1)


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def window(ordering: Ordering = Ordering.KEY, **limits: int) -> Window[int]:
    return Window(ordering, Limits(**{"concurrency": 10, **limits}), Clock())


def fill(subject: Window[int], *keys: bytes | None, source: Source = A, start: int = 0) -> None:
    for offset, key in enumerate(keys, start):
        subject.add(source, offset, key, offset, 1)


def take_all(subject: Window[int]) -> list[Work[int]]:
    return list(iter(subject.take, None))


def taken(subject: Window[int]) -> list[list[int]]:
    return [work.records for work in take_all(subject)]


def test_different_keys_run_at_once_and_one_key_waits_for_itself():
    subject = window()
    fill(subject, b"x", b"y", b"x")
    first, second = take_all(subject)
    assert (first.records, second.records) == ([0], [1])
    subject.finish(first)
    assert taken(subject) == [[2]]


def test_records_without_a_key_are_free():
    subject = window()
    fill(subject, None, None, None)
    assert taken(subject) == [[0], [1], [2]]


def test_ordering_by_partition_runs_one_record_per_partition():
    subject = window(Ordering.PARTITION)
    fill(subject, b"x", b"y")
    fill(subject, b"x", source=B, start=10)
    assert taken(subject) == [[0], [10]]


def test_without_ordering_one_key_runs_at_once():
    subject = window(Ordering.NONE)
    fill(subject, b"x", b"x")
    assert taken(subject) == [[0], [1]]


def test_the_same_key_in_two_partitions_is_two_lanes():
    subject = window()
    fill(subject, b"x")
    fill(subject, b"x", source=B)
    assert len(take_all(subject)) == 2


def test_concurrency_bounds_the_calls_under_way():
    subject = window(concurrency=2)
    fill(subject, None, None, None)
    first, _ = take_all(subject)
    subject.finish(first)
    assert taken(subject) == [[2]]


def test_only_the_contiguous_finished_prefix_is_committed():
    subject = window()
    fill(subject, b"a", b"b", b"c")
    a, b, c = take_all(subject)
    subject.finish(c)
    subject.finish(b)
    assert subject.commits() == {}
    subject.finish(a)
    assert subject.commits() == {A: 3}
    assert subject.commits() == {}


def test_gaps_between_offsets_do_not_stop_the_position():
    subject = window()
    subject.add(A, 5, None, 5, 1)
    subject.pass_over(A, 90)
    subject.finish(take_all(subject)[0])
    assert subject.commits() == {A: 91}


def test_passed_over_records_wait_for_the_unfinished_before_them():
    subject = window()
    fill(subject, b"a")
    subject.pass_over(A, 1)
    assert subject.commits() == {}
    subject.finish(take_all(subject)[0])
    assert subject.commits() == {A: 2}


def test_a_postponed_record_blocks_its_key_and_nobody_else_until_it_is_due():
    subject = window()
    clock = subject._now
    assert isinstance(clock, Clock)
    fill(subject, b"x", b"y", b"x")
    x, y = take_all(subject)
    subject.postpone(x, until=5.0)
    subject.finish(y)
    assert (taken(subject), subject.due) == ([], 5.0)
    clock.seconds = 5.0
    again = take_all(subject)
    assert [work.records for work in again] == [[0]]
    subject.finish(again[0])
    assert taken(subject) == [[2]]


def test_a_failed_commit_is_offered_again():
    subject = window()
    subject.pass_over(A, 0)
    subject.mark_uncommitted(subject.commits())
    assert subject.commits() == {A: 1}


def test_a_held_window_hands_out_nothing_but_still_commits_what_drains():
    subject = window()
    fill(subject, b"x", b"y")
    work = subject.take()
    assert work is not None
    subject.hold()
    assert subject.take() is None
    subject.finish(work)
    assert subject.commits() == {A: 1}


def test_calls_of_an_earlier_assignment_move_no_position_but_count_as_under_way():
    subject = window(concurrency=1)
    fill(subject, b"x")
    work = subject.take()
    assert work is not None
    subject.reset()
    fill(subject, b"x")
    assert subject.take() is None
    subject.finish(work)
    assert (subject.commits(), subject.unfinished) == ({}, 1)
    assert taken(subject) == [[0]]


@pytest.mark.parametrize("limits", [{"records": 3}, {"bytes": 3}, {"span": 3}])
def test_the_window_is_full_at_any_limit_and_has_room_again_when_records_finish(limits: dict[str, int]):
    subject = window(**limits)
    fill(subject, None, None, None)
    assert subject.is_full
    subject.finish(take_all(subject)[0])
    assert not subject.is_full


def test_a_batch_takes_what_is_ready_and_keeps_a_keys_order():
    subject = window(batch=4)
    fill(subject, b"x", b"y", b"x", b"y", b"x")
    assert taken(subject) == [[0, 2, 4, 1]]


def test_a_lane_in_a_batch_is_freed_only_when_the_batch_is_over():
    subject = window(batch=2)
    fill(subject, b"x", b"x", b"x")
    (work,) = take_all(subject)
    assert work.records == [0, 1]
    subject.finish(work)
    assert taken(subject) == [[2]]


def test_a_split_batch_comes_back_record_by_record_in_order():
    subject = window(batch=3)
    fill(subject, b"x", b"x", b"x", b"x")
    subject.split(take_all(subject)[0])
    seen = []
    while (work := subject.take()) is not None:
        seen.append(work.records)
        assert subject.take() is None
        subject.finish(work)
    assert seen == [[0], [1], [2], [3]]


@given(st.lists(st.sampled_from([b"a", b"b", b"c", None]), max_size=60), st.integers(1, 5), st.randoms())
def test_whatever_finishes_first_every_key_is_handled_in_order_and_all_is_committed(
    keys: list[bytes | None], batch: int, chance: random.Random
):
    subject = window(concurrency=3, batch=batch)
    fill(subject, *keys)
    running: list[Work[int]] = []
    handled = defaultdict(list)
    while (work := subject.take()) is not None or running:
        if work is not None:
            running.append(work)
        if work is None or chance.random() < 0.5:
            over = running.pop(chance.randrange(len(running)))
            for offset in over.records:
                handled[keys[offset]].append(offset)
            subject.finish(over)
    assert all(handled[key] == sorted(handled[key]) for key in (b"a", b"b", b"c"))
    assert sum(map(len, handled.values())) == len(keys)
    assert subject.commits() == ({A: len(keys)} if keys else {})
    assert subject._lanes == {}
    assert subject._bytes == subject._span == subject.unfinished == 0


class AnyHistory(RuleBasedStateMachine):
    """Random fetches, ends, failures, splits and revocations against a model of what is finished."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.subject: Window[tuple[Source, int]] = Window(
            Ordering.KEY, Limits(concurrency=3, batch=2), self.clock
        )
        self.next_offset = {A: 0, B: 0}
        self.finished: set[tuple[Source, int]] = set()
        self.position = {A: 0, B: 0}
        self.keys: dict[tuple[Source, int], bytes | None] = {}
        self.running: list[Work[tuple[Source, int]]] = []

    @rule(source=st.sampled_from([A, B]), key=st.sampled_from([b"x", b"y", None]), gap=st.integers(0, 2))
    def fetch(self, source: Source, key: bytes | None, gap: int) -> None:
        offset = self.next_offset[source] + gap
        self.next_offset[source] = offset + 1
        self.keys[source, offset] = key
        self.subject.add(source, offset, key, (source, offset), 1)

    @rule(source=st.sampled_from([A, B]))
    def fetch_unwanted(self, source: Source) -> None:
        self.finished.add((source, self.next_offset[source]))
        self.subject.pass_over(source, self.next_offset[source])
        self.next_offset[source] += 1

    @rule()
    def take(self) -> None:
        work = self.subject.take()
        if work is not None:
            self.running.append(work)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), end=st.sampled_from(["finish", "postpone", "split"]))
    def end(self, data: st.DataObject, end: str) -> None:
        work = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        if end == "finish":
            self.subject.finish(work)
            self.finished.update(work.records)
        elif end == "postpone":
            self.subject.postpone(work, self.clock.seconds + 1)
        else:
            self.subject.split(work)

    @rule()
    def time_passes(self) -> None:
        self.clock.seconds += 1

    @invariant()
    def no_lane_runs_twice_and_concurrency_holds(self) -> None:
        lanes = [
            {(record[0], self.keys[record]) for record in work.records if self.keys[record] is not None}
            for work in self.running
        ]
        assert sum(map(len, lanes)) == len(set().union(*lanes))
        assert len(self.running) <= 3

    @invariant()
    def positions_never_pass_an_unfinished_record(self) -> None:
        for source, position in self.subject.commits().items():
            assert position > self.position[source]
            self.position[source] = position
            below = {each for each in self.keys if each[0] == source and each[1] < position}
            assert below <= self.finished

    def teardown(self) -> None:
        for work in self.running:
            self.subject.finish(work)
        self.clock.seconds += 10
        while (work := self.subject.take()) is not None:
            self.subject.finish(work)
        assert self.subject.unfinished == 0
        assert self.subject._lanes == {}


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
