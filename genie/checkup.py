"""The checks behind ``genie doctor``: one function each, which answers what it found and what to do about it."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from clustergenie.settings import Home, Settings
from genie import ports
from genie.errors import GenieError
from genie.parts import redis_binary
from genie.supervisor.component import Component
from genie.supervisor.ending import OPERATOR_LOCK, leftovers
from genie.supervisor.locks import LockFile
from genie.supervisor.plan import Plan
from genie.supervisor.privatefiles import read_json
from genie.supervisor.twins import primary_lock

#: Free space below which databases and logs will soon fail, and below which it is worth a word, in bytes.
_LITTLE_SPACE, _SOME_SPACE = 256 * 1024**2, 2 * 1024**3
#: Open files a gateway with many connections and workers may need.
_ENOUGH_FILES = 1024
_OLDEST_PYTHON = (3, 11)
_LONGEST_SOCKET_PATH = 103
_WORKER_SOCKET_NAME = 40
_OTHERS = 0o077

Level = Literal["ok", "warning", "broken"]


@dataclass(frozen=True)
class Finding:
    """What one check saw; ``remedy`` is empty when nothing is to be done."""

    check: str
    level: Level
    text: str
    remedy: str = ""

    def to_json(self) -> dict[str, str]:
        return asdict(self)


def examine(settings: Settings) -> list[Finding]:
    """All findings, in the order in which things are started."""
    home = settings.home
    return [
        _python(),
        _space(home),
        _files(),
        _sockets(home),
        *_secrets(home),
        _redis(settings),
        _port(settings),
        *_processes(home),
        *_crash_loops(home),
    ]


def _python() -> Finding:
    text = f"Python {platform.python_version()} at {sys.executable}"
    if sys.version_info < _OLDEST_PYTHON:
        return Finding("python", "broken", text, "install Python 3.11 or newer, then: make clean up")
    return Finding("python", "ok", text)


def _space(home: Home) -> Finding:
    free = shutil.disk_usage(_existing(home.root)).free
    text = f"{free / 1024**3:.1f} GiB free for {home.root}"
    if free < _LITTLE_SPACE:
        return Finding("disk", "broken", text, "make room, or move the instance with GENIE_HOME")
    if free < _SOME_SPACE:
        return Finding("disk", "warning", text, "make room before the event log and the database need it")
    return Finding("disk", "ok", text)


def _files() -> Finding:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < _ENOUGH_FILES:
        return Finding(
            "files", "warning", f"only {most} open files allowed", f"run: ulimit -n {_ENOUGH_FILES}"
        )
    return Finding("files", "ok", "enough open files allowed")


def _sockets(home: Home) -> Finding:
    longest = len(os.fsencode(home.sockets)) + _WORKER_SOCKET_NAME
    if longest > _LONGEST_SOCKET_PATH:
        text = f"socket paths below {home.sockets} may have {longest} bytes, more than systems take"
        return Finding("sockets", "broken", text, "choose a shorter GENIE_HOME or TMPDIR")
    folder = home.sockets
    if folder.exists() and folder.stat().st_uid != os.getuid():
        return Finding(
            "sockets", "broken", f"{folder} belongs to another user", f"remove {folder}, or set TMPDIR"
        )
    return Finding("sockets", "ok", f"in {folder}")


def _secrets(home: Home) -> Iterator[Finding]:
    folders = [folder for folder in (home.root, home.secrets, home.function_secrets) if folder.exists()]
    if not folders:
        yield Finding("secrets", "ok", "none yet; genie up makes them")
        return
    files = [path for folder in folders[1:] for path in folder.rglob("*") if path.is_file()]
    open_ones = [path for path in (*folders, *files) if path.stat().st_mode & _OTHERS]
    for path in open_ones:
        yield Finding("secrets", "broken", f"{path} can be read by others", f"run: chmod go-rwx {path}")
    if not open_ones:
        yield Finding("secrets", "ok", "readable by you only")


def _redis(settings: Settings) -> Finding:
    if settings.redis_url:
        return Finding("redis", "ok", "REDIS_URL names one")
    try:
        return Finding("redis", "ok", redis_binary())
    except GenieError as error:
        return Finding("redis", "broken", str(error), "install redis-server, or set REDIS_URL")


def _port(settings: Settings) -> Finding:
    if Component("gateway", ()).lock(settings.home).is_held():
        return Finding("port", "ok", f"{settings.port} is for the gateway, which runs")
    try:
        if ports.is_free(settings.host, settings.port):
            return Finding("port", "ok", f"{settings.port} is free")
    except GenieError as error:
        return Finding("port", "broken", str(error), "set GENIE_HOST to an address of this machine")
    who = ports.holder(settings.port) or "somebody"
    remedy = f"end it, or choose another port: GENIE_PORT={settings.port + 1} genie up"
    return Finding("port", "broken", f"{settings.port} is taken by {who}", remedy)


def _processes(home: Home) -> Iterator[Finding]:
    plan, supervised = Plan.read(home), primary_lock(home).is_held()
    running = [
        component.name for component in leftovers(home) if component.name not in ("supervisor", "standby")
    ]
    if LockFile(home.run / OPERATOR_LOCK).is_held():
        yield Finding("processes", "warning", "a genie up or down is at work", "wait for it")
    elif plan is None and running:
        yield Finding("processes", "broken", f"left over: {', '.join(running)}", "run: genie down")
    elif plan and not supervised:
        yield Finding("processes", "broken", "no supervisor runs, so nothing is restarted", "run: genie up")
    elif plan is None:
        yield Finding("processes", "ok", "nothing runs")
    else:
        yield Finding("processes", "ok", f"supervised: {', '.join(running)}")


def _crash_loops(home: Home) -> Iterator[Finding]:
    if not primary_lock(home).is_held():
        return
    reported = (read_json(home.run / "supervisor.json") or {}).get("components", {})
    for name, component in reported.items():
        if component["crash_loop"]:
            text = f"{name} keeps ending: {component['last_exit']}"
            yield Finding("components", "broken", text, f"see why with: genie logs {name}")


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())
