"""The triggers' process, wired: every part it holds is on this page."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence

from clustergenie.settings import Settings, SettingsError
from gateway.wire.client import HttpClient
from triggers.connector.connector import Connector
from triggers.directory import Directory
from triggers.logagent.agent import LogAgent
from triggers.metrics import Metrics
from triggers.parts import Part, keep_running
from triggers.relay.relay import kafka_relay
from triggers.tokens import SystemToken
from triggers.wakeups import FUNCTIONS_CHANNEL, OUTBOX_CHANNEL, Wakeups

#: How long all parts together may take to finish what they have begun, in seconds.
STOP_SECONDS = 10.0
#: Names this process within its consumer groups when ``GENIE_CONNECTOR_ID`` is unset.
DEFAULT_MEMBER = "connector-0"


def build(settings: Settings, metrics: Metrics, env: Mapping[str, str] = os.environ) -> list[Part]:
    """The parts for ``settings``; raises :class:`SettingsError` when there is no Kafka to talk to."""
    brokers = settings.kafka_brokers
    if not brokers:
        raise SettingsError("KAFKA_BROKERS is not set; genie up sets it, or name a broker as host:port")
    functions_changed, rows_written = asyncio.Event(), asyncio.Event()
    http = HttpClient(settings.gateway_url.removeprefix("http://"))
    directory = Directory(http, settings.home, functions_changed)
    token = SystemToken(settings.home, auth=settings.auth)
    member = env.get("GENIE_CONNECTOR_ID") or DEFAULT_MEMBER
    parts: list[Part] = [
        directory,
        Connector(directory, http, token, metrics, brokers=brokers, member=member),
        kafka_relay(rows_written, metrics, brokers=brokers, database_url=settings.effective_database_url),
        LogAgent(settings.home, metrics, brokers=brokers),
    ]
    if settings.redis_url:
        channels = {FUNCTIONS_CHANNEL: functions_changed, OUTBOX_CHANNEL: rows_written}
        parts.append(Wakeups(settings.redis_url, channels))
    return parts


async def run(parts: Sequence[Part], metrics: Metrics) -> None:
    """Keep the parts running until SIGTERM or SIGINT, then let them finish within :data:`STOP_SECONDS`."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    tasks = [asyncio.create_task(keep_running(part, metrics)) for part in parts]
    await stopping.wait()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=STOP_SECONDS)
