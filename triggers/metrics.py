"""Every number the triggers count, in one place. Labels are bounded by what is deployed."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class Metrics:
    """Counters and gauges on a registry of their own, which an exposition reads (``clustergenie_*``)."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.lag = self._gauge(
            "connector_lag_records", "Records in a function's topics that it has not finished.", "function"
        )
        self.delivered = self._counter("connector_delivered", "Records a function handled.", "function")
        self.retried = self._counter("connector_retried", "Calls that failed and were put off.", "function")
        self.dead_lettered = self._counter(
            "connector_dead_lettered", "Records parked in a .dlq topic.", "function"
        )
        self.gateway_up = self._gauge("connector_gateway_up", "1 when the gateway answers.")
        self.relayed = self._counter("relay_events", "Outbox rows acknowledged by Kafka.")
        self.backlog_age = self._gauge("relay_backlog_age_seconds", "Age of the oldest outbox row.")
        self.log_lines = self._counter("logagent_lines", "Log lines acknowledged by Kafka.", "function")
        self.log_bytes_dropped = self._counter(
            "logagent_dropped_bytes", "Log bytes that rotation removed unread.", "function"
        )
        self.restarts = self._counter("triggers_restarts", "Restarts of a part after a failure.", "part")

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"clustergenie_{name}", meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"clustergenie_{name}", meaning, labels, registry=self.registry)
