"""The deployed functions as the data path sees them: policy, replicas, metrics."""

from __future__ import annotations

from dataclasses import dataclass

from clustergenie.identity import Role
from clustergenie.settings import DEFAULT_NAMESPACE
from gateway.balancer import Balancer
from gateway.contract import ContractError, FunctionDeployment, FunctionKey
from gateway.durations import parse_seconds
from gateway.metrics import FunctionMetrics, GatewayMetrics

#: Time one invocation may take when the function sets no ``exec_timeout``, in seconds.
DEFAULT_EXEC_TIMEOUT_SECONDS = 60.0
#: Largest request body of a function with a route, in bytes; ``http.max_body_bytes`` changes it.
DEFAULT_ROUTE_BODY_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Policy:
    """What a deployment asks of the data path, read once when it is deployed."""

    role: Role
    """Least role that may call it (``auth.role``)."""
    methods: tuple[str, ...]
    """Methods of the route (``http.method``); empty without a route."""
    path: str
    """Template of the route (``http.path``), e.g. ``/api/v1/clusters/{id}``; empty = none."""
    timeout_seconds: float
    """``exec_timeout`` from the function's environment."""
    max_body_bytes: int | None
    min_replicas: int
    """Replicas kept when nothing is asked of it; 0 when the label ``com.openfaas.scale.zero`` is true."""

    @classmethod
    def of(cls, deployment: FunctionDeployment) -> Policy:
        """Raises :class:`ContractError` naming the annotation, label or variable that cannot be read."""
        notes = deployment.annotations
        path = notes.get("http.path", "")
        if path and not path.startswith("/api/"):
            raise ContractError(f"annotation http.path is {path!r}; a route must start with /api/")
        methods = tuple(
            part.strip().upper() for part in notes.get("http.method", "").split(",") if part.strip()
        )
        return cls(
            role=_role(notes.get("auth.role", Role.PUBLIC.word)),
            methods=(methods or ("GET",)) if path else (),
            path=path,
            timeout_seconds=_timeout(deployment.env_vars.get("exec_timeout", "")),
            max_body_bytes=_max_body(notes.get("http.max_body_bytes", ""), has_route=bool(path)),
            min_replicas=_min_replicas(deployment),
        )


def _role(text: str) -> Role:
    try:
        return Role.parse(text)
    except ValueError as error:
        raise ContractError(f"annotation auth.role: {error}") from error


def _timeout(text: str) -> float:
    if not text:
        return DEFAULT_EXEC_TIMEOUT_SECONDS
    try:
        return parse_seconds(text)
    except ValueError as error:
        raise ContractError(f"environment variable exec_timeout: {error}") from error


def _max_body(text: str, *, has_route: bool) -> int | None:
    if not text:
        return DEFAULT_ROUTE_BODY_BYTES if has_route else None
    if not (text.isascii() and text.isdigit()):
        raise ContractError(f"annotation http.max_body_bytes is {text!r}; write a whole number of bytes")
    return int(text)


def _min_replicas(deployment: FunctionDeployment) -> int:
    if deployment.labels.get("com.openfaas.scale.zero") == "true":
        return 0
    text = deployment.labels.get("com.openfaas.scale.min", "1")
    # A number that cannot be read means the default, as OpenFaaS has it (contract section 13).
    return max(1, int(text)) if text.isascii() and text.isdigit() else 1


class Function:
    """One deployed function. Updates replace ``deployment`` and ``policy``; replicas and metrics stay."""

    __slots__ = ("balancer", "created_at", "deployment", "key", "metrics", "policy", "waking_since")

    def __init__(self, deployment: FunctionDeployment, metrics: FunctionMetrics, created_at: float) -> None:
        self.key = deployment.key
        self.deployment = deployment
        self.policy = Policy.of(deployment)
        self.balancer = Balancer()
        self.metrics = metrics
        self.created_at = created_at
        """Unix seconds of the first deploy."""
        self.waking_since: float | None = None
        """Loop time of the wake-up under way; None when there is none."""


class FunctionTable:
    """Functions by name. Reading is the hot path: one dict look-up for either spelling."""

    def __init__(self, metrics: GatewayMetrics) -> None:
        self._metrics = metrics
        self._functions: dict[FunctionKey, Function] = {}
        self._by_text: dict[str, Function] = {}

    def find(self, text: str) -> Function | None:
        """By ``name.namespace``, or by bare name in the default namespace."""
        return self._by_text.get(text)

    def get(self, key: FunctionKey) -> Function | None:
        return self._functions.get(key)

    def put(self, deployment: FunctionDeployment, created_at: float) -> Function:
        """Add, or update in place. Raises :class:`ContractError` when the deployment cannot be read."""
        function = self._functions.get(deployment.key)
        if function is not None:
            policy = Policy.of(deployment)
            function.deployment, function.policy = deployment, policy
            return function
        function = Function(deployment, self._metrics.function(str(deployment.key)), created_at)
        self._functions[function.key] = function
        self._by_text[str(function.key)] = function
        if function.key.namespace == DEFAULT_NAMESPACE:
            self._by_text[function.key.name] = function
        return function

    def unlist(self, key: FunctionKey) -> None:
        """Take no new requests for it; ``get`` still finds it while its replicas drain."""
        for text in (str(key), key.name):
            function = self._by_text.get(text)
            if function is not None and function.key == key:
                del self._by_text[text]

    def remove(self, key: FunctionKey) -> None:
        self.unlist(key)
        if self._functions.pop(key, None) is not None:
            self._metrics.forget(str(key))

    def listed(self) -> list[Function]:
        """Every function that takes requests, by name."""
        found = [function for text, function in self._by_text.items() if text == str(function.key)]
        return sorted(found, key=lambda function: function.key)
