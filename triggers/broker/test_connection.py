"""The wire as seen by a client that speaks it by hand, on real sockets."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from triggers.broker import connection as connections
from triggers.broker import schema
from triggers.broker.api.table import APIS
from triggers.broker.broker import Broker
from triggers.broker.connection import Connection
from triggers.broker.errors import ErrorCode
from triggers.broker.log.samples import batch
from triggers.broker.settings import BrokerSettings

_PATIENCE_SECONDS = 10.0
_Topic = schema.ProduceRequest.TopicProduceData


class _Wire:
    """One connection: frames out, frames in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self._sent = 0

    def send(self, request: Any, version: int) -> int:
        """The correlation id."""
        self._sent += 1
        request.API_VERSION = version
        request.with_header(correlation_id=self._sent, client_id="wire")
        self.writer.write(request.encode(header=True, framed=True))
        return self._sent

    async def receive(self) -> bytes:
        """One frame; raises IncompleteReadError when the broker closed the connection."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            (size,) = struct.unpack(">i", await self._reader.readexactly(4))
            return await self._reader.readexactly(size)

    async def ask(self, request: Any, version: int) -> Any:
        number = self.send(request, version)
        content = await self.receive()
        assert struct.unpack_from(">i", content)[0] == number
        answer_type = getattr(schema, type(request).__name__.replace("Request", "Response"))
        return answer_type.decode(content, version=version, header=True)


@pytest.fixture
async def broker(tmp_path) -> AsyncIterator[Broker]:
    settings = BrokerSettings(tmp_path / "data", partitions=2, max_request_bytes=100_000)
    running = Broker(settings, pytest.fail, now_ms=lambda: 0)
    yield running
    await running.close()


@pytest.fixture
async def connect(broker) -> AsyncIterator[Callable]:
    opened: set[Connection] = set()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(broker, opened), "127.0.0.1", 0
    )
    wires: list[_Wire] = []

    async def open_one() -> _Wire:
        wires.append(_Wire(*await asyncio.open_connection(*server.sockets[0].getsockname())))
        return wires[-1]

    yield open_one
    for wire in wires:
        wire.writer.close()
    server.close()
    for connection in tuple(opened):
        connection.close()


@pytest.fixture
async def wire(connect) -> _Wire:
    return await connect()


def _produce(topic: str, content: bytes, acks: int = -1, partition: int = 0) -> Any:
    one = _Topic.PartitionProduceData(index=partition, records=content)
    topics = [_Topic(name=topic, partition_data=[one])]
    return schema.ProduceRequest(transactional_id=None, acks=acks, timeout_ms=5000, topic_data=topics)


def _fetch(topic: str, offset: int, max_wait_ms: int = 5000) -> Any:
    wanted = schema.FetchRequest.FetchTopic
    one = wanted.FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=10_000)
    return schema.FetchRequest(
        max_wait_ms=max_wait_ms, min_bytes=1, max_bytes=10_000, topics=[wanted(topic=topic, partitions=[one])]
    )


_MINIMAL: dict[str, dict[str, Any]] = {
    "ProduceRequest": {"transactional_id": None, "acks": -1, "timeout_ms": 1, "topic_data": []},
    "FetchRequest": {"topics": [], "max_wait_ms": 0, "min_bytes": 0},
    "ListOffsetsRequest": {"topics": []},
    "MetadataRequest": {"topics": []},
    "OffsetCommitRequest": {"group_id": "g", "topics": []},
    "OffsetFetchRequest": {"group_id": "g", "topics": []},
    "FindCoordinatorRequest": {"key": "g"},
    "JoinGroupRequest": {
        "group_id": "g", "session_timeout_ms": 1000, "protocol_type": "consumer", "protocols": [("range", b"")]
    },
    "HeartbeatRequest": {"group_id": "g"},
    "LeaveGroupRequest": {"group_id": "g", "members": []},
    "SyncGroupRequest": {"group_id": "g", "assignments": []},
    "DescribeGroupsRequest": {"groups": ["g"]},
    "CreateTopicsRequest": {"topics": []},
    "DeleteTopicsRequest": {"topic_names": []},
    "DeleteRecordsRequest": {"topics": []},
    "InitProducerIdRequest": {"transactional_id": None},
    "DescribeConfigsRequest": {"resources": []},
    "CreatePartitionsRequest": {"topics": []},
    "DeleteGroupsRequest": {"groups_names": ["g"]},
    "OffsetDeleteRequest": {"group_id": "g", "topics": []},
}  # fmt: skip
_EVERY_VERSION = [
    (api.request, version) for api in APIS.values() for version in range(api.oldest, api.newest + 1)
]


@pytest.mark.parametrize(
    ("request_type", "version"), _EVERY_VERSION, ids=lambda one: getattr(one, "__name__", one)
)
async def test_every_version_that_is_announced_is_answered(wire, request_type, version):
    request = request_type(version=version, **_MINIMAL.get(request_type.__name__, {}))
    assert await wire.ask(request, version) is not None


async def test_a_client_of_the_future_learns_which_versions_there_are(wire):
    wire.writer.write(struct.pack(">ihhih", 10, 18, 99, 1, -1))
    answer = schema.ApiVersionsResponse.decode((await wire.receive())[4:], version=0)
    assert answer.error_code == ErrorCode.UNSUPPORTED_VERSION
    assert {api.api_key for api in answer.api_keys} == set(APIS)


async def test_answers_come_in_the_order_of_the_requests(broker, wire):
    broker.topics.create("t", 1, {})
    slow = wire.send(_fetch("t", 0), 11)
    quick = wire.send(schema.ApiVersionsRequest(), 0)
    write = wire.send(_produce("t", batch()), 8)
    # The last wakes the first: requests behind a waiting one are worked on all the same.
    answers = [await wire.receive() for _ in range(3)]
    assert [struct.unpack_from(">i", answer)[0] for answer in answers] == [slow, quick, write]


async def test_requests_on_one_connection_are_appended_in_the_order_they_came(broker, wire):
    broker.topics.create("t", 1, {})
    for number in range(200):
        wire.send(_produce("t", batch([b"%d" % number])), 8)
    offsets = []
    for _ in range(200):
        answer = schema.ProduceResponse.decode(await wire.receive(), version=8, header=True)
        offsets.append(answer.responses[0].partition_responses[0].base_offset)
    assert offsets == list(range(200))


async def test_a_fetch_is_woken_by_the_sync_of_a_new_record(broker, connect):
    broker.topics.create("t", 1, {})
    reader, writer = await connect(), await connect()
    reader.send(_fetch("t", 0, max_wait_ms=60_000), 11)
    await writer.ask(_produce("t", batch([b"news"])), 8)
    answer = schema.FetchResponse.decode(await reader.receive(), version=11, header=True)
    assert b"news" in bytes(answer.responses[0].partitions[0].records)


async def test_a_fetch_that_waits_for_a_deleted_topic_is_told(broker, connect):
    broker.topics.create("t", 1, {})
    reader, writer = await connect(), await connect()
    reader.send(_fetch("t", 0, max_wait_ms=60_000), 11)
    await writer.ask(schema.ApiVersionsRequest(), 0)
    await writer.ask(schema.DeleteTopicsRequest(topic_names=["t"], timeout_ms=1000), 5)
    answer = schema.FetchResponse.decode(await reader.receive(), version=11, header=True)
    assert answer.responses[0].partitions[0].error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


async def test_there_is_no_answer_without_acks(broker, wire):
    broker.topics.create("t", 1, {})
    wire.send(_produce("t", batch(), acks=0), 8)
    await wire.ask(schema.ApiVersionsRequest(), 0)
    assert broker.topics.partition("t", 0).end_offset == 1


@pytest.mark.parametrize(
    ("request_to_make", "code"),
    [
        (lambda: _produce("t", batch(), acks=2), ErrorCode.INVALID_REQUIRED_ACKS),
        (lambda: _produce("nowhere", batch()), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        (lambda: _produce("t", batch(), partition=7), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        (lambda: _produce("t", batch()[:-1]), ErrorCode.CORRUPT_MESSAGE),
        (lambda: _produce("t", b""), ErrorCode.CORRUPT_MESSAGE),
    ],
)
async def test_a_write_that_cannot_be_kept_is_refused(broker, wire, request_to_make, code):
    broker.topics.create("t", 1, {})
    answer = await wire.ask(request_to_make(), 8)
    partition = answer.responses[0].partition_responses[0]
    assert partition.error_code == code
    assert partition.error_message


async def test_commits_are_refused_for_partitions_that_do_not_exist(broker, wire):
    broker.topics.create("t", 1, {})
    wanted = schema.OffsetCommitRequest.OffsetCommitRequestTopic
    partitions = [
        wanted.OffsetCommitRequestPartition(partition_index=number, committed_offset=3, committed_metadata="")
        for number in (0, 9)
    ]
    request = schema.OffsetCommitRequest(group_id="g", topics=[wanted(name="t", partitions=partitions)])
    answer = await wire.ask(request, 7)
    codes = [partition.error_code for partition in answer.topics[0].partitions]
    assert codes == [ErrorCode.NONE, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]
    assert {key: commit.offset for key, commit in broker.offsets.of("g").items()} == {("t", 0): 3}


async def test_clients_are_sent_to_the_address_that_worked_for_them(broker, wire):
    answer = await wire.ask(schema.MetadataRequest(topics=[]), 7)
    node = answer.brokers[0]
    assert (node.host, node.port) == wire.writer.get_extra_info("peername")


@pytest.mark.parametrize(
    "content",
    [
        struct.pack(">i", 200_000),
        struct.pack(">i", -5),
        struct.pack(">ihhih", 10, 999, 0, 1, -1),
        struct.pack(">ihhih", 10, 3, 50, 1, -1),
        struct.pack(">ihhih", 10, 3, 1, 1, -1),
        b"GET / HTTP/1.1\r\n\r\n",
    ],
    ids=["too-large", "negative", "unknown-request", "unknown-version", "cut-body", "http"],
)
async def test_what_is_no_request_closes_its_own_connection_only(connect, content):
    stranger, friend = await connect(), await connect()
    stranger.writer.write(content)
    with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
        await stranger.receive()
    assert await friend.ask(schema.ApiVersionsRequest(), 0)


async def test_a_client_that_asks_without_end_is_held_back(broker, wire, monkeypatch):
    monkeypatch.setattr(connections, "MAX_IN_FLIGHT", 3)
    broker.topics.create("t", 1, {})
    for _ in range(50):
        wire.send(_fetch("t", 0, max_wait_ms=60_000), 11)
    await asyncio.wait_for(
        _until(lambda: len(broker.topics.partition("t", 0).watchers) == 3), _PATIENCE_SECONDS
    )
    broker.topics.partition("t", 0).append(batch())
    broker.flusher.request(broker.topics.partition("t", 0))
    for _ in range(50):
        await wire.receive()


async def test_a_client_that_goes_away_leaves_nothing_behind(broker, wire):
    broker.topics.create("t", 1, {})
    log = broker.topics.partition("t", 0)
    wire.send(_fetch("t", 0, max_wait_ms=60_000), 11)
    await asyncio.wait_for(_until(lambda: len(log.watchers) == 1), _PATIENCE_SECONDS)
    wire.writer.close()
    await asyncio.wait_for(_until(lambda: not log.watchers), _PATIENCE_SECONDS)


async def _until(done: Callable[[], bool]) -> None:
    while not done():  # noqa: ASYNC110 - what is waited for has no event
        await asyncio.sleep(0.001)
