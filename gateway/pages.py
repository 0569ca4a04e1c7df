"""The gateway's own pages: health, readiness, metrics, and the address of everything else."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from gateway.fleet import Fleet
from gateway.metrics import CONTENT_TYPE
from gateway.wire.exchange import Exchange

Page = Callable[[Exchange], None]

_HTML = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>ClusterGenie</title>
<meta name="viewport" content="width=device-width,initial-scale=1">
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}</style>
<h1>ClusterGenie</h1><p>The gateway is running. The web interface is not part of this build.</p>
<ul><li>REST API: <code>/api/v1/</code> with a bearer token from <code>genie token</code></li>
<li>Functions: <code>/function/NAME</code></li><li>OpenFaaS API: <code>/system/</code></li>
<li><a href="/metrics">Metrics</a></li><li><a href="/healthz">Health</a></li></ul></html>
"""


class Pages:
    """Answers at once; nothing here waits for anything."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self.is_ready = False
        """Set when every stored function was taken up."""

    def table(self) -> dict[str, Page]:
        return {"/": self._home, "/healthz": self._health, "/readyz": self._ready, "/metrics": self._metrics}

    def _home(self, exchange: Exchange) -> None:
        _answer(exchange, 200, b"text/html; charset=utf-8", _HTML)

    def _health(self, exchange: Exchange) -> None:
        _answer(exchange, 200, b"application/json", b'{"status":"ok"}')

    def _ready(self, exchange: Exchange) -> None:
        state = {"ready": self.is_ready, "functions": len(self._fleet.table.listed())}
        _answer(exchange, 200 if self.is_ready else 503, b"application/json", orjson.dumps(state))

    def _metrics(self, exchange: Exchange) -> None:
        _answer(exchange, 200, CONTENT_TYPE.encode("ascii"), self._fleet.metrics.exposition())


def _answer(exchange: Exchange, status: int, content_type: bytes, body: bytes) -> None:
    headers = [(b"Content-Type", content_type), (b"X-Content-Type-Options", b"nosniff")]
    exchange.reply(status, headers, body)
