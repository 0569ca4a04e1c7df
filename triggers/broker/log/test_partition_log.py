from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triggers.broker.errors import ApiError, CorruptLogError, ErrorCode
from triggers.broker.log import batch as batches
from triggers.broker.log.partition_log import LogLimits, PartitionLog
from triggers.broker.log.samples import batch

_LIMITS = LogLimits()
_SMALL = LogLimits(segment_bytes=400)


def _sync(log: PartitionLog) -> None:
    while (job := log.sync_job()) is not None:
        os.fdatasync(job.handle)
        os.close(job.handle)
        log.synced(job)


def _written(folder: Path, count: int, limits: LogLimits = _LIMITS, start_ms: int = 1000) -> PartitionLog:
    log = PartitionLog(folder, limits)
    for number in range(count):
        log.append(batch([b"%d" % number] * 2, timestamp_ms=start_ms + number * 10))
    _sync(log)
    return log


def _offsets(log: PartitionLog) -> list[int]:
    """Base offsets of all batches that a consumer gets, each checked to be whole."""
    found: list[int] = []
    offset = log.start_offset
    while content := log.read(offset, 1 << 20):
        for at, one in batches.headers(content):
            assert batches.is_whole(one, content, at)
            if one.next_offset > offset:
                found.append(one.base_offset)
                offset = one.next_offset
    return found


def _abandon(log: PartitionLog) -> None:
    """What kill -9 leaves: no checkpoint, handles closed."""
    log._release()


def test_records_get_consecutive_offsets(tmp_path):
    log = PartitionLog(tmp_path, _LIMITS)
    assert log.append(batch([b"a", b"b"])) == (0, 2)
    assert log.append(batch([b"c"])) == (2, 3)


def test_nothing_is_read_before_it_is_synced(tmp_path):
    log = PartitionLog(tmp_path, _LIMITS)
    log.append(batch())
    assert (log.read(0, 1000), log.high_watermark, log.available_bytes(0)) == (b"", 0, 0)
    _sync(log)
    assert (_offsets(log), log.high_watermark) == ([0], 1)
    assert log.available_bytes(0) > 0


def test_what_was_appended_during_a_sync_waits_for_the_next(tmp_path):
    log = PartitionLog(tmp_path, _LIMITS)
    log.append(batch())
    job = log.sync_job()
    assert job is not None
    log.append(batch())
    os.close(job.handle)
    log.synced(job)
    assert (log.high_watermark, _offsets(log)) == (1, [0])
    _sync(log)
    assert log.high_watermark == 2


def test_watchers_are_called_when_something_became_visible(tmp_path):
    log = PartitionLog(tmp_path, _LIMITS)
    seen: list[int] = []
    log.watchers.add(lambda: seen.append(log.high_watermark))
    log.append(batch())
    assert seen == []
    _sync(log)
    assert seen == [1]


def test_a_log_goes_on_in_new_segments_and_is_read_across_them(tmp_path):
    log = _written(tmp_path, 20, _SMALL)
    assert len(list(tmp_path.glob("*.log"))) > 3
    assert _offsets(log) == list(range(0, 40, 2))


def test_a_sync_that_was_under_way_when_the_segment_was_completed_does_no_harm(tmp_path):
    log = _written(tmp_path, 1)
    log.append(batch())
    job = log.sync_job()
    assert job is not None
    log.roll()
    log.append(batch())
    os.close(job.handle)
    log.synced(job)
    assert _offsets(log) == [0, 2]
    _sync(log)
    assert _offsets(log) == [0, 2, 3]


def test_offsets_outside_of_the_log_are_refused(tmp_path):
    log = _written(tmp_path, 2)
    for offset in (-1, 5):
        with pytest.raises(ApiError) as refusal:
            log.read(offset, 1000)
        assert refusal.value.code is ErrorCode.OFFSET_OUT_OF_RANGE
    assert log.read(4, 1000) == b""


def test_reading_in_the_middle_of_a_batch_gives_the_whole_batch(tmp_path):
    log = _written(tmp_path, 3)
    assert batches.parse(log.read(3, 1000)).base_offset == 2


def test_a_batch_larger_than_the_limit_comes_whole_or_not_at_all(tmp_path):
    log = _written(tmp_path, 2)
    first = log.read(0, 10)
    assert batches.is_whole(batches.parse(first), first)
    assert log.read(0, 10, whole_first=False) == b""


def test_a_batch_above_the_topics_limit_is_refused(tmp_path):
    log = PartitionLog(tmp_path, LogLimits(max_batch_bytes=100))
    with pytest.raises(ApiError, match=r"max\.message\.bytes is 100") as refusal:
        log.append(batch([b"x" * 100]))
    assert refusal.value.code is ErrorCode.MESSAGE_TOO_LARGE


def test_a_repeated_idempotent_batch_is_written_once_also_after_a_restart(tmp_path):
    content = batch(producer_id=5, producer_epoch=0, sequence=0)
    log = PartitionLog(tmp_path, _LIMITS)
    first = log.append(content)
    assert log.append(content) == first
    _abandon(log)
    killed = PartitionLog(tmp_path, _LIMITS)
    assert killed.append(content) == first
    killed.close()
    stopped = PartitionLog(tmp_path, _LIMITS)
    assert stopped.append(content) == first
    assert stopped.end_offset == 1


def test_a_full_disk_is_told_and_leaves_the_log_as_it_was(tmp_path, monkeypatch):
    log = _written(tmp_path, 1)

    def write_a_bit(handle: int, content: memoryview) -> int:
        monkeypatch.setattr(os, "write", refuse)
        return os.pwrite(handle, content[:10], 0)

    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", write_a_bit)
    with pytest.raises(ApiError, match="No space left") as refusal:
        log.append(batch())
    assert refusal.value.code is ErrorCode.KAFKA_STORAGE_ERROR
    monkeypatch.undo()
    log.append(batch())
    _sync(log)
    assert _offsets(log) == [0, 2]


@pytest.mark.parametrize("end", [PartitionLog.close, _abandon])
def test_a_log_is_the_same_after_a_stop_and_after_a_kill(tmp_path, end):
    log = _written(tmp_path, 20, _SMALL)
    end(log)
    again = PartitionLog(tmp_path, _SMALL)
    assert (_offsets(again), again.end_offset) == (list(range(0, 40, 2)), 40)
    assert again.append(batch()).base_offset == 40


def test_only_what_is_behind_the_checkpoint_is_read_at_the_start(tmp_path, monkeypatch):
    log = _written(tmp_path, 50)
    log.close()
    read: list[int] = []
    whole = batches.is_whole
    monkeypatch.setattr(batches, "is_whole", lambda *args: read.append(1) or whole(*args))
    again = PartitionLog(tmp_path, _LIMITS)
    assert (read, again.end_offset) == ([], 100)
    assert again.read(98, 1000)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_truncating_the_last_segment_anywhere_loses_only_what_was_behind_the_cut(data):
    folder = Path(tempfile.mkdtemp())
    try:
        count = data.draw(st.integers(1, 8))
        log = _written(folder, count, _SMALL)
        if data.draw(st.booleans()):
            log.checkpoint()
        _abandon(log)
        last = max(folder.glob("*.log"))
        content = last.read_bytes()
        cut = data.draw(st.integers(0, len(content)))
        os.truncate(last, cut)
        kept = [one.base_offset for at, one in batches.headers(content) if at + one.size_bytes <= cut]
        before = [number * 2 for number in range(count) if number * 2 < int(last.stem)]
        again = PartitionLog(folder, _SMALL)
        assert _offsets(again) == before + kept
        expected_end = 2 * len(before + kept)
        assert again.append(batch()).base_offset == expected_end
        _abandon(again)
    finally:
        shutil.rmtree(folder)


def test_damage_with_whole_batches_behind_it_is_refused(tmp_path):
    _abandon(_written(tmp_path, 3))
    _flip(tmp_path / f"{0:020d}.log", 70)
    with pytest.raises(CorruptLogError, match="damaged at byte 0 and whole batches follow it"):
        PartitionLog(tmp_path, _LIMITS)


def test_damage_of_the_very_last_batch_is_a_torn_end(tmp_path):
    _abandon(_written(tmp_path, 3))
    path = tmp_path / f"{0:020d}.log"
    _flip(path, path.stat().st_size - 1)
    assert _offsets(PartitionLog(tmp_path, _LIMITS)) == [0, 2]


def test_a_completed_segment_that_became_shorter_is_refused(tmp_path):
    _abandon(_written(tmp_path, 20, _SMALL))
    first = min(tmp_path.glob("*.log"))
    os.truncate(first, 50)
    with pytest.raises(CorruptLogError, match="shorter than it was"):
        PartitionLog(tmp_path, _SMALL)


def test_a_missing_segment_is_refused(tmp_path):
    _abandon(_written(tmp_path, 20, _SMALL))
    sorted(tmp_path.glob("*.log"))[1].unlink()
    with pytest.raises(CorruptLogError, match="misses the records from offset"):
        PartitionLog(tmp_path, _SMALL)


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"rubbish")])
def test_lost_or_damaged_checkpoints_only_cost_a_longer_start(tmp_path, damage):
    _written(tmp_path, 20, _SMALL).close()
    for path in tmp_path.glob("*.index"):
        damage(path)
    again = PartitionLog(tmp_path, _SMALL)
    assert _offsets(again) == list(range(0, 40, 2))
    found = again.offset_at(1100)
    assert found is not None
    assert found.offset == 20


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_the_first_record_at_or_after_a_time_is_found(tmp_path, compression):
    log = PartitionLog(tmp_path, _SMALL)
    for number in range(10):
        log.append(batch([b"x"] * 10, timestamp_ms=number * 100, step_ms=10, compression=compression))
    _sync(log)
    assert log.offset_at(0) == (0, 0)
    assert log.offset_at(455) == (46, 460)
    assert log.offset_at(990) == (99, 990)
    assert log.offset_at(991) is None
    assert log.latest() == (99, 990)


def test_an_empty_log_has_no_times(tmp_path):
    log = PartitionLog(tmp_path, _LIMITS)
    assert (log.offset_at(0), log.latest()) == (None, None)


def test_old_segments_go_by_time_also_the_active_one(tmp_path):
    limits = LogLimits(segment_bytes=400, retention_ms=100)
    log = _written(tmp_path, 20, limits)
    log.retain(now_ms=1000 + 150 + 100)
    assert 0 < log.start_offset <= 32
    assert _offsets(log)[0] == log.start_offset
    log.retain(now_ms=10_000)
    assert (log.start_offset, log.end_offset, _offsets(log)) == (40, 40, [])
    _abandon(log)
    assert PartitionLog(tmp_path, limits).end_offset == 40


def test_the_oldest_segments_go_by_size(tmp_path):
    limits = LogLimits(segment_bytes=400, retention_bytes=1000)
    log = _written(tmp_path, 40, limits)
    log.retain(now_ms=0)
    assert 1000 <= log.size_bytes < 1000 + 400
    assert _offsets(log)[-1] == 78


def test_deleted_records_stay_deleted_after_a_restart(tmp_path):
    log = _written(tmp_path, 20, _SMALL)
    segments = len(list(tmp_path.glob("*.log")))
    log.delete_before(31)
    assert len(list(tmp_path.glob("*.log"))) < segments
    _abandon(log)
    again = PartitionLog(tmp_path, _SMALL)
    assert (again.start_offset, _offsets(again)[0]) == (31, 30)
    with pytest.raises(ApiError):
        again.delete_before(41)


def test_a_deleted_log_leaves_nothing_and_wakes_who_waits(tmp_path):
    log = _written(tmp_path / "t-0", 1)
    woken: list[bool] = []
    log.watchers.add(lambda: woken.append(log.closed))
    log.delete()
    assert (woken, list(tmp_path.iterdir())) == ([True], [])
    assert log.sync_job() is None


def _flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)
