"""Producing and consuming."""

from __future__ import annotations

import pytest

from tests.contract.broker.clients import Message, poll_until, read

pytestmark = pytest.mark.slow


def test_a_record_comes_back_with_its_key_value_and_headers(client, topic, consume):
    places = client.produce(topic, [Message(b"value", b"key", [("h1", b"1"), ("h2", b"")])])
    (record,) = read(consume(topic, topic), 1)
    assert (record.key, record.value, record.headers) == (b"key", b"value", [("h1", b"1"), ("h2", b"")])
    assert (record.partition, record.offset) == places[0]


def test_a_topic_is_made_when_a_producer_first_names_it(client, name, consume):
    client.produce(name, [Message(b"first")])
    assert [record.value for record in read(consume(name, name), 1)] == [b"first"]


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_a_partition_keeps_the_order_in_which_records_were_sent(client, topic, consume, compression):
    sent = [Message(b"%d" % number, partition=2) for number in range(2000)]
    places = client.produce(topic, sent, compression=compression)
    assert [place.offset for place in places] == list(range(2000))
    records = read(consume(topic, topic), 2000)
    assert [record.value for record in records] == [message.value for message in sent]


def test_an_idempotent_producer_writes_every_record_once(client, topic, consume):
    client.produce(topic, [Message(b"%d" % n, partition=0) for n in range(500)], idempotent=True)
    client.produce(topic, [Message(b"%d" % n, partition=0) for n in range(500, 600)], idempotent=True)
    records = read(consume(topic, topic), 600)
    assert [record.value for record in records] == [b"%d" % n for n in range(600)]


def test_a_large_record_comes_back_whole(client, topic, consume):
    value = bytes(range(256)) * 3500
    client.produce(topic, [Message(value, partition=n % 4) for n in range(8)])
    assert {record.value for record in read(consume(topic, topic), 8)} == {value}


def test_a_consumer_that_seeks_back_reads_again(client, topic, consume):
    client.produce(topic, [Message(b"%d" % n, partition=1) for n in range(10)])
    consumer = consume(topic, topic)
    read(consumer, 10)
    consumer.seek(1, 7)
    assert [record.value for record in read(consumer, 3)] == [b"7", b"8", b"9"]


def test_a_waiting_consumer_is_woken_by_a_new_record(client, topic, consume):
    consumer = consume(topic, topic)
    poll_until([consumer], lambda: consumer.assignment() == {0, 1, 2, 3})
    client.produce(topic, [Message(b"news")])
    assert [record.value for record in read(consumer, 1)] == [b"news"]
