"""The OpenFaaS wire messages, one type each, free of behaviour beyond reading and writing JSON.

Field names, omissions and quirks follow the contract sheet, sections 4 to 8.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clustergenie.settings import DEFAULT_NAMESPACE

_NAME = re.compile(r"[A-Za-z0-9_.-]+\Z")
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")


class ContractError(ValueError):
    """A message does not follow the contract; the text says which field and what is accepted (answer: 400)."""


@dataclass(frozen=True, order=True)
class FunctionKey:
    """A function's full name. Its text form, used in metrics and file names, is ``name.namespace``."""

    name: str
    namespace: str = DEFAULT_NAMESPACE

    @classmethod
    def parse(cls, text: str, namespace: str = "") -> FunctionKey:
        """``name``, ``name.namespace`` (split at the last dot), or ``name`` with a separate namespace."""
        if not _NAME.match(text):
            raise ContractError(f"function name {text!r} is not valid; use letters, digits, '-', '_' and '.'")
        if namespace:
            return cls(text.removesuffix(f".{namespace}"), namespace)
        name, dot, suffix = text.rpartition(".")
        if dot and name and _NAMESPACE.match(suffix):
            return cls(name, suffix)
        return cls(text)

    def __str__(self) -> str:
        return f"{self.name}.{self.namespace}"


@dataclass(frozen=True)
class Resources:
    """Limits or requests: Kubernetes quantities as text (``128Mi``, ``100m``); empty = not set."""

    memory: str = ""
    cpu: str = ""

    def to_json(self) -> dict[str, str]:
        return {key: value for key, value in (("memory", self.memory), ("cpu", self.cpu)) if value}


@dataclass(frozen=True)
class FunctionDeployment:
    """What a client asks to run: the body of POST and PUT ``/system/functions`` and our stored desired state."""

    service: str
    image: str
    namespace: str = DEFAULT_NAMESPACE
    env_process: str = ""
    env_vars: Mapping[str, str] = field(default_factory=dict)
    constraints: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    limits: Resources = Resources()
    requests: Resources = Resources()
    read_only_root_filesystem: bool = False

    @property
    def key(self) -> FunctionKey:
        return FunctionKey(self.service, self.namespace)

    @classmethod
    def from_json(cls, body: object) -> FunctionDeployment:
        """Read a deploy body; raises :class:`ContractError` naming the field."""
        if not isinstance(body, dict):
            raise ContractError("the body must be a JSON object describing one function")
        key = FunctionKey.parse(_text(body, "service", required=True), _text(body, "namespace"))
        return cls(
            service=key.name,
            namespace=key.namespace,
            image=_text(body, "image", required=True),
            env_process=_text(body, "envProcess"),
            env_vars=_texts(body, "envVars"),
            constraints=_list(body, "constraints"),
            secrets=_list(body, "secrets"),
            labels=_texts(body, "labels"),
            annotations=_texts(body, "annotations"),
            limits=_resources(body, "limits"),
            requests=_resources(body, "requests"),
            read_only_root_filesystem=body.get("readOnlyRootFilesystem") is True,
        )

    def to_json(self) -> dict[str, Any]:
        """The message with zero values left out, as Go's ``omitempty`` does."""
        optional: dict[str, Any] = {
            "envProcess": self.env_process,
            "envVars": dict(self.env_vars),
            "constraints": list(self.constraints),
            "secrets": list(self.secrets),
            "labels": dict(self.labels),
            "annotations": dict(self.annotations),
            "limits": self.limits.to_json(),
            "requests": self.requests.to_json(),
            "readOnlyRootFilesystem": self.read_only_root_filesystem,
        }
        head = {"service": self.service, "image": self.image, "namespace": self.namespace}
        return head | {key: value for key, value in optional.items() if value}


def _text(body: Mapping[str, Any], key: str, *, required: bool = False) -> str:
    value = body.get(key)
    if value is None or value == "":
        if required:
            raise ContractError(f"{key} is required")
        return ""
    if not isinstance(value, str):
        raise ContractError(f"{key} must be a string")
    return value


def _texts(body: Mapping[str, Any], key: str) -> dict[str, str]:
    value = body.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise ContractError(f"{key} must be an object whose values are strings")
    return dict(value)


def _list(body: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = body.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ContractError(f"{key} must be a list of strings")
    return tuple(value)


def _resources(body: Mapping[str, Any], key: str) -> Resources:
    texts = _texts(body, key)
    return Resources(memory=texts.get("memory", ""), cpu=texts.get("cpu", ""))
