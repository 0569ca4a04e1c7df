"""Functions as processes of this machine: forks of a template process, served on Unix sockets."""

from __future__ import annotations

import asyncio
import random
import shutil
from pathlib import Path
from typing import Any

from clustergenie.settings import Home
from gateway.contract import FunctionDeployment, FunctionKey
from gateway.images import ImageStore, VenvStore
from gateway.providers.base import EndpointListener, ReplicaStatus, Usage
from gateway.providers.process import usage
from gateway.providers.process.plan import Plan, Planner
from gateway.providers.process.replica import Places, Replica
from gateway.providers.process.replica_set import Limits, ReplicaSet
from gateway.providers.process.template import Template
from gateway.providers.process.timing import Backoff, LoopTimer, Timer
from gateway.secrets import SecretStore

#: First wait before a replica or template that died is started again, and the longest, in seconds.
BACKOFF_BASE_SECONDS = 0.1
BACKOFF_CAP_SECONDS = 30.0


class ProcessProvider:
    """Fulfils :class:`gateway.providers.base.Provider`. One per home: it owns what lies below ``run/f`` and the sockets."""

    name = "process"

    def __init__(
        self,
        home: Home,
        images: ImageStore,
        secrets: SecretStore,
        *,
        timer: Timer | None = None,
        randomness: random.Random | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._home = home
        self._venvs = VenvStore(home.venvs)
        self._folder = home.run / "f"
        self._planner = Planner(self._folder, images, self._venvs, secrets)
        self._places = Places(home.sockets, home.logs / "functions")
        self._timer = timer or LoopTimer()
        self._random = randomness or random.Random()  # noqa: S311 - jitter
        self._limits = limits or Limits()
        self._listener: EndpointListener | None = None
        self._sets: dict[FunctionKey, ReplicaSet] = {}
        self._ending: set[ReplicaSet] = set()
        self._templates: dict[Path, Template] = {}
        self._cpu_seen: dict[int, tuple[float, float]] = {}

    async def start(self, listener: EndpointListener) -> None:
        """Remove what a killed gateway left, and start the template process of the default packages."""
        self._listener = listener
        self._home.create()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(mode=0o700)
        for socket in self._home.sockets.glob("w-*"):
            socket.unlink(missing_ok=True)
        self._template(self._venvs.python(()))

    async def stop(self) -> None:
        """Drain and end all replicas, then the template processes."""
        everything = [*self._sets.values(), *self._ending]
        self._sets.clear()
        self._ending.update(everything)
        await asyncio.gather(*(replicas.end() for replicas in everything))
        self._ending.clear()
        await asyncio.gather(*(template.stop() for template in self._templates.values()))
        self._templates.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def deploy(self, deployment: FunctionDeployment, replicas: int) -> None:
        """Raises :class:`gateway.providers.base.DeployError` before anything changes."""
        plan = self._planner.plan(deployment)
        known = self._sets.get(deployment.key)
        if known is not None and known.plan.revision == plan.revision:
            known.scale(replicas)
            return
        self._planner.prepare(plan)
        if known is None:
            self._sets[deployment.key] = known = self._replica_set(plan)
        known.update(plan, replicas)

    async def remove(self, key: FunctionKey) -> None:
        """Returns when the last replica has ended. The name may be deployed anew meanwhile."""
        replicas = self._sets.pop(key)
        self._ending.add(replicas)
        try:
            await replicas.end()
        finally:
            self._ending.discard(replicas)

    async def scale(self, key: FunctionKey, replicas: int) -> None:
        self._sets[key].scale(replicas)

    def status(self, key: FunctionKey) -> ReplicaStatus:
        return self._sets[key].status()

    async def usage(self, key: FunctionKey) -> Usage:
        """CPU since the last call for the same replica (since its begin at the first), memory as PSS."""
        pids = self._sets[key].pids()
        readings = await asyncio.get_running_loop().run_in_executor(None, usage.read, pids)
        cpu = sum(self._millicores(pid, reading.cpu_seconds) for pid, reading in readings.items())
        self._forget_cpu()
        return Usage(cpu, sum(reading.memory_bytes for reading in readings.values()))

    def _millicores(self, pid: int, cpu_seconds: float) -> float:
        now = self._timer.now()
        then, before = self._cpu_seen.get(pid, (None, 0.0))
        self._cpu_seen[pid] = (now, cpu_seconds)
        if then is None or now <= then:
            return 0.0
        return max(0.0, (cpu_seconds - before) / (now - then) * 1000)

    def _forget_cpu(self) -> None:
        alive = {pid for replicas in self._sets.values() for pid in replicas.pids()}
        for pid in self._cpu_seen.keys() - alive:
            del self._cpu_seen[pid]

    def template_event(self, event: dict[str, Any]) -> None:
        found = self._find(event["replica"])
        if found is None:
            return
        replicas, replica = found
        if event["event"] == "forked":
            replicas.forked(replica, event["pid"])
        elif event["event"] == "exited":
            replicas.exited(replica, event["status"])

    def template_started(self, template: Template) -> None:
        for replicas in self._everything():
            if replicas.plan.python == template.python:
                replicas.reconcile()

    def template_ended(self, template: Template, error: str) -> None:
        for replicas in self._everything():
            replicas.template_lost(template, error)

    def _everything(self) -> list[ReplicaSet]:
        return [*self._sets.values(), *self._ending]

    def _find(self, name: str) -> tuple[ReplicaSet, Replica] | None:
        for replicas in self._everything():
            if name in replicas.replicas:
                return replicas, replicas.replicas[name]
        return None

    def _replica_set(self, plan: Plan) -> ReplicaSet:
        if self._listener is None:
            raise RuntimeError("the provider has not been started; await start(listener) first")
        return ReplicaSet(
            plan.deployment.key,
            plan,
            listener=self._listener,
            places=self._places,
            template_of=lambda plan: self._template(plan.python),
            timer=self._timer,
            backoff=self._backoff(),
            limits=self._limits,
        )

    def _template(self, python: Path) -> Template:
        known = self._templates.get(python)
        if known is None:
            log_file = self._home.logs / "template.log"
            known = Template(python, log_file, self, self._timer, self._backoff())
            self._templates[python] = known
            known.start()
        return known

    def _backoff(self) -> Backoff:
        return Backoff(BACKOFF_BASE_SECONDS, BACKOFF_CAP_SECONDS, self._random)
