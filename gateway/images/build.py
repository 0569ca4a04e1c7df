"""Assembling a function as ``faas-cli build`` does: the template, and the handler's folder laid over ``function/``."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import py_compile
import re
import shutil
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from gateway.images.store import Bundle, ImageStore

#: Changes when the same sources give another bundle.
_FORMAT = f"1 {sys.implementation.cache_tag}"
_SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules"})
#: Folders in a handler that faas-cli leaves out, at its top only.
_SKIPPED_HANDLER_FOLDERS = frozenset({"build", "template"})


class BuildError(Exception):
    """A function cannot be assembled; the text names the file or folder and the remedy."""


@dataclass(frozen=True)
class Template:
    """What ``template.yml`` says. ``handler_folder`` is where the handler is laid."""

    language: str
    handler_folder: str

    @classmethod
    def read(cls, folder: Path) -> Template:
        try:
            text = (folder / "template.yml").read_text(encoding="utf-8")
        except FileNotFoundError:
            raise BuildError(
                f"{folder} is not a template (no template.yml); check lang in stack.yml"
            ) from None
        try:
            entries = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise BuildError(f"{folder / 'template.yml'} is not valid YAML: {error}") from error
        entries = entries if isinstance(entries, dict) else {}
        return cls(folder.name, str(entries.get("handler_folder") or "function"))


def build(
    store: ImageStore, *, image: str, template: Path, handler: Path, extra: Mapping[str, Path] | None = None
) -> Bundle:
    """Assemble ``handler`` with ``template`` and let ``image`` point to the result.

    ``template`` is the folder ``template/LANG``, ``handler`` the function's own folder; ``extra`` are further files or
    folders by their path below the handler's folder (``configuration.copy``, ``--copy-extra``). Nothing is written
    when nothing changed. Raises :class:`BuildError`.
    """
    described = Template.read(template)
    files = assemble(template, described.handler_folder, handler, extra or {})
    digest = digest_of(files)
    requirements = _own_requirements(files, described.handler_folder)
    bundle = Bundle(store.bundle_path(digest), digest, described.language, requirements)
    with store.changing():
        if not bundle.path.is_dir():
            with store.adding(digest) as folder:
                _write(files, folder, final=bundle.path)
        store.point(image, bundle)
    return bundle


def assemble(
    template: Path, handler_folder: str, handler: Path, extra: Mapping[str, Path]
) -> dict[str, Path]:
    """Path in the bundle → source file, in sorted order. Later layers win: template, handler, extra."""
    if not handler.is_dir():
        raise BuildError(f"the handler folder {handler} does not exist; check handler in stack.yml")
    files = dict(_files(template))
    for path, source in _files(handler):
        if path.partition("/")[0] not in _SKIPPED_HANDLER_FOLDERS or "/" not in path:
            files[f"{handler_folder}/{path}"] = source
    for place, source in extra.items():
        files.update(_extra(f"{handler_folder}/{place.strip('/')}", source))
    return dict(sorted(files.items()))


def _extra(place: str, source: Path) -> Iterator[tuple[str, Path]]:
    if source.is_file():
        yield place, source
    elif source.is_dir():
        yield from ((f"{place}/{path}", file) for path, file in _files(source))
    else:
        raise BuildError(f"{source} does not exist; check configuration.copy in stack.yml")


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if f not in _SKIPPED_FOLDERS and not f.startswith("."))
        for name in sorted(names):
            path = Path(root, name)
            if not name.startswith(".") and not name.endswith(".pyc") and path.is_file():
                yield path.relative_to(folder).as_posix(), path


def digest_of(files: Mapping[str, Path]) -> str:
    """SHA-256 over path, executable bit and content of every file, each preceded by its length."""
    digest = hashlib.sha256(_FORMAT.encode())
    for path, source in files.items():
        content = hashlib.sha256(source.read_bytes()).digest()
        name = os.fsencode(path)
        digest.update(b"%d:%s:%d:" % (len(name), name, _is_executable(source)) + content)
    return digest.hexdigest()


def _is_executable(file: Path) -> bool:
    return bool(file.stat().st_mode & stat.S_IXUSR)


def _write(files: Mapping[str, Path], folder: Path, final: Path) -> None:
    for path, source in files.items():
        target = folder / path
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        target.chmod(0o500 if _is_executable(source) else 0o400)
        if target.suffix == ".py":
            _compile(target, final / path)


def _compile(file: Path, final: Path) -> None:
    # Unchecked: a bundle never changes, so the import need not look at the source at all. A file with a syntax error
    # may be data of the function; if it is imported, the import says what is wrong.
    try:
        py_compile.compile(
            str(file),
            cfile=importlib.util.cache_from_source(str(file)),
            dfile=str(final),
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
    except py_compile.PyCompileError as error:
        if file.name in ("handler.py", "index.py"):
            raise BuildError(f"{file.name} does not compile: {error.exc_value}") from error


def _own_requirements(files: Mapping[str, Path], handler_folder: str) -> tuple[str, ...]:
    # Only what the template does not bring: those packages are in every worker already. A different pin counts.
    template = _requirement_lines(files.get("requirements.txt"))
    brought = {*template, *(_project(line) for line in template)}
    own = _requirement_lines(files.get(f"{handler_folder}/requirements.txt"))
    return tuple(line for line in own if line not in brought and line.lower() not in brought)


def _requirement_lines(file: Path | None) -> Sequence[str]:
    if file is None:
        return ()
    text = file.read_text(encoding="utf-8")
    lines = (line.partition(" #")[0].strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _project(line: str) -> str:
    """``Flask[async]>=3`` → ``flask``."""
    return re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0].lower().replace("_", "-")
