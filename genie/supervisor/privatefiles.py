"""Small files that only the owner may read and that are replaced at once: a reader sees the old or the new content."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def read_json(path: Path) -> Any:
    """The file's content; None when there is no such file or it is not JSON (a disk that was full)."""
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def write_json(path: Path, body: Mapping[str, Any]) -> None:
    write_text(path, json.dumps(body))


def write_text(path: Path, text: str) -> None:
    """Mode 600, whatever the umask says."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)
