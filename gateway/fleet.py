"""The functions this gateway is to run: deploy, update, remove, scale, wake. All changes of desired state pass here."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator

from gateway.contract import ContractError, FunctionDeployment, FunctionKey
from gateway.functions import Function, FunctionTable, Policy
from gateway.metrics import GatewayMetrics
from gateway.providers.base import DeployError, Endpoint, Provider
from gateway.routes import Match, Missing, RouteTable
from gateway.specs import SpecStore, StoredFunction

#: Idle connections to replicas are closed after this many seconds, before the replica's own server does it.
REPLICA_IDLE_SECONDS = 60.0

_log = logging.getLogger(__name__)


class UnknownFunctionError(Exception):
    """There is no function of that name (answer: 404)."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no function {name}; see: genie list")


class Fleet:
    """Desired state, kept on disk and handed to the provider; also the provider's listener for replicas."""

    def __init__(
        self,
        provider: Provider,
        specs: SpecStore,
        *,
        changed: Callable[[], None] = lambda: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """``changed`` is called after every deploy, update and removal (it wakes the connector)."""
        self.provider = provider
        self.metrics = GatewayMetrics(self._replica_counts)
        self.table = FunctionTable(self.metrics)
        self._routes = RouteTable()
        self._specs = specs
        self._changed = changed
        self._now = now
        self._changes = asyncio.Lock()
        self._wakes: set[asyncio.Task[None]] = set()
        self._leaving: dict[FunctionKey, asyncio.Task[None]] = {}

    # life

    async def start(self) -> None:
        """Start the provider and take up every stored function."""
        await self.provider.start(self)
        for stored in self._specs.load():
            await self._take_up(stored)
        self._routes = RouteTable(self.table.listed())

    async def stop(self) -> None:
        for task in list(self._wakes):
            task.cancel()
        if self._leaving:
            await asyncio.wait(list(self._leaving.values()))
        await self.provider.stop()

    async def _take_up(self, stored: StoredFunction) -> None:
        # One function that cannot run any more (its image is gone, say) must not keep the others down.
        try:
            policy = Policy.of(stored.deployment)
            await self._add(stored.deployment, stored.created_at, policy.min_replicas)
        except (DeployError, ContractError) as error:
            _log.error("cannot start %s: %s", stored.deployment.key, error)

    # desired state

    async def create(self, deployment: FunctionDeployment) -> None:
        """Deploy, or update when it exists. Raises :class:`ContractError` or :class:`DeployError`."""
        await self._left(deployment.key)
        async with self._changes:
            await self._apply(deployment)

    async def _left(self, key: FunctionKey) -> None:
        # A function deployed again right after its removal starts when the old one has drained.
        leaving = self._leaving.get(key)
        if leaving is not None:
            await asyncio.wait([leaving])

    async def update(self, deployment: FunctionDeployment) -> None:
        """Raises :class:`UnknownFunctionError` when there is nothing to update, else like :meth:`create`."""
        async with self._changes:
            self._known(deployment.key)
            await self._apply(deployment)

    async def remove(self, key: FunctionKey) -> None:
        """Take no more requests for it; its replicas drain in the background. Raises :class:`UnknownFunctionError`."""
        async with self._changes:
            function = self._known(key)
            self._specs.delete(key)
            self.table.unlist(key)
            self._routes = RouteTable(self.table.listed())
            function.balancer.fail_waiting("it was removed")
            self._leaving[key] = asyncio.get_running_loop().create_task(self._leave(key))
        self._changed()

    async def _leave(self, key: FunctionKey) -> None:
        try:
            await self.provider.remove(key)  # drains: its replicas must still be known here
        finally:
            self.table.remove(key)
            del self._leaving[key]

    async def scale(self, key: FunctionKey, replicas: int) -> None:
        """Raises :class:`UnknownFunctionError`."""
        self._known(key)
        await self.provider.scale(key, replicas)

    async def _apply(self, deployment: FunctionDeployment) -> None:
        policy = Policy.of(deployment)
        existing = self.table.get(deployment.key)
        self._refuse_taken_route(deployment.key, policy)
        created_at = existing.created_at if existing is not None else self._now()
        if existing is None:
            await self._add(deployment, created_at, policy.min_replicas)
        else:
            desired = self.provider.status(existing.key).desired
            await self.provider.deploy(deployment, max(policy.min_replicas, desired))
            self.table.put(deployment, created_at)
        self._specs.save(StoredFunction(deployment, created_at))
        self._routes = RouteTable(self.table.listed())
        self._changed()

    async def _add(self, deployment: FunctionDeployment, created_at: float, replicas: int) -> None:
        # Known before the provider starts it, because the first replica may be ready before deploy returns.
        self.table.put(deployment, created_at)
        try:
            await self.provider.deploy(deployment, replicas)
        except BaseException:
            self.table.remove(deployment.key)
            raise

    def _refuse_taken_route(self, key: FunctionKey, policy: Policy) -> None:
        for other in self.table.listed():
            same = other.key != key and other.policy.path == policy.path and policy.path
            if same and set(other.policy.methods) & set(policy.methods):
                raise ContractError(f"the route {policy.path} already belongs to the function {other.key}")

    def _known(self, key: FunctionKey) -> Function:
        function = self.table.find(str(key))  # not get: one that is being removed is unknown already
        if function is None:
            raise UnknownFunctionError(str(key))
        return function

    # the data path asks

    def route(self, method: str, path: str) -> Match | Missing:
        return self._routes.find(method, path)

    def wake(self, function: Function) -> None:
        """Bring up the first replica of ``function``. However many ask, it happens once."""
        if function.waking_since is not None:
            return
        function.waking_since = asyncio.get_running_loop().time()
        task = asyncio.get_running_loop().create_task(self._wake(function))
        self._wakes.add(task)
        task.add_done_callback(self._wakes.discard)

    async def _wake(self, function: Function) -> None:
        try:
            if self.provider.status(function.key).desired == 0:
                await self.provider.scale(function.key, max(1, function.policy.min_replicas))
        except (DeployError, KeyError) as error:
            self.start_failed(function.key, str(error))

    def close_idle_connections(self) -> None:
        older_than = asyncio.get_running_loop().time() - REPLICA_IDLE_SECONDS
        for function in self.table.listed():
            function.balancer.close_idle(older_than)

    # EndpointListener: the provider tells

    def ready(self, key: FunctionKey, endpoint: Endpoint) -> None:
        function = self.table.get(key)
        if function is None:
            return
        if function.waking_since is not None:
            function.metrics.cold_start(asyncio.get_running_loop().time() - function.waking_since)
            function.waking_since = None
        function.balancer.add(endpoint)

    async def drain(self, key: FunctionKey, endpoint: Endpoint, timeout_seconds: float) -> None:
        function = self.table.get(key)
        if function is not None:
            await function.balancer.drain(endpoint, timeout_seconds)

    def gone(self, key: FunctionKey, endpoint: Endpoint) -> None:
        function = self.table.get(key)
        if function is not None:
            function.balancer.remove(endpoint)

    def start_failed(self, key: FunctionKey, error: str) -> None:
        function = self.table.get(key)
        if function is not None:
            function.waking_since = None
            function.balancer.fail_waiting(error)

    def _replica_counts(self) -> Iterator[tuple[str, int]]:
        for function in self.table.listed():
            yield str(function.key), self.provider.status(function.key).desired
