"""TCP ports: free ones for the embedded parts, and who holds a taken one."""

from __future__ import annotations

import errno
import secrets
import socket
from pathlib import Path

from genie.errors import GenieError

#: Ports of the embedded parts are taken from here: below what systems hand out to outgoing connections (Linux begins
#: at 32768), so that a port is still free when its server is started again.
FIRST_PORT, LAST_PORT = 20000, 32000
_TRIES = 200
_PROC = Path("/proc")
_LISTENING = "0A"


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now. Raises GenieError when ``host`` is no address of this machine."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise GenieError(
                f"cannot listen on {host}:{port}: {error.strerror}; choose another address with GENIE_HOST"
            ) from error
    return True


def choose() -> int:
    """A port that is free on loopback now, and likely to stay so."""
    for _ in range(_TRIES):
        port = FIRST_PORT + secrets.randbelow(LAST_PORT - FIRST_PORT)
        if is_free("127.0.0.1", port):
            return port
    raise GenieError(
        f"no free port from {FIRST_PORT} to {LAST_PORT} was found; end some servers, then try again"
    )


def holder(port: int) -> str:
    """``"nginx (pid 812)"``, as far as this user may see it; empty when unknown."""
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    if not sockets:
        return ""
    for process in _PROC.glob("[0-9]*"):
        if _has_socket(process, sockets):
            return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
    return "a process of another user"


def _listening_inodes(port: int) -> set[str]:
    inodes = set()
    for table in (_PROC / "net/tcp", _PROC / "net/tcp6"):
        rows = table.read_text().splitlines()[1:] if table.exists() else []
        for row in map(str.split, rows):
            if row[3] == _LISTENING and int(row[1].rpartition(":")[2], 16) == port:
                inodes.add(row[9])
    return inodes


def _has_socket(process: Path, sockets: set[str]) -> bool:
    try:
        return any(_target(descriptor) in sockets for descriptor in (process / "fd").iterdir())
    except OSError:
        return False


def _target(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except OSError:
        return ""
