"""A real MariaDB for tests: Debian's mariadbd with its data in a folder of its own, on a free loopback port."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pymysql

#: A fresh data folder on a slow disk takes some seconds to come up.
START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.05
#: Where Debian keeps daemons, which are not on everybody's PATH.
_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))


def available() -> str | None:
    """None when MariaDB can be started; else the reason why not, with the remedy."""
    for program in ("mariadbd", "mariadb-install-db"):
        if shutil.which(program, path=_PATH) is None:
            return f"MariaDB needs {program}; run: apt-get install mariadb-server"
    return None


@contextmanager
def mariadb(folder: Path) -> Iterator[str]:
    """Run MariaDB with its data in ``folder``; yields the URL of an empty database, and stops the server at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    data, log = folder / "data", folder / "mariadb.log"
    with log.open("ab") as output:
        _install(data, output)
        port = _free_port()
        process = subprocess.Popen(
            [
                _program("mariadbd"), "--no-defaults", f"--datadir={data}", f"--user={getpass.getuser()}",
                f"--port={port}", "--bind-address=127.0.0.1", f"--socket={_socket(folder)}",
                f"--pid-file={folder / 'mariadb.pid'}", "--skip-networking=0", "--innodb-buffer-pool-size=32M",
            ],
            stdout=output,
            stderr=output,
            env={**os.environ, "TZ": "Asia/Tokyo"},  # a server with another time zone than ours must not matter
        )  # fmt: skip
    try:
        _await_answer(process, port, log)
        yield f"mysql+pymysql://genie:genie@127.0.0.1:{port}/genie"
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _install(data: Path, output: object) -> None:
    if data.exists():
        return
    command = [
        _program("mariadb-install-db"), "--no-defaults", f"--datadir={data}", "--skip-test-db",
        "--auth-root-authentication-method=normal", f"--user={getpass.getuser()}",
    ]  # fmt: skip
    subprocess.run(command, stdout=output, stderr=output, check=True)


def _await_answer(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            _create_database(port)
        except pymysql.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"MariaDB did not start: {log.read_text()[-2000:]}") from error
            time.sleep(_POLL_SECONDS)
        else:
            return


def _create_database(port: int) -> None:
    with pymysql.connect(host="127.0.0.1", port=port, user="root") as connection:
        cursor = connection.cursor()
        cursor.execute("CREATE OR REPLACE DATABASE genie CHARACTER SET utf8mb4")
        cursor.execute("CREATE OR REPLACE USER genie@'127.0.0.1' IDENTIFIED BY 'genie'")
        cursor.execute("GRANT ALL ON *.* TO genie@'127.0.0.1'")


def _program(name: str) -> str:
    return shutil.which(name, path=_PATH) or name


def _socket(folder: Path) -> Path:
    # A Unix socket's path must be short; the folder of a test need not be.
    return Path("/tmp") / f"genie-mariadb-{os.getpid()}-{abs(hash(folder)) % 10**8}.sock"  # noqa: S108


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
