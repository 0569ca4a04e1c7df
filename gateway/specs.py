"""Desired state on disk: one JSON file per deployed function, written so that a kill leaves the old or the new one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import orjson

from gateway.contract import FunctionDeployment, FunctionKey


class CorruptSpecError(Exception):
    """A stored function cannot be read; the text names the file."""


@dataclass(frozen=True)
class StoredFunction:
    deployment: FunctionDeployment
    created_at: float
    """Unix seconds of the first deploy."""


class SpecStore:
    """Functions below one folder (``Home.functions``)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self) -> list[StoredFunction]:
        """All stored functions, by name. Raises :class:`CorruptSpecError`."""
        return [_read(path) for path in sorted(self._folder.glob("*.json"))]

    def save(self, stored: StoredFunction) -> None:
        """Durable when it returns."""
        text = orjson.dumps({"created_at": stored.created_at, "deployment": stored.deployment.to_json()})
        path = self._path(stored.deployment.key)
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        self._sync_folder()

    def delete(self, key: FunctionKey) -> None:
        self._path(key).unlink(missing_ok=True)
        self._sync_folder()

    def _path(self, key: FunctionKey) -> Path:
        return self._folder / f"{key}.json"

    def _sync_folder(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _read(path: Path) -> StoredFunction:
    try:
        content = orjson.loads(path.read_bytes())
        return StoredFunction(
            FunctionDeployment.from_json(content["deployment"]), float(content["created_at"])
        )
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptSpecError(
            f"{path} cannot be read ({error}); delete it and deploy the function again"
        ) from error
