import os
import sys
from pathlib import Path

import pytest

from triggers.logagent.retention import removable, remove

NOW = 1_700_000_000.0


def log(folder: Path, name: str, *, age_seconds: float, size: int = 10) -> Path:
    path = folder / f"{name}.jsonl"
    path.write_bytes(b"x" * size)
    os.utime(path, (NOW - age_seconds, NOW - age_seconds))
    return path


def test_only_old_logs_go_when_there_is_room(tmp_path: Path):
    old, young = log(tmp_path, "old", age_seconds=100), log(tmp_path, "young", age_seconds=10)
    assert removable([young, old], now=lambda: NOW, keep_seconds=50) == [old]


def test_the_oldest_go_when_there_are_too_many_bytes(tmp_path: Path):
    logs = [log(tmp_path, str(age), age_seconds=age) for age in (3, 1, 2)]
    assert removable(logs, now=lambda: NOW, keep_bytes=25) == [logs[0]]


@pytest.mark.skipif(sys.platform != "linux", reason="file leases are Linux's")
def test_a_log_that_somebody_has_open_for_writing_stays(tmp_path: Path):
    old = log(tmp_path, "old", age_seconds=100)
    with old.open("ab"):
        assert removable([old], now=lambda: NOW, keep_seconds=50) == []
    assert removable([old], now=lambda: NOW, keep_seconds=50) == [old]


def test_removing_takes_the_rotated_file_and_an_empty_folder_along(tmp_path: Path):
    folder = tmp_path / "hello.openfaas-fn"
    folder.mkdir()
    path = log(folder, "1", age_seconds=1)
    path.with_name("1.jsonl.1").write_bytes(b"older")
    remove(path)
    assert not folder.exists()
