"""``python -m triggers.broker``: run the broker until SIGTERM.

Prints one JSON line to stdout when it listens; what goes wrong is one sentence on stderr and exit code 1.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import resource
import signal
import sys
import time
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

import orjson
import uvloop

from triggers.broker.broker import Broker
from triggers.broker.connection import Connection
from triggers.broker.errors import BrokerError
from triggers.broker.log.partition_log import LogLimits
from triggers.broker.settings import BrokerSettings

_log = logging.getLogger(__name__)
_DEFAULTS = LogLimits()
_HOUR_MS = 3_600_000


def main(argv: Sequence[str] | None = None) -> int:
    """Run; the exit code: 0 after SIGTERM or SIGINT, 1 when the broker cannot go on, 2 for wrong arguments."""
    settings = _parse(argv)
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    _allow_many_files()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings))
    except BrokerError as error:
        sys.stderr.write(f"broker: {error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"broker: {settings.data} cannot be used as data folder: {error}\n")
        return 1
    return 0


async def serve(settings: BrokerSettings) -> None:
    """Listen until a signal; raises :class:`BrokerError`."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def disk_failed(error: OSError) -> None:
        if not ended.done():
            ended.set_exception(
                BrokerError(
                    f"the disk refused a sync ({error.strerror}); free or replace it, then start again"
                )
            )

    def stop() -> None:
        if not ended.done():
            ended.set_result(None)

    broker = Broker(settings, disk_failed, now_ms=lambda: time.time_ns() // 1_000_000)
    connections: set[Connection] = set()
    try:
        server = await _listen(broker, connections)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
        _announce(server)
        await ended
        server.close()
    finally:
        for connection in tuple(connections):
            connection.close()
        await broker.close()


async def _listen(broker: Broker, connections: set[Connection]) -> asyncio.Server:
    settings = broker.settings
    loop = asyncio.get_running_loop()
    try:
        return await loop.create_server(
            lambda: Connection(broker, connections), settings.host, settings.port, backlog=512
        )
    except OSError as error:
        raise BrokerError(
            f"cannot listen on {settings.host}:{settings.port} ({error.strerror}); stop what uses it or choose another --port"
        ) from error


def _announce(server: asyncio.Server) -> None:
    host, port = server.sockets[0].getsockname()[:2]
    if not ip_address(host).is_loopback:
        _log.warning("anyone who reaches %s:%s may read and write: there is no authentication", host, port)
    # What exists now lives until the end; the collector need not look at it again.
    gc.freeze()
    sys.stdout.write(orjson.dumps({"event": "listening", "address": f"{host}:{port}"}).decode() + "\n")
    sys.stdout.flush()


def _allow_many_files() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _parse(argv: Sequence[str] | None) -> BrokerSettings:
    parser = argparse.ArgumentParser(
        prog="python -m triggers.broker", description="One-node Kafka-protocol broker."
    )
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder of the log; created when absent")
    add("--host", default="127.0.0.1", help="address to listen on (default: loopback)")
    add("--port", type=int, default=0, help="TCP port; 0 takes a free one (default)")
    add(
        "--advertised",
        metavar="HOST:PORT",
        type=_address,
        help="what clients are told to connect to, if not --host",
    )
    add("--partitions", type=int, default=4, help="of topics created without a count (default: 4)")
    add("--no-auto-create", action="store_true", help="do not create topics that clients ask for")
    add(
        "--retention-hours",
        type=float,
        default=_DEFAULTS.retention_ms / _HOUR_MS,
        help="-1 keeps all (default: 168)",
    )
    add("--retention-bytes", type=int, default=-1, help="per partition; -1 is no limit (default)")
    add(
        "--segment-bytes",
        type=int,
        default=_DEFAULTS.segment_bytes,
        help="size of a log file (default: 64 MiB)",
    )
    add(
        "--max-batch-bytes",
        type=int,
        default=_DEFAULTS.max_batch_bytes,
        help="largest batch taken (default: 1 MiB)",
    )
    args = parser.parse_args(argv)
    limits = LogLimits(
        segment_bytes=args.segment_bytes,
        retention_ms=-1 if args.retention_hours < 0 else int(args.retention_hours * _HOUR_MS),
        retention_bytes=args.retention_bytes,
        max_batch_bytes=args.max_batch_bytes,
    )
    return BrokerSettings(
        data=args.data,
        host=args.host,
        port=args.port,
        advertised=args.advertised,
        partitions=args.partitions,
        auto_create=not args.no_auto_create,
        limits=limits,
    )


def _address(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not host or not colon or not port.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return text


if __name__ == "__main__":
    sys.exit(main())
