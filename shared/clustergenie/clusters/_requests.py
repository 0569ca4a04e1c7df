"""What may be asked about clusters."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, field_validator

from clustergenie.fields import Name, Region, RequestBody, SearchText
from clustergenie.queries import ListQuery

Status = Literal["healthy", "warning", "critical"]


class CreateCluster(RequestBody):
    name: Name
    region: Region


class UpdateCluster(RequestBody):
    """What is absent, null or empty is kept."""

    name: Name | None = None
    region: Region | None = None
    status: Status | None = None

    @field_validator("*", mode="before")
    @classmethod
    def _empty_keeps(cls, value: object) -> object:
        return None if value == "" else value

    @property
    def changes(self) -> dict[str, str]:
        return self.model_dump(exclude_none=True)


class DeleteCluster(BaseModel):
    force: bool = False
    """Delete also what the cluster holds."""


class ListClusters(ListQuery):
    status: Status | None = None
    region: Region | None = None
    q: SearchText | None = None
    """Part of the name, in any case."""
    sort_by: Literal["created_at", "updated_at", "last_checked", "name", "region", "status", "id"] = (
        "created_at"
    )
