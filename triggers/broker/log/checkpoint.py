"""What is known of a segment up to a synced position, so that a start reads only what was written after it.

File: 8 hex digits of CRC32C over the rest, newline, one JSON line, the raw index. It is written without fsync: one that did
not survive a power cut fails its checksum, and the segment is read from its beginning instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import orjson

from triggers.broker import atomic
from triggers.broker.checksum import crc32c
from triggers.broker.log.index import SparseIndex
from triggers.broker.log.producers import SequenceTable

_CRC_LINE_BYTES = 9


@dataclass(frozen=True)
class Checkpoint:
    position: int
    """Bytes of the segment that are covered."""
    next_offset: int
    index: SparseIndex
    sequences: SequenceTable

    def save(self, path: Path) -> None:
        facts = {
            "position": self.position,
            "next_offset": self.next_offset,
            "producers": self.sequences.to_json(),
        }
        body = orjson.dumps(facts) + b"\n" + self.index.to_bytes()
        atomic.write(path, b"%08x\n" % crc32c(body) + body, durable=False)

    @classmethod
    def load(cls, path: Path) -> Checkpoint | None:
        """None when there is none or it is damaged; both only cost a longer start."""
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        body = content[_CRC_LINE_BYTES:]
        if content[:_CRC_LINE_BYTES] != b"%08x\n" % crc32c(body):
            return None
        line, _, index = body.partition(b"\n")
        facts = orjson.loads(line)
        return cls(
            position=facts["position"],
            next_offset=facts["next_offset"],
            index=SparseIndex.from_bytes(index),
            sequences=SequenceTable.from_json(facts["producers"]),
        )
