"""Topics, groups and offsets as administrators see them."""

from __future__ import annotations

import kafka
import kafka.errors
import pytest
from kafka import TopicPartition
from kafka.admin import NewTopic

from tests.contract.broker.clients import KafkaPython, Message, read, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def producer(bootstrap) -> KafkaPython:
    return KafkaPython(bootstrap)


@pytest.fixture
def looker(bootstrap):
    """A consumer without a group."""
    consumer = kafka.KafkaConsumer(bootstrap_servers=bootstrap)
    yield consumer
    consumer.close()


def test_a_topic_has_the_partitions_it_was_made_with(admin, name, looker):
    admin.create_topics([NewTopic(name, num_partitions=7, replication_factor=1)])
    assert looker.partitions_for_topic(name) == set(range(7))
    assert name in looker.topics()


def test_a_topic_that_exists_is_not_made_again(admin, topic):
    with pytest.raises(kafka.errors.TopicAlreadyExistsError):
        admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])


def test_a_deleted_topic_is_empty_when_it_is_made_again(admin, topic, producer, looker):
    producer.produce(topic, [Message(b"old", partition=0)])
    admin.delete_topics([topic])
    # Apache Kafka deletes in the background: making the topic again may be refused for a moment.
    wait_until(lambda: topic not in admin.list_topics())
    admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    assert looker.end_offsets([TopicPartition(topic, 0)]) == {TopicPartition(topic, 0): 0}


def test_a_topic_can_be_given_more_partitions(admin, topic, producer):
    admin.create_partitions({topic: 6})
    assert producer.produce(topic, [Message(b"x", partition=5)])[0].partition == 5


def test_begin_end_and_times_of_a_partition_are_found(topic, producer, looker):
    place = TopicPartition(topic, 3)
    producer.produce(topic, [Message(b"x", partition=3, timestamp_ms=1000 + n) for n in range(10)])
    assert looker.beginning_offsets([place]) == {place: 0}
    assert looker.end_offsets([place]) == {place: 10}
    found = looker.offsets_for_times({place: 1004})[place]
    assert (found.offset, found.timestamp) == (4, 1004)
    assert looker.offsets_for_times({place: 5000})[place] is None


def test_deleted_records_are_not_read_any_more(admin, topic, producer, looker):
    place = TopicPartition(topic, 0)
    producer.produce(topic, [Message(b"%d" % n, partition=0) for n in range(10)])
    admin.delete_records({place: 6})
    assert looker.beginning_offsets([place]) == {place: 6}
    looker.assign([place])
    looker.seek(place, 6)
    found = looker.poll(timeout_ms=5000)
    assert [record.value for record in found[place]] == [b"6", b"7", b"8", b"9"]


def test_a_group_is_listed_with_its_offsets_and_can_be_deleted(admin, topic, producer):
    producer.produce(topic, [Message(b"x", partition=n) for n in range(4)])
    consumer = producer.consumer(topic, topic)
    read(consumer, 4)
    consumer.commit()
    consumer.close()
    wait_until(lambda: topic in {group["group_id"] for group in admin.list_groups()})
    offsets = admin.list_group_offsets([topic])[topic]
    assert {place.partition: offset.offset for place, offset in offsets.items()} == dict.fromkeys(range(4), 1)
    admin.delete_groups([topic])
    assert topic not in {group["group_id"] for group in admin.list_groups()}


def test_a_compacted_topic_is_made_by_apache_and_refused_by_the_embedded_broker(
    admin, name, bootstrap, request
):
    config = {"cleanup.policy": "compact"}
    wanted = NewTopic(name, num_partitions=1, replication_factor=1, topic_configs=config)
    if request.node.callspec.params["bootstrap"] == "apache":
        admin.create_topics([wanted])
        return
    # A limit of the embedded broker, refused rather than ignored.
    with pytest.raises(
        kafka.errors.InvalidConfigurationError, match=r"cleanup\.policy=compact is not supported"
    ):
        admin.create_topics([wanted])
