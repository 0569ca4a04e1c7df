"""Gateway overhead: the same requests straight to a worker's socket and through the gateway, in turns."""

from __future__ import annotations

import statistics

from bench.client import connect, exchange, latencies, throughput
from bench.instance import Instance, running_gateway

_ROUNDS = 5
_LATENCY_REQUESTS = 400
_CONNECTIONS = 32
_SECONDS = 3.0
_COLD_STARTS = 60
_DIRECT = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def _request(name: str) -> bytes:
    return b"GET /function/%b HTTP/1.1\r\nHost: x\r\n\r\n" % name.encode()


def overhead() -> None:
    """Added latency (target p50 ≤ 0.3 ms) and the share of the direct throughput (target ≥ 0.95)."""
    with running_gateway() as instance:
        instance.deploy_hello("hello")
        instance.scale("hello", 1)
        worker = _worker_socket(instance)
        pairs = [_round(instance.address, worker) for _ in range(_ROUNDS)]
        direct, through = (statistics.median(p[i] for p in pairs) * 1e3 for i in (0, 1))
        print(
            f"latency p50      direct {direct:.3f} ms   gateway {through:.3f} ms   added {through - direct:.3f} ms"
        )
        rates = [
            (throughput(worker, _DIRECT, _CONNECTIONS, _SECONDS),
             throughput(instance.address, _request("hello"), _CONNECTIONS, _SECONDS))
            for _ in range(_ROUNDS)
        ]  # fmt: skip
        ratio = statistics.median(g / d for d, g in rates)
        best = statistics.median(g for _, g in rates)
        print(f"throughput c={_CONNECTIONS}  gateway {best:.0f}/s   ratio to direct {ratio:.2f}")


def _round(address: str, worker: str) -> tuple[float, float]:
    direct = statistics.median(latencies(worker, _DIRECT, _LATENCY_REQUESTS))
    return direct, statistics.median(latencies(address, _request("hello"), _LATENCY_REQUESTS))


def _worker_socket(instance: Instance) -> str:
    sockets = [path for path in instance.home.sockets.rglob("*") if path.is_socket()]
    for path in sockets:
        try:
            with connect(str(path)) as connection:
                if exchange(connection, _DIRECT).endswith(b"hello"):
                    return str(path)
        except (OSError, RuntimeError):
            continue
    raise RuntimeError(f"no worker answers on any of {sockets}")


def cold_start() -> None:
    """First answer of a function at zero (targets p50 ≤ 20 ms, p99 ≤ 60 ms), and its ratio to a warm one."""
    with running_gateway() as instance:
        instance.deploy_hello("cold", **{"com.openfaas.scale.zero": "true"})
        latencies(instance.address, _request("cold"), 1)  # the template process may still be importing
        seconds = []
        for _ in range(_COLD_STARTS):
            instance.scale("cold", 0)
            seconds += latencies(instance.address, _request("cold"), 1)
        warm = statistics.median(latencies(instance.address, _request("cold"), _LATENCY_REQUESTS))
        seconds.sort()
        p50, p99 = statistics.median(seconds), seconds[int(len(seconds) * 0.99)]
        print(
            f"cold start       p50 {p50 * 1e3:.1f} ms   p99 {p99 * 1e3:.1f} ms   {p50 / warm:.0f} times a warm call"
        )
