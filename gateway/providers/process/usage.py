"""CPU and memory of running workers, asked of the operating system."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Reading:
    """``cpu_seconds`` since the process began; ``memory_bytes`` as its share (PSS) where that is told."""

    cpu_seconds: float
    memory_bytes: float


def read(pids: Iterable[int]) -> dict[int, Reading]:
    """Readings of those that are alive."""
    source = _from_proc if _PROC.joinpath("self/stat").exists() else _from_ps
    found = {pid: source(pid) for pid in pids}
    return {pid: reading for pid, reading in found.items() if reading is not None}


def _from_proc(pid: int) -> Reading | None:
    try:
        fields = _PROC.joinpath(f"{pid}/stat").read_text().rpartition(")")[2].split()
        cpu_seconds = (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND
        return Reading(cpu_seconds, _share_bytes(pid))
    except (FileNotFoundError, ProcessLookupError):
        return None


def _share_bytes(pid: int) -> float:
    for line in _PROC.joinpath(f"{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return float(line.split()[1]) * 1024
    return 0.0


def _from_ps(pid: int) -> Reading | None:
    answer = subprocess.run(  # noqa: S603 - a number as the only argument
        ["/bin/ps", "-o", "rss=,time=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    fields = answer.stdout.split()
    if len(fields) != 2:  # noqa: PLR2004 - the two columns asked for
        return None
    minutes, _, seconds = fields[1].rpartition(":")
    hours, _, minutes = minutes.rpartition(":")
    return Reading(int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds), float(fields[0]) * 1024)
