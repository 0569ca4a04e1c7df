"""The shape of a provider: the part that turns desired state into running replicas.

One-directional: the gateway calls the provider with desired state; the provider reports replicas that come and go to
the :class:`EndpointListener` it was started with (the data path's balancer). A provider never proxies a request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gateway.contract import FunctionDeployment, FunctionKey


class DeployError(Exception):
    """A function cannot be deployed as asked; the text names the cause and the remedy (answer: 400)."""


@dataclass(frozen=True)
class Endpoint:
    """Where one ready replica takes HTTP/1.1: a Unix socket path, or ``host:port``."""

    replica: str
    """Unique for ever, e.g. ``job-diagnose-7f3a``: the ``instance`` of logs and metrics."""
    address: str
    """Absolute path of a Unix socket (starts with ``/``) or ``host:port``."""
    concurrency: int = 4
    """Requests the replica works on at once (threads of its server); more are queued inside it."""


@dataclass(frozen=True)
class ReplicaStatus:
    """Running state of one function, asked for, never remembered."""

    desired: int
    available: int
    restarts: int = 0
    last_error: str = ""
    """Why the newest replica failed to start or died; empty when all is well."""


@dataclass(frozen=True)
class Usage:
    cpu_millicores: float
    memory_bytes: float


class EndpointListener(Protocol):
    """What the data path offers to a provider. All calls happen on the gateway's event loop."""

    def ready(self, key: FunctionKey, endpoint: Endpoint) -> None:
        """The replica takes requests from now on; waiting callers are served at once."""

    async def drain(self, key: FunctionKey, endpoint: Endpoint, timeout_seconds: float) -> None:
        """Send it nothing more; returns when its last request in flight is answered, or after the timeout."""

    def gone(self, key: FunctionKey, endpoint: Endpoint) -> None:
        """The replica is dead (also after a drain); its connections are closed."""

    def start_failed(self, key: FunctionKey, error: str) -> None:
        """A replica did not become ready; callers waiting for the first one get ``error`` now."""


class Provider(Protocol):
    """Runs functions. Every method may raise :class:`DeployError`; unknown keys raise KeyError."""

    name: str
    """For ``/system/info``: ``process``, ``docker`` or ``kubernetes``."""

    async def start(self, listener: EndpointListener) -> None:
        """Begin; find again what already runs, where the kind of provider allows it."""

    async def stop(self) -> None:
        """Drain and end everything that was started here."""

    async def deploy(self, deployment: FunctionDeployment, replicas: int) -> None:
        """Create, or replace by a rolling update that loses no request: new replicas are ready before old ones drain.

        ``replicas`` is the count to run after the update. Checks image and secrets before anything changes, and returns
        as soon as the work is accepted; readiness is told to the listener. The same deployment again changes nothing.
        """

    async def remove(self, key: FunctionKey) -> None:
        """Drain and end all replicas."""

    async def scale(self, key: FunctionKey, replicas: int) -> None:
        """Set the count; 0 is allowed. Returns when accepted."""

    def status(self, key: FunctionKey) -> ReplicaStatus: ...

    async def usage(self, key: FunctionKey) -> Usage: ...
