"""Numbers for idempotent producers, never given twice, also not after kill -9."""

from __future__ import annotations

from pathlib import Path

from triggers.broker import atomic
from triggers.broker.errors import CorruptLogError

#: Numbers reserved per write to disk; a restart skips what was left of them.
_BLOCK = 1000


class ProducerIds:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._next = self._reserved = _read(path)

    def take(self) -> int:
        """A new number; writes to disk once per block."""
        if self._next >= self._reserved:
            self._reserved = self._next + _BLOCK
            atomic.write(self._path, b"%d\n" % self._reserved)
        self._next += 1
        return self._next - 1


def _read(path: Path) -> int:
    try:
        text = path.read_text().strip()
    except FileNotFoundError:
        return 1
    if not text.isdigit():
        raise CorruptLogError(
            f"{path} does not hold a number; write one into it that is larger than any producer id used"
        )
    return int(text)
