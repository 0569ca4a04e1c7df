"""Where an instance lives and what it talks to, read once from the environment.

Every program (gateway, triggers, genie) starts by calling :meth:`Settings.from_env`; nothing else reads
``GENIE_*`` or the ``*_URL`` variables. Unset means embedded (architecture, section 3).
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: TCP port of the gateway when ``GENIE_PORT`` is unset.
DEFAULT_PORT = 8080
#: The namespace a function without a namespace lives in (OpenFaaS's own default).
DEFAULT_NAMESPACE = "openfaas-fn"
#: Longest Unix socket path that every supported system accepts, in bytes (macOS 104, Linux 108, minus the NUL).
_MAX_SOCKET_PATH_BYTES = 103
#: Room kept for a socket's file name below :attr:`Home.sockets`, in bytes.
_SOCKET_NAME_BYTES = 40
_LAST_PORT = 65535
_PROVIDERS = ("process", "docker", "kubernetes")


class SettingsError(ValueError):
    """An environment variable has a value that cannot be used; the message names it and what is accepted."""


@dataclass(frozen=True)
class Home:
    """The folders of one instance (``GENIE_HOME``). All state is below; deleting it deletes the instance."""

    root: Path

    @property
    def secrets(self) -> Path:
        """Generated credentials and keys, one file each, mode 600."""
        return self.root / "secrets"

    @property
    def run(self) -> Path:
        """Locks and pid files of running processes; worthless after a reboot."""
        return self.root / "run"

    @property
    def sockets(self) -> Path:
        """Unix sockets. Below :attr:`run`, or in a private temporary folder when that path would be too long."""
        below_home = self.run / "s"
        if len(os.fsencode(below_home)) + _SOCKET_NAME_BYTES <= _MAX_SOCKET_PATH_BYTES:
            return below_home
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"genie-{os.getuid()}-{digest}"

    @property
    def functions(self) -> Path:
        """Desired state: one JSON file per deployed function."""
        return self.root / "functions"

    @property
    def function_secrets(self) -> Path:
        """Secrets of functions: ``<namespace>/<name>``, mode 600."""
        return self.root / "function-secrets"

    @property
    def images(self) -> Path:
        """Content-addressed function bundles and the names that point to them."""
        return self.root / "images"

    @property
    def venvs(self) -> Path:
        """Virtual environments of functions with their own requirements, one per requirements digest."""
        return self.root / "venvs"

    @property
    def data(self) -> Path:
        """The embedded database and log store."""
        return self.root / "data"

    @property
    def broker(self) -> Path:
        """Segment files of the embedded broker."""
        return self.root / "broker"

    @property
    def logs(self) -> Path:
        """``<component>.log`` of each process and ``functions/<name>.<namespace>/<replica>.jsonl``."""
        return self.root / "logs"

    def create(self) -> None:
        """Make every folder, readable by the owner only. Safe to call again."""
        for folder in (
            self.root, self.secrets, self.run, self.sockets, self.functions, self.function_secrets,
            self.images, self.venvs, self.data, self.broker, self.logs, self.logs / "functions",
        ):  # fmt: skip
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_foreign_folder(self.sockets)


def _refuse_foreign_folder(folder: Path) -> None:
    # The socket folder may lie in a world-writable /tmp, where somebody else could have made it first.
    if folder.stat().st_uid != os.getuid():
        raise SettingsError(
            f"{folder} belongs to another user; remove it or set TMPDIR to a folder of your own"
        )
    folder.chmod(0o700)


@dataclass(frozen=True)
class Settings:
    """One instance's configuration. ``None`` for a URL means: the embedded part."""

    home: Home
    host: str
    """Address the gateway listens on (``GENIE_HOST``), loopback by default."""
    port: int
    """TCP port of the gateway (``GENIE_PORT``)."""
    provider: str
    """Where functions run (``GENIE_PROVIDER``): process, docker or kubernetes."""
    database_url: str | None
    """SQLAlchemy URL (``DATABASE_URL``)."""
    redis_url: str | None
    kafka_brokers: str | None
    """``host:port`` list, comma separated (``KAFKA_BROKERS``)."""
    loki_url: str | None
    prometheus_url: str | None
    grafana_url: str | None
    auth: bool
    """False only after ``genie up --no-auth`` (``GENIE_NO_AUTH=1``), for loopback."""

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Settings:
        """Read ``env`` (default: the process's). Raises :class:`SettingsError` naming a bad variable."""
        env = os.environ if env is None else env
        return cls(
            home=Home(Path(env.get("GENIE_HOME") or ".genie").resolve()),
            host=env.get("GENIE_HOST") or "127.0.0.1",
            port=_port(env.get("GENIE_PORT")),
            provider=_provider(env.get("GENIE_PROVIDER")),
            database_url=env.get("DATABASE_URL") or None,
            redis_url=env.get("REDIS_URL") or None,
            kafka_brokers=env.get("KAFKA_BROKERS") or None,
            loki_url=env.get("LOKI_URL") or None,
            prometheus_url=env.get("PROMETHEUS_URL") or None,
            grafana_url=env.get("GRAFANA_URL") or None,
            auth=env.get("GENIE_NO_AUTH") != "1",
        )

    @property
    def gateway_url(self) -> str:
        """Base URL on which this machine reaches the gateway."""
        host = "127.0.0.1" if self.host in ("", "0.0.0.0", "::") else self.host
        return f"http://{host}:{self.port}"

    @property
    def effective_database_url(self) -> str:
        """:attr:`database_url`, or the SQLite file of this home."""
        return self.database_url or f"sqlite:///{self.home.data / 'clustergenie.db'}"

    @property
    def log_store(self) -> Path:
        """The local log store, used when there is no Loki."""
        return self.home.data / "logs.db"


def _port(text: str | None) -> int:
    if not text:
        return DEFAULT_PORT
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _LAST_PORT:
        raise SettingsError(f"GENIE_PORT={text!r} is not a TCP port; use a number from 1 to {_LAST_PORT}")
    return int(text)


def _provider(text: str | None) -> str:
    provider = text or "process"
    if provider not in _PROVIDERS:
        raise SettingsError(f"GENIE_PROVIDER={provider!r} is unknown; use one of {', '.join(_PROVIDERS)}")
    return provider
