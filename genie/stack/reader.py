"""Reads stack.yml: substitution, YAML, types, defaults and the files it names (contract section 16)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gateway.contract import ContractError, FunctionKey, Resources
from genie.errors import StackError
from genie.stack.envsubst import substitute
from genie.stack.loading import load
from genie.stack.model import Stack, StackFunction, TemplateSource

#: Looked for in this order when no file is named.
DEFAULT_NAMES = ("stack.yaml", "stack.yml")
_DOCKERFILE = "dockerfile"


def find(folder: Path) -> Path | None:
    """The stack file of ``folder``, if it has one."""
    return next((folder / name for name in DEFAULT_NAMES if (folder / name).is_file()), None)


def read(path: Path | None = None, env: Mapping[str, str] = os.environ) -> Stack:
    """The stack in ``path`` (default: that of the working folder). Raises :class:`StackError`."""
    path = path or find(Path.cwd())
    if path is None:
        raise StackError(f"there is no {' or '.join(DEFAULT_NAMES)} in {Path.cwd()}; name one with -f")
    path = path.resolve()
    try:
        body = load(substitute(_text(path), env), path.name)
    except StackError as error:
        raise StackError(str(error) if path.name in str(error) else f"{path.name}, {error}") from error
    return _Reader(path, env).stack(_Node(body, path.name))


def selected(stack: Stack, names: Sequence[str]) -> list[StackFunction]:
    """The named functions, all without names; raises :class:`StackError` for one that is not there."""
    unknown = [name for name in names if name not in stack.functions]
    if unknown:
        there = ", ".join(stack.functions) or "none"
        raise StackError(f"{stack.path.name} has no function {', '.join(unknown)}; there are: {there}")
    return [stack.functions[name] for name in names or stack.functions]


class _Node:
    """A value and where it stands, so that every complaint names its place."""

    def __init__(self, value: Any, place: str) -> None:
        # An empty value ("labels:" with nothing after it) is written often and means: nothing.
        self._value = value or ""
        self._place = place

    def error(self, what: str) -> StackError:
        return StackError(f"{self._place} {what}")

    def get(self, key: str) -> _Node:
        return _Node(
            self._mapping().get(key),
            f"{self._place}: {key}" if ":" not in self._place else f"{self._place}.{key}",
        )

    def items(self) -> list[tuple[str, _Node]]:
        return [(str(key), self.get(key)) for key in self._mapping()]

    def text(self) -> str:
        if not isinstance(self._value, str):
            raise self.error("must be a text")
        return self._value

    def texts(self) -> dict[str, str]:
        return {key: node.text() for key, node in self.items()}

    def list(self) -> list[_Node]:
        if self._value == "":
            return []
        if not isinstance(self._value, list):
            raise self.error("must be a list")
        return [_Node(value, f"{self._place}[{index}]") for index, value in enumerate(self._value)]

    def flag(self) -> bool:
        words = {"": False, "false": False, "no": False, "off": False, "true": True, "yes": True, "on": True}
        text = self.text().lower()
        if text not in words:
            raise self.error(f"must be true or false, not {text!r}")
        return words[text]

    def _mapping(self) -> dict[str, Any]:
        if self._value == "":
            return {}
        if not isinstance(self._value, dict):
            raise self.error("must be a mapping of names to values")
        return self._value


class _Reader:
    def __init__(self, path: Path, env: Mapping[str, str]) -> None:
        self._folder = path.parent
        self._path = path
        self._env = env

    def stack(self, top: _Node) -> Stack:
        provider = top.get("provider").get("name")
        if provider.text() != "openfaas":
            raise provider.error("must be: openfaas")
        configuration = top.get("configuration")
        return Stack(
            path=self._path,
            functions={name: self._function(name, node) for name, node in top.get("functions").items()},
            gateway=top.get("provider").get("gateway").text(),
            copy=tuple(self._inside(node) for node in configuration.get("copy").list()),
            templates=tuple(
                TemplateSource(node.get("name").text(), node.get("source").text())
                for node in configuration.get("templates").list()
            ),
        )

    def _function(self, name: str, node: _Node) -> StackFunction:
        image, handler, lang = node.get("image"), node.get("handler").text(), node.get("lang").text()
        _check_name(name, node)
        if not image.text():
            raise image.error("is required")
        return StackFunction(
            name=name,
            image=_tagged(image.text()),
            lang=lang,
            handler=self._folder / handler if handler else None,
            fprocess=node.get("fprocess").text() or self._template_process(lang, node),
            environment=self._environment(node),
            secrets=_texts(node.get("secrets")),
            labels=node.get("labels").texts(),
            annotations=node.get("annotations").texts(),
            constraints=_texts(node.get("constraints")),
            limits=_resources(node.get("limits")),
            requests=_resources(node.get("requests")),
            readonly_root_filesystem=node.get("readonly_root_filesystem").flag(),
            namespace=node.get("namespace").text(),
            skip_build=node.get("skip_build").flag(),
        )

    def _template_process(self, lang: str, node: _Node) -> str:
        if not lang or lang.lower() == _DOCKERFILE:
            return ""
        template = self._folder / "template" / lang / "template.yml"
        if not template.is_file():
            raise node.error(
                f"has lang {lang}, but there is no {template.relative_to(self._folder)}; see ls template"
            )
        return _Node(load(_text(template), str(template)), template.name).get("fprocess").text()

    def _environment(self, node: _Node) -> dict[str, str]:
        values = node.get("environment").texts()
        for file in node.get("environment_file").list():
            path = self._folder / file.text()
            if not path.is_file():
                raise file.error(f"names {file.text()}, which does not exist")
            values |= (
                _Node(load(substitute(_text(path), self._env), path.name), path.name)
                .get("environment")
                .texts()
            )
        return values

    def _inside(self, node: _Node) -> Path:
        path = (self._folder / node.text()).resolve()
        if not path.is_relative_to(self._folder):
            raise node.error("lies outside the project; only paths inside it are copied")
        if not path.exists():
            raise node.error(f"names {node.text()}, which does not exist")
        return path


def _check_name(name: str, node: _Node) -> None:
    try:
        FunctionKey.parse(name)
    except ContractError as error:
        raise node.error(f"cannot be deployed: {error}") from error


def _texts(node: _Node) -> tuple[str, ...]:
    return tuple(item.text() for item in node.list())


def _resources(node: _Node) -> Resources:
    return Resources(memory=node.get("memory").text(), cpu=node.get("cpu").text())


def _tagged(image: str) -> str:
    # A colon before the last slash belongs to the registry's port.
    has_tag = ":" in image.rpartition("/")[2] or "@" in image
    return image if has_tag else f"{image}:latest"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise StackError(f"{path} does not exist; name another file with -f") from None
    except (OSError, UnicodeDecodeError) as error:
        raise StackError(f"{path} cannot be read: {error}") from error
