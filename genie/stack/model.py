"""stack.yml as typed objects, and what is sent to the gateway for each function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clustergenie.settings import DEFAULT_NAMESPACE
from gateway.contract import FunctionDeployment, Resources

_NOT_SET = Resources()


@dataclass(frozen=True)
class StackFunction:
    """One entry below ``functions``; paths are absolute, files it names are read."""

    name: str
    image: str
    lang: str = ""
    handler: Path | None = None
    """Folder with the function's code; None for an image that is not built here."""
    fprocess: str = ""
    """Its own, else that of its template."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Inline values overlaid by those of ``environment_file``."""
    secrets: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    constraints: tuple[str, ...] = ()
    limits: Resources = _NOT_SET
    requests: Resources = _NOT_SET
    readonly_root_filesystem: bool = False
    namespace: str = ""
    skip_build: bool = False

    @property
    def is_built_here(self) -> bool:
        return not self.skip_build and self.handler is not None and bool(self.lang)

    def to_deployment(self) -> FunctionDeployment:
        return FunctionDeployment(
            service=self.name,
            image=self.image,
            namespace=self.namespace or DEFAULT_NAMESPACE,
            env_process=self.fprocess,
            env_vars=self.environment,
            constraints=self.constraints,
            secrets=self.secrets,
            labels=self.labels,
            annotations=self.annotations,
            limits=self.limits,
            requests=self.requests,
            read_only_root_filesystem=self.readonly_root_filesystem,
        )


@dataclass(frozen=True)
class TemplateSource:
    """An entry of ``configuration.templates``: where ``faas-cli template pull`` would get it."""

    name: str
    source: str = ""


@dataclass(frozen=True)
class Stack:
    """A whole stack.yml."""

    path: Path
    functions: Mapping[str, StackFunction]
    gateway: str = ""
    """``provider.gateway``; only faas-cli uses it."""
    copy: tuple[Path, ...] = ()
    """``configuration.copy``: laid into every handler's folder."""
    templates: tuple[TemplateSource, ...] = ()

    @property
    def folder(self) -> Path:
        """What relative paths in it are relative to."""
        return self.path.parent

    def template(self, function: StackFunction) -> Path:
        return self.folder / "template" / function.lang
