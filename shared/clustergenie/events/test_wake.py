import logging
import socket
import threading

import pytest

from clustergenie.events import OUTBOX_CHANNEL, Wake


@pytest.fixture
def refusing_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        yield server.getsockname()[1]


def test_a_redis_that_is_down_is_logged_and_then_left_alone_for_a_while(refusing_port, caplog):
    now = [0.0]
    wake = Wake(f"redis://127.0.0.1:{refusing_port}", now=lambda: now[0])
    with caplog.at_level(logging.WARNING):
        for moment in (0.0, 0.5, 1.0):
            now[0] = moment
            wake.publish()
    assert len(caplog.records) == 2


@pytest.mark.timeout(10)
def test_a_redis_that_hangs_costs_a_tenth_of_a_second_per_try():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        Wake(f"redis://127.0.0.1:{server.getsockname()[1]}").publish()


def test_the_channel_is_told():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(10)
        heard = bytearray()

        def serve():
            client, _ = server.accept()
            with client:
                client.settimeout(10)
                while b"PUBLISH" not in heard:
                    data = client.recv(4096)
                    heard.extend(data)
                    client.sendall(b"+OK\r\n" * data.count(b"*") if b"PUBLISH" not in data else b":1\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        Wake(f"redis://127.0.0.1:{server.getsockname()[1]}/0?protocol=2").publish()
        thread.join(10)
    assert OUTBOX_CHANNEL.encode() in heard
