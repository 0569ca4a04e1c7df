"""The table of this suite: every scenario x embedded broker and Apache Kafka x three clients."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import kafka
import pytest

from tests.contract.broker.clients import CLIENTS, Client, Consumer
from tests.contract.broker.embedded import embedded_broker
from tests.integration.apache_kafka import apache_kafka, available


@pytest.fixture(scope="session", params=["embedded", "apache"])
def bootstrap(request, tmp_path_factory) -> Iterator[str]:
    """``host:port`` of a running broker."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "embedded":
        with embedded_broker(folder / "data") as broker:
            yield broker.address
        return
    if (reason := available()) is not None:
        pytest.skip(reason)
    with apache_kafka(folder) as address:
        yield address


@pytest.fixture(params=list(CLIENTS))
def client(request, bootstrap) -> Client:
    return CLIENTS[request.param](bootstrap)


@pytest.fixture
def admin(bootstrap) -> Iterator[kafka.KafkaAdminClient]:
    found = kafka.KafkaAdminClient(bootstrap_servers=bootstrap)
    yield found
    found.close()


@pytest.fixture
def name() -> str:
    """For a topic and a group that no other test uses."""
    return f"t-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def topic(admin, name) -> str:
    """A new topic of four partitions."""
    admin.create_topics([kafka.admin.NewTopic(name, num_partitions=4, replication_factor=1)])
    return name


@pytest.fixture
def consume(client) -> Iterator:
    """Opens consumers that are closed at the end of the test."""
    opened: list[Consumer] = []

    def open_one(topic: str, group: str, **options) -> Consumer:
        opened.append(client.consumer(topic, group, **options))
        return opened[-1]

    yield open_one
    for consumer in opened:
        consumer.close()
