"""A real Apache Kafka (KRaft, one node) for tests, from the jars that ``.ci/fetch-kafka`` gets."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parents[2]
#: A Kafka on a loaded machine of two cores takes about 5 s to start.
START_SECONDS = 60.0
_STOP_SECONDS = 30.0
#: ApiVersions v0 with correlation id 1 and no client id.
_API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)
_CONFIG = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
log.dirs={data}
num.partitions=4
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=100
"""


def available() -> str | None:
    """None when Apache Kafka can be started; else the reason why not, with the remedy."""
    if shutil.which("java") is None:
        return "Apache Kafka needs java 17; install it and run .ci/fetch-kafka"
    if not list(_jars().glob("kafka_*.jar")):
        return "the jars of Apache Kafka are not there; run .ci/fetch-kafka"
    return None


@contextmanager
def apache_kafka(folder: Path) -> Iterator[str]:
    """Run Kafka with its data in ``folder``; yields ``127.0.0.1:PORT`` when it answers, and stops it at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    port, controller = _free_ports(2)
    config = folder / "server.properties"
    config.write_text(_CONFIG.format(port=port, controller=controller, data=folder / "data"))
    with (folder / "kafka.log").open("ab") as log:
        format_storage = ["format", "--cluster-id", "genie-test-cluster-id1", "--config", str(config)]
        subprocess.run(_java("kafka.tools.StorageTool", *format_storage), stdout=log, stderr=log, check=True)
        process = subprocess.Popen(_java("kafka.Kafka", str(config)), stdout=log, stderr=log)
        try:
            _wait_until_it_answers(process, port, folder / "kafka.log")
            yield f"127.0.0.1:{port}"
        finally:
            _stop(process)


def _jars() -> Path:
    return Path(os.environ.get("GENIE_KAFKA_LIBS") or _REPOSITORY / ".cache" / "kafka-libs")


def _java(main: str, *arguments: str) -> list[str]:
    quick_start = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true"]
    return ["java", *quick_start, "-cp", f"{_jars()}/*", main, *arguments]


def _free_ports(count: int) -> list[int]:
    with closing(socket.socket()) as first, closing(socket.socket()) as second:
        sockets = (first, second)[:count]
        for free in sockets:
            free.bind(("127.0.0.1", 0))
        return [free.getsockname()[1] for free in sockets]


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(port):
        if process.poll() is not None:
            raise RuntimeError(f"Apache Kafka ended with {process.returncode}: {log.read_text()[-2000:]}")
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"Apache Kafka does not answer after {START_SECONDS} s: {log.read_text()[-2000:]}"
            )
        time.sleep(0.1)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(_API_VERSIONS)
            return bool(connection.recv(4))
    except OSError:
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
