from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triggers.broker import journal as journals
from triggers.broker.errors import CorruptLogError
from triggers.broker.journal import Journal

_FACTS = st.lists(st.dictionaries(st.text(max_size=5), st.integers(-(2**53), 2**53), max_size=3), max_size=8)


def _opened(path: Path, facts: list | None = None) -> Journal:
    return Journal(path, lambda: facts or [])


def _sync(journal: Journal) -> None:
    while (job := journal.sync_job()) is not None:
        os.fdatasync(job.handle)
        os.close(job.handle)
        journal.synced(job)


def test_facts_come_back_in_order(tmp_path):
    journal = _opened(tmp_path / "j")
    journal.append({"a": 1}, {"b": "ü\n\r"})
    journal.append([3])
    assert _opened(tmp_path / "j").facts == [{"a": 1}, {"b": "ü\n\r"}, [3]]


def test_facts_are_durable_after_the_sync_that_follows_them(tmp_path):
    journal = _opened(tmp_path / "j")
    first = journal.append("x")
    job = journal.sync_job()
    assert job is not None
    second = journal.append("y")
    os.close(job.handle)
    journal.synced(job)
    assert first <= journal.durable < second
    _sync(journal)
    assert journal.durable >= second
    assert journal.sync_job() is None


@settings(max_examples=50, deadline=None)
@given(_FACTS, st.data())
def test_a_torn_end_is_cut_off_and_nothing_before_it_is_lost(facts, data):
    folder = Path(tempfile.mkdtemp())
    try:
        journal = _opened(folder / "j")
        ends = [0]
        for fact in facts:
            journal.append(fact)
            ends.append((folder / "j").stat().st_size)
        journal.close()
        cut = data.draw(st.integers(0, ends[-1]))
        os.truncate(folder / "j", cut)
        whole = sum(end <= cut for end in ends) - 1
        again = _opened(folder / "j")
        assert again.facts == facts[:whole]
        again.append("next")
        again.close()
        last = _opened(folder / "j")
        assert last.facts == [*facts[:whole], "next"]
        last.close()
    finally:
        shutil.rmtree(folder)


def test_damage_before_good_lines_is_refused(tmp_path):
    journal = _opened(tmp_path / "j")
    journal.append("one", "two", "three")
    content = bytearray((tmp_path / "j").read_bytes())
    content[12] ^= 1
    (tmp_path / "j").write_bytes(content)
    with pytest.raises(CorruptLogError, match=r"damaged at byte 0 .* good lines follow"):
        _opened(tmp_path / "j")


def test_a_journal_that_is_mostly_history_becomes_a_snapshot(tmp_path, monkeypatch):
    monkeypatch.setattr(journals, "_GROWTH_BYTES", 100)
    state: dict[str, int] = {}
    journal = Journal(tmp_path / "j", lambda: [state])
    for number in range(50):
        journal.append({"n": number})
        state["n"] = number
        _sync(journal)
    assert (tmp_path / "j").stat().st_size < 200
    assert _opened(tmp_path / "j").facts[-1] == {"n": 49}
    assert journal.durable == journal.written


def test_a_full_disk_leaves_the_journal_as_it_was(tmp_path, monkeypatch):
    journal = _opened(tmp_path / "j")
    journal.append("before")

    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", refuse)
    with pytest.raises(OSError, match="No space left"):
        journal.append("lost")
    monkeypatch.undo()
    journal.append("after")
    assert _opened(tmp_path / "j").facts == ["before", "after"]
