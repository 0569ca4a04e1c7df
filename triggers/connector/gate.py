"""One view of whether the gateway answers, so that a dead gateway is waited for instead of using up retries."""

from __future__ import annotations

import asyncio
import logging

from gateway.wire.errors import WireError
from triggers.backoff import Backoff
from triggers.changes import ChangeLog
from triggers.directory import Http
from triggers.metrics import Metrics

#: Time for one probe, in seconds.
PROBE_TIMEOUT_SECONDS = 2.0
_PROBES = Backoff(first_seconds=0.05, ceiling_seconds=1.0)
_FIRST_SERVER_ERROR = 500

log = logging.getLogger(__name__)


class Gate:
    """Open while the gateway answers. Whoever got no answer calls :meth:`blame`; one prober then finds out."""

    def __init__(self, http: Http, metrics: Metrics, probes: Backoff = _PROBES) -> None:
        self._http = http
        self._metrics = metrics
        self._probes = probes
        self._open = asyncio.Event()
        self._open.set()
        self._changes = ChangeLog(log, "the gateway")
        self._prober: asyncio.Task[bool] | None = None
        metrics.gateway_up.set(1)

    @property
    def is_open(self) -> bool:
        return self._open.is_set()

    async def passage(self) -> None:
        """Return when the gateway answers, as far as is known."""
        await self._open.wait()

    async def blame(self, error: WireError) -> bool:
        """A call got no answer: True when the gateway was at fault (it has been waited for), False when it was not."""
        if self._prober is None or self._prober.done():
            self._prober = asyncio.create_task(self._probe(error))
        return await asyncio.shield(self._prober)

    async def close(self) -> None:
        if self._prober is not None:
            self._prober.cancel()
            await asyncio.gather(self._prober, return_exceptions=True)

    async def _probe(self, error: WireError) -> bool:
        failures = 0
        while not await self._answers():
            failures += 1
            if failures == 1:
                self._shut(error)
            await asyncio.sleep(self._probes.delay(failures))
        self._open.set()
        self._metrics.gateway_up.set(1)
        self._changes.recovered()
        return failures > 0

    def _shut(self, error: WireError) -> None:
        self._open.clear()
        self._metrics.gateway_up.set(0)
        self._changes.failed(error)

    async def _answers(self) -> bool:
        try:
            answer = await self._http.request("GET", "/healthz", timeout_seconds=PROBE_TIMEOUT_SECONDS)
        except WireError:
            return False
        return answer.status < _FIRST_SERVER_ERROR
