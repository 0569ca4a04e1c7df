"""The gateway's metrics under the names OpenFaaS gives them (contract section 14)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
#: Upper bounds in seconds: the Go client's defaults, which OpenFaaS uses.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
#: From the wake-up call to the first ready replica; finer at the low end, where cold starts of forked workers lie.
_COLD_START_BUCKETS = (0.005, 0.01, 0.015, 0.02, 0.03, 0.06, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)


class GatewayMetrics:
    """All series of the gateway in one registry."""

    def __init__(self, replica_counts: Callable[[], Iterable[tuple[str, int]]]) -> None:
        """``replica_counts`` yields each function's ``name.namespace`` with its desired replicas, at scrape time."""
        self.registry = CollectorRegistry()
        # Counter() would append "_total" to the started counter, which has none in the contract: hence the bare family.
        self._invocations = Counter(
            "gateway_function_invocation", "Invocations by function and status code.", ("function_name", "code"),
            registry=self.registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "gateway_functions_seconds", "Time to the end of the answer, in seconds.", ("function_name", "code"),
            buckets=_BUCKETS, registry=self.registry,
        )  # fmt: skip
        self._cold_starts = Histogram(
            "clustergenie_cold_start_seconds", "From the wake-up of a function at zero to its first ready replica.",
            ("function_name",), buckets=_COLD_START_BUCKETS, registry=self.registry,
        )  # fmt: skip
        self._started: dict[str, FunctionMetrics] = {}
        self.registry.register(_Live(self._started, replica_counts))
        ProcessCollector(registry=self.registry)
        self.open_connections = Gauge(
            "clustergenie_gateway_open_connections", "Client connections open now.", registry=self.registry
        )

    def function(self, name: str) -> FunctionMetrics:
        """The series of one function, by ``name.namespace``."""
        metrics = self._started.get(name)
        if metrics is None:
            metrics = FunctionMetrics(name, self._invocations, self._seconds, self._cold_starts)
            self._started[name] = metrics
        return metrics

    def forget(self, name: str) -> None:
        """Remove the series of a deleted function."""
        metrics = self._started.pop(name, None)
        if metrics is not None:
            metrics.remove()

    def exposition(self) -> bytes:
        return generate_latest(self.registry)


class FunctionMetrics:
    """Counts of one function; children are looked up once per status code, not per request."""

    __slots__ = ("_children", "_cold_starts", "_invocations", "_name", "_seconds", "invocations", "started")

    def __init__(self, name: str, invocations: Counter, seconds: Histogram, cold_starts: Histogram) -> None:
        self._name = name
        self._invocations = invocations
        self._seconds = seconds
        self._cold_starts = cold_starts
        self._children: dict[int, tuple[Counter, Histogram]] = {}
        self.started = 0
        self.invocations = 0
        """Finished invocations since the gateway started, over all codes."""

    def finished(self, status: int, seconds: float) -> None:
        child = self._children.get(status)
        if child is None:
            code = str(status)
            child = (self._invocations.labels(self._name, code), self._seconds.labels(self._name, code))
            self._children[status] = child
        self.invocations += 1
        child[0].inc()
        child[1].observe(seconds)

    def cold_start(self, seconds: float) -> None:
        self._cold_starts.labels(self._name).observe(seconds)

    def remove(self) -> None:
        for status in self._children:
            self._invocations.remove(self._name, str(status))
            self._seconds.remove(self._name, str(status))
        self._cold_starts.remove_by_labels({"function_name": self._name})


class _Live(Collector):
    """Series whose values are read when they are asked for."""

    def __init__(
        self, started: dict[str, FunctionMetrics], replica_counts: Callable[[], Iterable[tuple[str, int]]]
    ) -> None:
        self._started = started
        self._replica_counts = replica_counts

    def collect(self) -> Iterator[GaugeMetricFamily]:
        # A counter by meaning; exposed untyped-like as a gauge family because the contract's name lacks "_total".
        started = GaugeMetricFamily(
            "gateway_function_invocation_started", "Invocations begun.", labels=("function_name",)
        )
        for name, metrics in self._started.items():
            started.add_metric((name,), metrics.started)
        yield started
        count = GaugeMetricFamily("gateway_service_count", "Desired replicas.", labels=("function_name",))
        for name, replicas in self._replica_counts():
            count.add_metric((name,), replicas)
        yield count
