"""What a decorated handler answers to, for its manifest (``stack.yml``) to be compared with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from pydantic import BaseModel

from clustergenie.http.errors import NoSuchPathError
from clustergenie.identity import Role

_NAME = re.compile(r"\\\{(\w+)\\\}")


@dataclass(frozen=True)
class Spec:
    """``methods`` and ``path`` of an endpoint, ``topic`` of a subscriber; ``role`` of either."""

    role: Role
    methods: tuple[str, ...] = ("POST",)
    path: str = ""
    topic: str = ""
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None

    @cached_property
    def static_path(self) -> str:
        """The path up to its first ``{name}``: what the gateway takes off."""
        return self.path.partition("/{")[0]

    def parameters(self, path: str) -> Mapping[str, str]:
        """Values of the ``{name}`` segments; ``path`` may be whole or what follows :attr:`static_path`."""
        rest = path.removeprefix(self.static_path) if path.startswith(self.static_path) else path
        found = self._rest.fullmatch(rest.rstrip("/"))
        if found is None:
            raise NoSuchPathError(f"there is nothing at {path}; use {self.path}")
        return found.groupdict()

    @cached_property
    def _rest(self) -> re.Pattern[str]:
        escaped = re.escape(self.path.removeprefix(self.static_path))
        return re.compile(_NAME.sub(r"(?P<\1>[^/]+)", escaped))
