from __future__ import annotations

from triggers.broker.offsets import Commit, Offsets


def test_commits_survive_a_kill_and_the_latest_counts(tmp_path):
    offsets = Offsets(tmp_path)
    offsets.commit("g", {("t", 0): Commit(5), ("t", 1): Commit(7, 0, "note")})
    offsets.commit("g", {("t", 0): Commit(6)})
    assert dict(Offsets(tmp_path).of("g")) == {("t", 0): Commit(6), ("t", 1): Commit(7, 0, "note")}


def test_a_group_without_commits_is_no_group(tmp_path):
    offsets = Offsets(tmp_path)
    offsets.commit("g", {("t", 0): Commit(5)})
    offsets.forget("g", [("t", 0), ("unknown", 3)])
    offsets.forget("never seen")
    assert (offsets.groups(), Offsets(tmp_path).groups()) == ([], [])


def test_a_deleted_topic_takes_the_commits_of_all_groups_with_it(tmp_path):
    offsets = Offsets(tmp_path)
    for group in ("g", "h"):
        offsets.commit(group, {("gone", 0): Commit(5), ("stays", 0): Commit(1)})
    offsets.forget_topic("gone")
    for group in ("g", "h"):
        assert dict(Offsets(tmp_path).of(group)) == {("stays", 0): Commit(1)}
