"""What a handler is given and what it gives back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol

import orjson
from sqlalchemy import Engine
from typing_extensions import TypeVar

from clustergenie.clock import Clock
from clustergenie.errors import StaleError
from clustergenie.events import Event
from clustergenie.http._runtime import Runtime
from clustergenie.identity import Identity
from clustergenie.logs.enrich import LogRecord
from clustergenie.logs.lines import Log
from clustergenie.origin import Origin

BodyT = TypeVar("BodyT", default=None)
QueryT = TypeVar("QueryT", default=None)


class HttpEvent(Protocol):
    """The ``event`` of the python3-http template."""

    body: bytes
    headers: Mapping[str, str]
    """Names in any case."""
    method: str
    query: Any
    """A multi-dict: ``items()`` gives the first value of each name."""
    path: str


@dataclass(frozen=True)
class Call:
    """What every call has, whoever made it."""

    runtime: Runtime
    identity: Identity
    call_id: str
    traceparent: str

    @property
    def db(self) -> Engine:
        """The database; raises UnavailableError when this function was not given its secret."""
        return self.runtime.engine

    @property
    def clock(self) -> Clock:
        return self.runtime.clock

    @property
    def log(self) -> Log:
        """The place that keeps log lines."""
        return self.runtime.log

    @property
    def origin(self) -> Origin:
        """Who is behind a change made in this call, and in which trace."""
        return Origin(self.identity.subject, self.traceparent)


@dataclass(frozen=True)
class Request(Call, Generic[BodyT, QueryT]):
    """A request that was let in: the role is checked, ``body`` and ``query`` fit their schemas."""

    method: str
    body: BodyT
    query: QueryT
    parameters: Mapping[str, str]
    """Values of the ``{name}`` segments of the path."""
    if_match: str | None

    def check_version(self, version: int) -> None:
        """Raise StaleError unless ``If-Match`` is absent or names ``version``."""
        if self.if_match is None or self.if_match.strip() == "*":
            return
        if etag(version) not in [tag.strip() for tag in self.if_match.split(",")]:
            raise StaleError(f"it was changed since you read it and is now {etag(version)}; read it again")


@dataclass(frozen=True)
class Delivery(Call):
    """One event, delivered at least once."""

    event: Event


@dataclass(frozen=True)
class RecordBatch(Call):
    """Records of ``logs.*`` topics, in their order."""

    records: Sequence[LogRecord]

    def __iter__(self) -> Iterator[LogRecord]:
        return iter(self.records)


@dataclass(frozen=True)
class Reply:
    """``location`` is the path of what was made or accepted; ``version`` becomes the ETag."""

    status: int
    body: Mapping[str, Any]
    location: str | None = None
    version: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def answer(self, call_id: str) -> dict[str, Any]:
        """As the template expects it."""
        headers = {"Content-Type": "application/json", "X-Request-Id": call_id, **self.headers}
        if self.location is not None:
            headers["Location"] = self.location
        if self.version is not None:
            headers["ETag"] = etag(self.version)
        return {"statusCode": self.status, "body": orjson.dumps(self.body).decode(), "headers": headers}


def etag(version: int) -> str:
    return f'"{version}"'
