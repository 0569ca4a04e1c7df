from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from clustergenie.clock import rfc3339


@dataclass(frozen=True)
class Cluster:
    """One cluster as it was read; ``version`` counts its changes."""

    id: str
    name: str
    region: str
    status: str
    """healthy, warning or critical."""
    version: int
    last_checked: datetime
    created_at: datetime
    updated_at: datetime
    droplets: Sequence[str] = ()
    """Ids of its droplets, oldest first, without the deleted."""

    @classmethod
    def from_row(cls, row: Mapping[Any, Any], droplets: Sequence[str]) -> Cluster:
        return cls(**row, droplets=tuple(droplets))

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "region": self.region,
            "droplets": list(self.droplets),
            "status": self.status,
            "last_checked": rfc3339(self.last_checked),
            "created_at": rfc3339(self.created_at),
            "updated_at": rfc3339(self.updated_at),
        }
