"""``/system/functions``, ``/system/function/{name}`` and ``/system/scale-function/{name}`` (contract sections 5 and 6)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gateway.contract import ContractError, FunctionDeployment, FunctionKey
from gateway.fleet import Fleet, UnknownFunctionError
from gateway.functions import Function
from gateway.providers.base import DeployError
from gateway.system.http import Call, RefusedError, Result, refusals

_STATUS: Mapping[type[Exception], int] = {ContractError: 400, DeployError: 400, UnknownFunctionError: 404}
_ACCEPTED = Result(202)


class FunctionsApi:
    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    async def list(self, call: Call) -> Result:
        namespace = call.query.get("namespace", "")
        found = self._fleet.table.listed()
        chosen = [function for function in found if not namespace or function.key.namespace == namespace]
        return Result.json([self._status(function) for function in chosen])

    async def deploy(self, call: Call) -> Result:
        with refusals(_STATUS):
            await self._fleet.create(FunctionDeployment.from_json(call.json()))
        return _ACCEPTED

    async def update(self, call: Call) -> Result:
        with refusals(_STATUS):
            await self._fleet.update(FunctionDeployment.from_json(call.json()))
        return _ACCEPTED

    async def delete(self, call: Call) -> Result:
        body = call.json()
        if not isinstance(body, dict) or not isinstance(body.get("functionName"), str):
            raise RefusedError(400, 'the body must name the function: {"functionName": "…"}')
        namespace = body.get("namespace") or call.query.get("namespace", "")
        with refusals(_STATUS):
            await self._fleet.remove(FunctionKey.parse(body["functionName"], namespace))
        return _ACCEPTED

    async def describe(self, call: Call) -> Result:
        function = self._known(call)
        status = self._status(function)
        if call.query.get("usage") in ("1", "true"):
            usage = await self._fleet.provider.usage(function.key)
            status["usage"] = {"cpu": usage.cpu_millicores, "totalMemoryBytes": usage.memory_bytes}
        return Result.json(status)

    async def scale(self, call: Call) -> Result:
        body = call.json()
        replicas = body.get("replicas", 0) if isinstance(body, dict) else None
        if (
            not isinstance(body, dict)
            or not isinstance(replicas, int)
            or isinstance(replicas, bool)
            or replicas < 0
        ):
            raise RefusedError(
                400, 'the body must give a count of 0 or more: {"serviceName": "…", "replicas": 2}'
            )
        namespace = body.get("namespace") or call.query.get("namespace", "")
        with refusals(_STATUS):
            await self._fleet.scale(FunctionKey.parse(call.parts[1], namespace), replicas)
        return _ACCEPTED

    def _known(self, call: Call) -> Function:
        with refusals(_STATUS):
            key = FunctionKey.parse(call.parts[1], call.query.get("namespace", ""))
        function = self._fleet.table.find(str(key))
        if function is None:
            raise RefusedError(404, f"there is no function {key}")
        return function

    def _status(self, function: Function) -> dict[str, Any]:
        running = self._fleet.provider.status(function.key)
        status = function.deployment.to_json()
        status["name"] = status.pop("service")
        status["replicas"] = running.desired
        status["availableReplicas"] = running.available
        status["invocationCount"] = float(function.metrics.invocations)
        status["createdAt"] = datetime.fromtimestamp(function.created_at, UTC).isoformat(
            timespec="milliseconds"
        )
        return status
