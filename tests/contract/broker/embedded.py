"""The embedded broker as a process, for tests."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class EmbeddedBroker:
    """Started by construction; comes back on the same port after :meth:`kill` and :meth:`start`."""

    def __init__(self, data: Path, *options: str) -> None:
        self._data = data
        self._options = options
        self._port = "0"
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "triggers.broker", "--data", str(self._data), "--port", self._port]
        self.process = subprocess.Popen([*command, *self._options], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the broker ended before it listened"
        self.address: str = json.loads(line)["address"]
        self._port = self.address.rpartition(":")[2]

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self._wait()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.terminate()
        return self._wait()

    def _wait(self) -> int:
        code = self.process.wait(20)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


@contextmanager
def embedded_broker(data: Path, *options: str) -> Iterator[EmbeddedBroker]:
    broker = EmbeddedBroker(data, *options)
    try:
        yield broker
    finally:
        if broker.process.poll() is None:
            broker.stop()
