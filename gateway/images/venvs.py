"""Virtual environments of functions with requirements of their own, one per set of requirements.

Such a venv sees the default packages through a ``.pth`` file; what pip installs into it comes first on the path.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

_MARKER = ".complete"


class VenvError(Exception):
    """pip could not install a function's requirements; the text ends with what pip said."""


class MissingVenvError(Exception):
    """The venv of these requirements was not made here (or for another Python); the text says how."""

    def __init__(self, requirements: Sequence[str]) -> None:
        listed = ", ".join(requirements)
        super().__init__(f"the packages {listed} are not installed here; install them with: genie build")


class VenvStore:
    """The venvs below ``root`` (``home.venvs``)."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def python(self, requirements: Sequence[str]) -> Path:
        """The interpreter that has ``requirements``: this one for none; raises :class:`MissingVenvError`."""
        if not requirements:
            return Path(sys.executable)
        folder = self._root / key(requirements)
        if not (folder / _MARKER).exists():
            raise MissingVenvError(requirements)
        return folder / "bin" / "python"

    def prepare(self, requirements: Sequence[str], progress: Callable[[str], None] = lambda _: None) -> Path:
        """Make the venv if it is not there; ``progress`` gets pip's lines. Raises :class:`VenvError`."""
        if not requirements:
            return Path(sys.executable)
        folder = self._root / key(requirements)
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._root / f"{folder.name}.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / _MARKER).exists():
                _make(folder, requirements, progress)
        return folder / "bin" / "python"


def key(requirements: Sequence[str]) -> str:
    """Same requirements on the same Python, the same venv."""
    text = "\n".join([sys.version, sys.prefix, *sorted(requirements)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _make(folder: Path, requirements: Sequence[str], progress: Callable[[str], None]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=False, symlinks=True)
    _show_default_packages(folder)
    _install(folder / "bin" / "python", requirements, progress)
    (folder / _MARKER).touch()


def _show_default_packages(folder: Path) -> None:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    paths = [path for path in sys.path if path and Path(path).is_dir() and _is_ours(path)]
    site = folder / "lib" / version / "site-packages"
    (site / "clustergenie-default-packages.pth").write_text("\n".join(paths) + "\n", encoding="utf-8")


def _is_ours(path: str) -> bool:
    # The standard library comes with the venv's own interpreter.
    return not path.startswith(sys.base_prefix) or path.endswith("-packages")


def _install(python: Path, requirements: Sequence[str], progress: Callable[[str], None]) -> None:
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-input",
               "--disable-pip-version-check", "--progress-bar=off", *requirements]  # fmt: skip
    lines: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:  # noqa: S603 - our own command, requirements are the function's
        for line in pip.stdout or ():
            lines.append(line.rstrip())
            progress(lines[-1])
    if pip.returncode:
        said = "\n".join(lines[-8:])
        raise VenvError(
            f"cannot install {', '.join(requirements)}; check requirements.txt. pip said:\n{said}"
        )
