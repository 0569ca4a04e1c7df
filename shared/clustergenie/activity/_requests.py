from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, StringConstraints

from clustergenie.fields import Id
from clustergenie.queries import ListQuery

EventType = Annotated[str, StringConstraints(pattern=r"^[a-z_]+\.[a-z_]+$", max_length=64)]


class ListActivity(ListQuery):
    type: EventType | None = None
    subject: Id | None = None
    job_id: Id | None = None
    cluster_id: Id | None = None
    since: AwareDatetime | None = None


class JobEvents(ListQuery):
    """The events of one job, oldest first unless asked otherwise."""

    sort_dir: Literal["asc", "desc"] = "asc"
    type: EventType | None = None
