"""What the embedded broker promises when it is killed, stopped, or started on a bad folder."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import confluent_kafka
import kafka
import psutil
import pytest
from kafka import TopicPartition
from kafka.admin import NewTopic

from tests.contract.broker.clients import CLIENTS, PATIENCE_SECONDS, Confluent, Message, read, wait_until
from tests.contract.broker.embedded import EmbeddedBroker, embedded_broker

pytestmark = pytest.mark.slow


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def broker(data) -> Iterator[EmbeddedBroker]:
    with embedded_broker(data, "--partitions", "1") as running:
        yield running


def test_no_acknowledged_record_is_lost_and_none_doubled_when_the_broker_is_killed_under_load(broker):
    # Given an idempotent producer that goes on while the broker is killed three times
    settings = {
        "bootstrap.servers": broker.address,
        "enable.idempotence": True,
        "linger.ms": 1,
        "log_level": 0,
    }
    producer = confluent_kafka.Producer({**settings, "reconnect.backoff.max.ms": 200})
    acknowledged: list[int] = []
    is_over = threading.Event()

    def delivered(error: object, message: confluent_kafka.Message) -> None:
        assert error is None
        acknowledged.append(int(message.value() or b""))

    def produce() -> None:
        number = 0
        while not is_over.is_set():
            # Bounded, so that the kills hit batches on their way and not a full queue.
            if len(producer) < 500:
                producer.produce("load", b"%d" % number, callback=delivered)
                number += 1
            producer.poll(0 if number % 20 else 0.001)

    load = threading.Thread(target=produce)
    load.start()
    try:
        for _ in range(3):
            goal = len(acknowledged) + 300
            wait_until(lambda goal=goal: len(acknowledged) >= goal)
            broker.kill()
            broker.start()
    finally:
        is_over.set()
        load.join()
    assert producer.flush(PATIENCE_SECONDS) == 0
    # Then what is in the log is exactly what was acknowledged, in order
    consumer = Confluent(broker.address).consumer("load", "reader")
    found = [int(record.value) for record in read(consumer, len(acknowledged))]
    consumer.close()
    assert found == sorted(acknowledged)


@pytest.mark.parametrize("name", list(CLIENTS))
def test_records_and_commits_outlive_a_kill(broker, name):
    client = CLIENTS[name](broker.address)
    client.produce("t", [Message(b"%d" % n) for n in range(100)])
    consumer = client.consumer("t", "g")
    read(consumer, 100)
    consumer.commit()
    consumer.close()
    broker.kill()
    broker.start()
    client.produce("t", [Message(b"after")])
    again = client.consumer("t", "g")
    assert [record.value for record in read(again, 1)] == [b"after"]
    again.close()


def test_a_member_goes_on_by_itself_after_the_broker_was_killed(broker):
    client = Confluent(broker.address)
    client.produce("t", [Message(b"before")])
    consumer = client.consumer("t", "g")
    read(consumer, 1)
    consumer.commit()
    broker.kill()
    broker.start()
    client.produce("t", [Message(b"after")])
    assert [record.value for record in read(consumer, 1)] == [b"after"]
    consumer.close()


def test_retention_and_record_deletion_outlive_a_kill(broker):
    client = Confluent(broker.address)
    client.produce("t", [Message(b"%d" % n) for n in range(10)])
    admin = kafka.KafkaAdminClient(bootstrap_servers=broker.address)
    admin.delete_records({TopicPartition("t", 0): 4})
    admin.close()
    broker.kill()
    broker.start()
    consumer = client.consumer("t", "g")
    assert [record.offset for record in read(consumer, 6)] == list(range(4, 10))
    consumer.close()


def test_sigterm_is_a_clean_stop(broker):
    Confluent(broker.address).produce("t", [Message(b"x")])
    assert broker.stop() == 0


def test_a_second_broker_on_the_same_folder_is_refused(broker, data):
    answer = _fails_with("--data", str(data))
    assert "is in use by another broker" in answer


def test_a_port_that_is_taken_is_named(data):
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        answer = _fails_with("--data", str(data), "--port", str(port))
    assert f"cannot listen on 127.0.0.1:{port}" in answer
    assert "choose another --port" in answer


def test_damage_in_the_middle_of_the_log_stops_the_start(broker, data):
    client = Confluent(broker.address)
    for number in range(3):
        client.produce("t", [Message(b"%d" % number * 100)])
    broker.kill()
    (segment,) = (data / "logs" / "t-0").glob("*.log")
    content = bytearray(segment.read_bytes())
    content[100] ^= 0xFF
    segment.write_bytes(content)
    answer = _fails_with("--data", str(data))
    assert f"{segment} is damaged at byte 0 and whole batches follow it" in answer


def test_the_broker_is_ready_at_once_after_a_kill_also_with_many_partitions(broker):
    admin = kafka.KafkaAdminClient(bootstrap_servers=broker.address)
    admin.create_topics([NewTopic(f"t{n}", num_partitions=4, replication_factor=1) for n in range(40)])
    admin.close()
    Confluent(broker.address).produce("t0", [Message(bytes(1000))] * 5000)
    broker.kill()
    started = time.monotonic()
    broker.start()
    # 0.3 s on a quiet machine; the rest is slack for a loaded one.
    assert time.monotonic() - started < 1.5


def test_files_are_for_the_owner_only(broker, data):
    Confluent(broker.address).produce("t", [Message(b"x")])
    wrong = [path for path in [data, *data.rglob("*")] if path.stat().st_mode & 0o077]
    assert not wrong


def test_memory_stays_small_while_much_is_written_and_read(broker):
    client = Confluent(broker.address)
    for _ in range(6):
        client.produce("t", [Message(bytes(1000))] * 20_000)
    consumer = client.consumer("t", "g")
    read(consumer, 120_000)
    consumer.close()
    assert psutil.Process(broker.process.pid).memory_info().rss < 60 << 20


def test_what_is_no_kafka_request_only_costs_its_own_connection(broker):
    with socket.create_connection(broker.address.split(":")) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        stranger.settimeout(PATIENCE_SECONDS)
        assert stranger.recv(1) == b""
    Confluent(broker.address).produce("t", [Message(b"still here")])


def _fails_with(*arguments: str) -> str:
    """The broker's error output, one line, with exit code 1."""
    command = [sys.executable, "-m", "triggers.broker", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr
