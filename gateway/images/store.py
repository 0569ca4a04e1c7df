"""Images without Docker: content-addressed bundles and the names that point to them.

Below the store's root: ``bundles/<digest>/`` (immutable once there), ``names/<quoted image>.json`` (the pointer) and
``tmp/`` (bundles being made). Every change is a rename, so that a killed build leaves the previous image in place.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

#: Unfinished builds older than this are left over from a killed one, in seconds.
ABANDONED_AFTER_SECONDS = 3600


class UnknownImageError(Exception):
    """No image of this name was built here; the text says how to build it."""

    def __init__(self, image: str) -> None:
        super().__init__(
            f"image {image} is not known here; build it with: genie build (or genie build -f STACK.yml)"
        )
        self.image = image


@dataclass(frozen=True)
class Bundle:
    """One built function."""

    path: Path
    """Folder with ``index.py`` and ``function/``; never changes."""
    digest: str
    """SHA-256 over names, modes and contents, in hex."""
    language: str
    """The template's name: ``python3-http``."""
    requirements: tuple[str, ...] = ()
    """Lines of the function's ``requirements.txt`` that the template does not have; empty = the default packages do."""


def normalise(image: str) -> str:
    """``hello`` → ``hello:latest``; a tag or digest that is there stays (a registry's port is not a tag)."""
    last = image.rpartition("/")[2]
    return image if ":" in last or "@" in last else f"{image}:latest"


class ImageStore:
    """The images of one instance; ``root`` is ``home.images``. Safe for several processes at once."""

    def __init__(self, root: Path) -> None:
        self._bundles = root / "bundles"
        self._names = root / "names"
        self._temporary = root / "tmp"
        self._lock = root / ".lock"

    def resolve(self, image: str) -> Bundle:
        """What ``image`` points to now; raises :class:`UnknownImageError`."""
        try:
            entry = json.loads(self._name_file(image).read_bytes())
        except FileNotFoundError:
            raise UnknownImageError(normalise(image)) from None
        path = self._bundles / entry["digest"]
        if not path.is_dir():
            raise UnknownImageError(normalise(image))
        return Bundle(path, entry["digest"], entry["language"], tuple(entry["requirements"]))

    def names(self) -> list[str]:
        """All image names, sorted."""
        return sorted(unquote(file.stem) for file in self._name_files())

    def bundle_path(self, digest: str) -> Path:
        """Where the bundle of ``digest`` lies, or will lie."""
        return self._bundles / digest

    def point(self, image: str, bundle: Bundle) -> None:
        """Let ``image`` mean ``bundle`` from now on. Writes nothing when it already does."""
        entry = {
            "image": normalise(image),
            "digest": bundle.digest,
            "language": bundle.language,
            "requirements": list(bundle.requirements),
        }
        file, text = self._name_file(image), json.dumps(entry).encode()
        with contextlib.suppress(FileNotFoundError):
            if file.read_bytes() == text:
                return
        self._names.mkdir(mode=0o700, parents=True, exist_ok=True)
        _replace(file, text)

    def forget(self, image: str) -> None:
        """Remove a name; its bundle goes with the next :meth:`collect_garbage`. Unknown names are no error."""
        self._name_file(image).unlink(missing_ok=True)

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Held while a bundle is added and named, so that garbage collection does not take it in between."""
        self._lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._lock.open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def adding(self, digest: str) -> Iterator[Path]:
        """An empty folder that becomes the bundle of ``digest`` when the block ends without an error."""
        folder = self._temporary / f"{os.getpid()}-{digest[:16]}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
        self._bundles.mkdir(mode=0o700, exist_ok=True)
        try:
            yield folder
            folder.rename(self._bundles / digest)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def collect_garbage(self, in_use: Collection[str] = ()) -> list[str]:
        """Delete bundles that no name points to and whose digest is not ``in_use``; answers the deleted digests."""
        with self.changing():
            keep = {json.loads(file.read_bytes())["digest"] for file in self._name_files()} | set(in_use)
            gone = sorted({folder.name for folder in _children(self._bundles)} - keep)
            for digest in gone:
                shutil.rmtree(self._bundles / digest)
            for folder in _children(self._temporary):
                if folder.stat().st_mtime < time.time() - ABANDONED_AFTER_SECONDS:
                    shutil.rmtree(folder, ignore_errors=True)
        return gone

    def _name_file(self, image: str) -> Path:
        return self._names / f"{quote(normalise(image), safe='')}.json"

    def _name_files(self) -> list[Path]:
        return [file for file in _children(self._names) if file.suffix == ".json"]


def _children(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _replace(file: Path, text: bytes) -> None:
    temporary = file.with_suffix(f".{os.getpid()}.tmp")
    with temporary.open("wb") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(file)
