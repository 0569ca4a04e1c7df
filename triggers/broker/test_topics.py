from __future__ import annotations

import pytest

from triggers.broker.errors import ApiError, ErrorCode
from triggers.broker.log.partition_log import LogLimits
from triggers.broker.log.samples import batch
from triggers.broker.topics import MAX_PARTITIONS, Topics

_DEFAULTS = LogLimits()


def _names(topics: Topics) -> dict[str, int]:
    return {topic.name: len(topic.partitions) for topic in topics}


def test_topics_their_configs_and_records_survive_a_kill(tmp_path):
    topics = Topics(tmp_path, _DEFAULTS)
    topics.create("a", 2, {"retention.ms": "5"})
    topics.create("b", 1, {})
    topics.partition("a", 1).append(batch())
    again = Topics(tmp_path, _DEFAULTS)
    assert _names(again) == {"a": 2, "b": 1}
    found = again.get("a")
    assert found is not None
    assert found.limits.retention_ms == 5
    assert again.partition("a", 1).end_offset == 1


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "ü", "x" * 250])
def test_names_that_could_leave_the_folder_or_confuse_clients_are_refused(tmp_path, name):
    with pytest.raises(ApiError, match="not valid") as refusal:
        Topics(tmp_path, _DEFAULTS).create(name, 1, {})
    assert refusal.value.code is ErrorCode.INVALID_TOPIC


@pytest.mark.parametrize("partitions", [0, -5, MAX_PARTITIONS + 1])
def test_partition_counts_have_limits(tmp_path, partitions):
    with pytest.raises(ApiError, match="use 1 to 1000"):
        Topics(tmp_path, _DEFAULTS).create("a", partitions, {})


def test_a_topic_only_grows(tmp_path):
    topics = Topics(tmp_path, _DEFAULTS)
    topics.create("a", 2, {})
    topics.extend("a", 4)
    with pytest.raises(ApiError, match="can only grow"):
        topics.extend("a", 3)
    assert _names(Topics(tmp_path, _DEFAULTS)) == {"a": 4}


def test_a_deleted_topic_is_gone_with_its_files_and_can_be_made_again_empty(tmp_path):
    topics = Topics(tmp_path, _DEFAULTS)
    topics.create("a", 2, {})
    topics.partition("a", 0).append(batch())
    topics.delete("a")
    assert list((tmp_path / "logs").iterdir()) == []
    topics.create("a", 1, {})
    again = Topics(tmp_path, _DEFAULTS)
    assert (_names(again), again.partition("a", 0).end_offset) == ({"a": 1}, 0)


def test_a_deletion_that_a_kill_cut_short_is_finished_at_the_start(tmp_path):
    topics = Topics(tmp_path, _DEFAULTS)
    topics.create("a", 1, {})
    topics.journal.append({"deleted": "a"})
    (tmp_path / "logs" / "b-0.deleted").mkdir()
    again = Topics(tmp_path, _DEFAULTS)
    assert (_names(again), list((tmp_path / "logs").iterdir())) == ({}, [])


def test_unknown_partitions_are_refused(tmp_path):
    topics = Topics(tmp_path, _DEFAULTS)
    topics.create("a", 1, {})
    for name, number in (("a", 1), ("a", -1), ("b", 0)):
        with pytest.raises(ApiError) as refusal:
            topics.partition(name, number)
        assert refusal.value.code is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
