"""Query parameters that every list shares."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from clustergenie.db import Page, Paging

#: Largest page a client may ask for, in rows.
MAX_PAGE_SIZE = 200
_LAST_PAGE = 1_000_000


class ListQuery(BaseModel):
    """``page`` and ``page_size``, or ``cursor``; subclasses add filters and say what can be sorted by."""

    model_config = ConfigDict(frozen=True, str_strip_whitespace=True)
    DEFAULT_PAGE_SIZE: ClassVar[int] = 50

    page: Annotated[int, Field(ge=1, le=_LAST_PAGE)] = 1
    page_size: Annotated[int | None, Field(ge=1, le=MAX_PAGE_SIZE)] = None
    cursor: Annotated[str | None, Field(max_length=1024)] = None
    sort_dir: Literal["asc", "desc"] = "desc"

    @property
    def size(self) -> int:
        return self.page_size or self.DEFAULT_PAGE_SIZE

    def paging(self, sort_by: str = "created_at") -> Paging:
        return Paging(self.page, self.size, self.cursor, sort_by, descending=self.sort_dir == "desc")

    def envelope(self, found: Page) -> dict[str, int | str | None]:
        """What stands beside the rows. With a cursor there is no page number to give."""
        page = None if self.cursor else self.page
        return {"page": page, "page_size": self.size, "total": found.total, "next_cursor": found.next_cursor}
