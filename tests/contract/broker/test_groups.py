"""Consumer groups: sharing, commits, static members."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.contract.broker.clients import PATIENCE_SECONDS, Message, poll_until, read

pytestmark = pytest.mark.slow

_ALL = {0, 1, 2, 3}
#: A consumer that joins a group, says so, and stays without reading until it is killed.
_MEMBER = """
import sys, kafka
bootstrap, topic = sys.argv[1:]
consumer = kafka.KafkaConsumer(topic, bootstrap_servers=bootstrap, group_id=topic, session_timeout_ms=2000,
                               heartbeat_interval_ms=300)
told = False
while True:
    consumer.poll(1500)
    if consumer.assignment() and not told:
        told = True
        print("joined", flush=True)
"""


def test_a_group_goes_on_from_its_commit(client, topic, consume):
    client.produce(topic, [Message(b"%d" % n, partition=0) for n in range(5)])
    first = client.consumer(topic, topic)
    read(first, 5)
    first.commit()
    client.produce(topic, [Message(b"not committed", partition=0)])
    read(first, 1)
    first.close()
    assert [record.value for record in read(consume(topic, topic), 1)] == [b"not committed"]


def test_two_members_share_the_partitions_and_one_gets_all_when_the_other_leaves(client, topic, consume):
    first, second = consume(topic, topic), client.consumer(topic, topic)
    poll_until([first, second], lambda: len(first.assignment()) == 2 and len(second.assignment()) == 2)
    assert first.assignment() | second.assignment() == _ALL
    second.close()
    poll_until([first], lambda: first.assignment() == _ALL)


def test_a_static_member_that_restarts_gets_its_partitions_back(client, topic, consume):
    first, second = client.consumer(topic, topic, instance="one"), consume(topic, topic, instance="two")
    poll_until([first, second], lambda: len(first.assignment()) == 2 and len(second.assignment()) == 2)
    before = first.assignment()
    first.close()
    again = consume(topic, topic, instance="one")
    poll_until([again, second], lambda: len(again.assignment()) == 2 and len(second.assignment()) == 2)
    assert again.assignment() == before


def test_a_killed_member_loses_its_partitions_when_its_session_ends(client, bootstrap, topic, consume):
    with _member(bootstrap, topic) as told:
        assert told == b"joined\n"
    survivor = consume(topic, topic)
    poll_until([survivor], lambda: survivor.assignment() == _ALL)


@contextmanager
def _member(bootstrap: str, topic: str) -> Iterator[bytes]:
    """What a member in a process of its own says first (nothing, if that takes too long); killed in every case."""
    arguments = [sys.executable, "-c", _MEMBER, bootstrap, topic]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        patience = threading.Timer(PATIENCE_SECONDS, process.kill)
        patience.start()
        try:
            yield process.stdout.readline()
        finally:
            patience.cancel()
            process.kill()
