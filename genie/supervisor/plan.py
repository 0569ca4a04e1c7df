"""What should run: the one file that says an instance is wanted up.

Written by ``genie up``, removed by ``genie down`` before anything is stopped, so that no supervisor starts anything
again. Mode 600: environments hold database and Redis passwords.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clustergenie.settings import Home
from genie.supervisor.component import Component
from genie.supervisor.privatefiles import read_json, write_json


@dataclass(frozen=True)
class Plan:
    """The components of one instance, in the order they are started, and where its gateway is reached."""

    components: tuple[Component, ...]
    gateway_url: str = ""
    auth: bool = True

    @classmethod
    def read(cls, home: Home) -> Plan | None:
        """The plan of a home that is wanted up, else None."""
        body = read_json(_path(home))
        if body is None:
            return None
        components = tuple(Component.from_json(entry) for entry in body["components"])
        return cls(components, body["gateway_url"], body["auth"])

    def write(self, home: Home) -> None:
        components = [component.to_json() for component in self.components]
        write_json(
            _path(home), {"components": components, "gateway_url": self.gateway_url, "auth": self.auth}
        )

    @staticmethod
    def remove(home: Home) -> None:
        _path(home).unlink(missing_ok=True)


def _path(home: Home) -> Path:
    return home.run / "plan.json"
