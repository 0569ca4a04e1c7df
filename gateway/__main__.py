"""``python -m gateway``: run the gateway until SIGTERM. Settings come from the environment."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys

import uvloop

from clustergenie.credentials import MissingCredentialError
from clustergenie.settings import Settings, SettingsError
from gateway.wiring import Gateway, build


async def _serve(gateway: Gateway) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await gateway.start()
    house = loop.create_task(gateway.keep_house())
    await stop.wait()
    house.cancel()
    await gateway.stop()


async def _main(settings: Settings) -> None:
    # Built inside the loop, because some parts bind to it.
    await _serve(build(settings))


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        settings = Settings.from_env()
        settings.home.create()
        uvloop.run(_main(settings))
    except (SettingsError, MissingCredentialError) as error:
        sys.stderr.write(f"gateway: {error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"gateway: cannot listen: {error}; choose another port with GENIE_PORT\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
