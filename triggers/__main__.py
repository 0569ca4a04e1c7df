"""``python -m triggers``: the Kafka connector, the outbox relay and the log agent in one process."""

from __future__ import annotations

import logging
import os
import sys

import uvloop

from clustergenie.settings import Settings, SettingsError
from triggers import output
from triggers.metrics import Metrics
from triggers.process import build, run

log = logging.getLogger("triggers")


async def _serve(settings: Settings) -> None:
    metrics = Metrics()
    parts = build(settings, metrics)
    log.info("triggers started: %s", ", ".join(part.name for part in parts))
    await run(parts, metrics)
    log.info("triggers stopped")


def main() -> int:
    """Exit status 0 after SIGTERM, 2 when the settings cannot be used."""
    output.configure()
    try:
        settings = Settings.from_env()
        uvloop.run(_serve(settings))
    except SettingsError as error:
        log.error("%s", error)  # noqa: TRY400 - a wrong setting needs no traceback
        return 2
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    # Not sys.exit: a database call that hangs in the relay's thread would hold the process after its time.
    os._exit(status)
