"""``genie new``: a function's folder from a template, and its lines in stack.yml.

The lines are put in as text, because a YAML library would rewrite the file and lose its comments; the result is read
back, and the file is restored when the function is not in it.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from genie.errors import GenieError, StackError
from genie.stack import reader

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
_TOP_LEVEL = re.compile(r"^[^\s#]", re.MULTILINE)
_FUNCTIONS = re.compile(r"^functions:[ \t]*(\{[ \t]*\}[ \t]*)?(#.*)?$", re.MULTILINE)
_ENTRY = re.compile(r"^( +)[^\s#-]", re.MULTILINE)
_NEW_STACK = "version: 1.0\nprovider:\n  name: openfaas\n  gateway: http://127.0.0.1:8080\n\nfunctions:\n"


@dataclass(frozen=True)
class Scaffolded:
    """What was made, relative to the project's folder."""

    handler: Path
    stack_file: Path


def scaffold(project: Path, name: str, lang: str, stack_file: Path | None) -> Scaffolded:
    """Make ``functions/NAME`` and add it to the stack file. Raises :class:`GenieError`; then nothing was changed."""
    if not _NAME.match(name):
        raise GenieError(
            f"{name!r} is not a function name; use lower-case letters, digits and dashes, at most 63"
        )
    code, handler = _template_code(project, lang), project / "functions" / name
    if handler.exists():
        raise GenieError(f"{handler.relative_to(project)} exists; choose another name or delete it")
    path = stack_file or reader.find(project) or project / reader.DEFAULT_NAMES[-1]
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    relative = os.path.relpath(handler, path.resolve().parent)
    after = with_function(before or _NEW_STACK, name, lang, f"./{relative}")
    shutil.copytree(code, handler, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    try:
        path.write_text(after, encoding="utf-8")
        _check(path, name)
    except BaseException:
        shutil.rmtree(handler)
        path.write_text(before, encoding="utf-8") if before else path.unlink(missing_ok=True)
        raise
    return Scaffolded(Path("functions", name), Path(os.path.relpath(path, project)))


def with_function(text: str, name: str, lang: str, handler: str) -> str:
    """``text`` of a stack file with one more entry at the end of its ``functions``."""
    found = _FUNCTIONS.search(text)
    if found is None:
        raise StackError("there is no line 'functions:' in the stack file; add one, then run it again")
    if found[1]:  # "functions: {}" cannot have lines below it
        comment = " " if found[2] else ""
        text = text[: found.start(1)].rstrip() + comment + text[found.end(1) :]
        found = _FUNCTIONS.search(text)
        assert found is not None  # noqa: S101 - the braces were all that was taken away
    end = _end_of_block(text, found.end())
    entry = _entry(text[found.end() : end], name, lang, handler)
    head, tail = text[:end].rstrip("\n"), text[end:]
    return f"{head}\n{entry}" + (f"\n{tail}" if tail else "")


def _end_of_block(text: str, start: int) -> int:
    found = _TOP_LEVEL.search(text, start)
    if found is None:
        return len(text)
    # Comments directly above the next key belong to that key.
    lines = text[: found.start()].splitlines(keepends=True)
    while lines and lines[-1].startswith("#"):
        lines.pop()
    return len("".join(lines))


def _entry(block: str, name: str, lang: str, handler: str) -> str:
    found = _ENTRY.search(block)
    indent = found[1] if found else "  "
    gap = "\n" if re.search(r"\n[ \t]*\n", block.strip("\n")) else ""
    lines = [
        f"{name}:",
        f"{indent}lang: {lang}",
        f"{indent}handler: {handler}",
        f"{indent}image: {name}:latest",
    ]
    return gap + "".join(f"{indent}{line}\n" for line in lines)


def _template_code(project: Path, lang: str) -> Path:
    template = project / "template" / lang
    if not (template / "template.yml").is_file():
        there = ", ".join(sorted(path.parent.name for path in project.glob("template/*/template.yml")))
        raise GenieError(f"there is no template/{lang}; there are: {there or 'none'}")
    return template / "function"


def _check(path: Path, name: str) -> None:
    if name not in reader.read(path).functions:
        raise StackError(f"{path.name} could not be extended; add the function to it by hand")
