"""What one worker process has: its database, clock, log store and keys. Made at the first request, after the fork."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from sqlalchemy import Engine

from clustergenie import db
from clustergenie.clock import Clock, system_clock
from clustergenie.errors import UnavailableError
from clustergenie.events import Wake, outbox
from clustergenie.http._authority import Authority
from clustergenie.logs import output
from clustergenie.logs.lines import Log
from clustergenie.logs.places import open_log

#: Where a function's secrets lie unless ``secret_mount_path`` says otherwise.
SECRETS = "/var/openfaas/secrets"
# Lower case, as OpenFaaS writes it.
_SECRETS_VARIABLE = "secret_mount_path"
_making = threading.Lock()


class Runtime:
    """Built from ``env``. Connects to nothing by itself; safe for the worker's threads."""

    def __init__(self, env: Mapping[str, str], *, clock: Clock = system_clock) -> None:
        self._secrets = Path(env.get(_SECRETS_VARIABLE) or SECRETS)
        self.clock = clock
        self.environment = env.get("GENIE_ENV") or "local"
        """Name of this installation, the ``env`` of its log lines."""
        self.worker = f"{env.get('HOSTNAME') or socket.gethostname()}:{os.getpid()}"
        """This process, for whoever asks who holds a job."""
        self.authority = Authority(self._secret("identity-key"), open_to_all=env.get("GENIE_AUTH") == "off")
        self._engine = self._connect()
        self._log = open_log(env) if env.get("LOKI_URL") or env.get("LOG_STORE") else None

    @property
    def engine(self) -> Engine:
        if self._engine is None:
            raise UnavailableError("database", f"there is no secret database-url in {self._secrets}")
        return self._engine

    @property
    def log(self) -> Log:
        if self._log is None:
            raise UnavailableError("log store", "set LOKI_URL, or LOG_STORE to the path of the local store")
        return self._log

    def _connect(self) -> Engine | None:
        url = self._secret("database-url")
        if url is None:
            return None
        engine = db.connect(url)
        redis_url = self._secret("redis-url")
        return outbox.waking(engine, Wake(redis_url).publish) if redis_url else engine

    def _secret(self, name: str) -> str | None:
        try:
            return (self._secrets / name).read_text(encoding="utf-8").strip() or None
        except FileNotFoundError:
            return None


def current() -> Runtime:
    """The runtime of this process and its secrets, made once."""
    with _making:
        return _runtime(os.getpid(), os.environ.get(_SECRETS_VARIABLE, SECRETS))


@cache
def _runtime(_process: int, _secrets: str) -> Runtime:
    output.install(function=os.environ.get("OPENFAAS_NAME", ""))
    return Runtime(os.environ)
