"""What the replicas of one revision of a function have in common; made, and checked, at deploy time."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets as randomness
import shutil
from dataclasses import dataclass
from pathlib import Path

from gateway.contract import FunctionDeployment
from gateway.durations import parse_seconds
from gateway.images import Bundle, ImageStore, MissingVenvError, UnknownImageError, VenvStore
from gateway.providers.base import DeployError
from gateway.providers.process.template import essential_environment
from gateway.secrets import SecretError, SecretStore

#: Longest wait for requests in flight when a replica is replaced and the function has no ``exec_timeout``, in seconds.
DEFAULT_DRAIN_SECONDS = 60.0
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)([kKMGT]i?)?\Z")
_FACTORS = {
    "": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12,
    "Ki": 2**10, "ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40,
}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """One revision. ``folder`` is private to it and goes with its last replica."""

    deployment: FunctionDeployment
    bundle: Bundle
    python: Path
    revision: str
    """Digest of everything that makes replicas differ, the secrets' contents included."""
    folder: Path
    memory_bytes: int | None
    drain_seconds: float

    @property
    def secrets_folder(self) -> Path:
        return self.folder / "secrets"

    def environment(self, replica: str, work_folder: Path) -> dict[str, str]:
        """All that a worker has in its environment."""
        own = {
            **essential_environment(),
            "HOME": str(work_folder),
            "TMPDIR": str(work_folder),
            "HOSTNAME": replica,
            "OPENFAAS_NAME": self.deployment.service,
            "OPENFAAS_NAMESPACE": self.deployment.namespace,
            "secret_mount_path": str(self.secrets_folder),
        }
        if self.deployment.env_process:
            own["fprocess"] = self.deployment.env_process
        return own | dict(self.deployment.env_vars)

    def discard(self) -> None:
        """Remove the folder with the secrets."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Planner:
    """Makes plans below ``folder``; every reason not to deploy is found here, before anything changes."""

    def __init__(self, folder: Path, images: ImageStore, venvs: VenvStore, secrets: SecretStore) -> None:
        self._folder = folder
        self._images = images
        self._venvs = venvs
        self._secrets = secrets

    def plan(self, deployment: FunctionDeployment) -> Plan:
        """Raises :class:`DeployError`. Writes nothing: see :meth:`prepare`."""
        bundle = self._bundle(deployment)
        revision = _digest(deployment, bundle, self._values(deployment))
        return Plan(
            deployment=deployment,
            bundle=bundle,
            python=self._python(deployment, bundle),
            revision=revision,
            folder=self._folder / f"{revision[:12]}-{randomness.token_hex(4)}",
            memory_bytes=_memory_bytes(deployment),
            drain_seconds=_drain_seconds(deployment),
        )

    def prepare(self, plan: Plan) -> None:
        """Make the plan's folder with its secrets as files that only the owner reads."""
        plan.secrets_folder.mkdir(mode=0o700, parents=True)
        for name, value in self._values(plan.deployment).items():
            file = plan.secrets_folder / name
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
            with os.fdopen(descriptor, "wb") as out:
                out.write(value)

    def _bundle(self, deployment: FunctionDeployment) -> Bundle:
        try:
            bundle = self._images.resolve(deployment.image)
        except UnknownImageError as error:
            raise DeployError(str(error)) from error
        if not (bundle.path / "index.py").is_file():
            raise DeployError(
                f"image {deployment.image} (template {bundle.language}) has no index.py and cannot run as a process; "
                "use a python3 template, or GENIE_PROVIDER=docker"
            )
        return bundle

    def _python(self, deployment: FunctionDeployment, bundle: Bundle) -> Path:
        try:
            return self._venvs.python(bundle.requirements)
        except MissingVenvError as error:
            raise DeployError(f"{deployment.service}: {error}") from error

    def _values(self, deployment: FunctionDeployment) -> dict[str, bytes]:
        try:
            return {name: self._secrets.read(name, deployment.namespace) for name in deployment.secrets}
        except SecretError as error:
            raise DeployError(f"{deployment.service}: {error}") from error


def _digest(deployment: FunctionDeployment, bundle: Bundle, values: dict[str, bytes]) -> str:
    digest = hashlib.sha256(json.dumps(deployment.to_json(), sort_keys=True).encode())
    digest.update(bundle.digest.encode())
    for name, value in sorted(values.items()):
        digest.update(name.encode() + hashlib.sha256(value).digest())
    return digest.hexdigest()


def _memory_bytes(deployment: FunctionDeployment) -> int | None:
    text = deployment.limits.memory
    if not text:
        return None
    match = _QUANTITY.match(text)
    if match is None:
        raise DeployError(
            f"{deployment.service}: limits.memory {text!r} is not a quantity; write it like 128Mi"
        )
    return int(float(match[1]) * _FACTORS[match[2] or ""])


def _drain_seconds(deployment: FunctionDeployment) -> float:
    text = deployment.env_vars.get("exec_timeout", "")
    if not text:
        return DEFAULT_DRAIN_SECONDS
    try:
        return parse_seconds(text) or DEFAULT_DRAIN_SECONDS
    except ValueError as error:
        raise DeployError(f"{deployment.service}: exec_timeout {error}") from error
