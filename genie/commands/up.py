from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import click

from clustergenie import credentials
from clustergenie.settings import Settings
from genie.bringup import Bringup, FunctionsFailedError
from genie.commands.down import bring_down
from genie.console import Console
from genie.supervisor.plan import Plan

_LOOK_SECONDS = 0.5


@click.command("up")
@click.option("--no-auth", is_flag=True, help="Let everybody on this machine in as admin. Loopback only.")
@click.option(
    "--foreground", is_flag=True, help="Stay until Ctrl-C or SIGTERM, then stop everything (containers)."
)
def up_command(*, no_auth: bool, foreground: bool) -> None:
    """Start everything, wait until it is ready, deploy stack.yml.

    Safe to run again: what runs is left alone, functions that changed are deployed. Redis, Kafka and the
    database are embedded unless REDIS_URL, KAFKA_BROKERS or DATABASE_URL name others.

    \b
    genie up
    GENIE_HOME=.genie-b GENIE_PORT=8081 genie up     a second instance beside the first
    DATABASE_URL=mysql+pymysql://root@127.0.0.1/genie genie up
    """
    settings = Settings.from_env()
    if no_auth:
        settings = dataclasses.replace(settings, auth=False)
    console = Console()
    began = time.monotonic()
    console.line(f"ClusterGenie in {settings.home.root}")
    try:
        is_new = Bringup(settings, console, Path.cwd()).run()
    except FunctionsFailedError:
        if foreground:
            _stay(settings, console)
        raise
    word = "Ready" if is_new else "It was running already; ready"
    _tell(settings, console, f"{word} in {time.monotonic() - began:.1f} s at {settings.gateway_url}")
    if foreground:
        _stay(settings, console)


def _tell(settings: Settings, console: Console, headline: str) -> None:
    console.line(console.good(headline))
    if settings.auth:
        password = settings.home.secrets / credentials.BASIC_AUTH_PASSWORD
        console.line(f"  user {credentials.ADMIN_USER}, password in {_short(password)}")
    else:
        console.warn(
            "AUTHENTICATION IS OFF: everybody on this machine is admin. Run genie down, then genie up."
        )
    genie = _genie()
    console.line("  try:")
    console.line(f"    {genie} list")
    console.line(f"    {genie} status")
    console.line(f'    {genie} invoke hello --data \'{{"name": "you"}}\'')


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _genie() -> str:
    return "genie" if shutil.which("genie") else _short(Path(sys.argv[0]).resolve())


def _stay(settings: Settings, console: Console) -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console.line("  staying in the foreground; Ctrl-C stops everything")
    try:
        while Plan.read(settings.home) is not None:
            _bury_orphans()
            time.sleep(_LOOK_SECONDS)
    except KeyboardInterrupt:
        console.line()
        bring_down(settings.home, console)


def _bury_orphans() -> None:
    # As process 1 of a container we inherit every orphan.
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
