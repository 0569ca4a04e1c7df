"""Where things are: Metadata, FindCoordinator, DescribeCluster. On one node the answer is always: here."""

from __future__ import annotations

from typing import Any

from triggers.broker.api.context import Context
from triggers.broker.broker import NODE_ID
from triggers.broker.errors import ApiError, ErrorCode
from triggers.broker.log.batch import LEADER_EPOCH
from triggers.broker.schema import DescribeClusterResponse, FindCoordinatorResponse, MetadataResponse
from triggers.broker.topics import Topic

_Topic = MetadataResponse.MetadataResponseTopic
_Partition = _Topic.MetadataResponsePartition
_GROUP = 0
#: The oldest version whose empty list of topics means none; before, it meant all.
_EMPTY_MEANS_NONE = 1
#: The oldest version that lets a client forbid the creation of topics.
_CREATION_IS_ASKED = 4


async def metadata(context: Context, request: Any) -> Any:
    """Topics asked for by name are created when they are missing, if client and broker allow it."""
    broker = context.broker
    if _is_for_all(context, request):
        topics = [_described(topic) for topic in broker.topics]
    else:
        may_create = request.allow_auto_topic_creation or context.version < _CREATION_IS_ASKED
        before = broker.topics.journal.written
        topics = [
            _found_or_created(context, wanted.name, may_create=may_create and broker.settings.auto_create)
            for wanted in request.topics
        ]
        if broker.topics.journal.written > before:
            await broker.durable(broker.topics.journal)
    return MetadataResponse(
        brokers=[
            MetadataResponse.MetadataResponseBroker(node_id=NODE_ID, host=context.host, port=context.port)
        ],
        cluster_id=broker.cluster_id,
        controller_id=NODE_ID,
        topics=topics,
    )


async def find_coordinator(context: Context, request: Any) -> Any:
    if request.key_type != _GROUP:
        return FindCoordinatorResponse(
            error_code=ErrorCode.INVALID_REQUEST,
            error_message="transactions are not supported by the embedded broker",
            node_id=-1,
            host="",
            port=-1,
        )
    return FindCoordinatorResponse(
        error_code=ErrorCode.NONE, error_message=None, node_id=NODE_ID, host=context.host, port=context.port
    )


async def describe_cluster(context: Context, _request: Any) -> Any:
    node = DescribeClusterResponse.DescribeClusterBroker(
        broker_id=NODE_ID, host=context.host, port=context.port, rack=None
    )
    return DescribeClusterResponse(
        error_code=ErrorCode.NONE,
        cluster_id=context.broker.cluster_id,
        controller_id=NODE_ID,
        brokers=[node],
        authorized_operations=None,
    )


def _is_for_all(context: Context, request: Any) -> bool:
    return request.topics is None or (not request.topics and context.version < _EMPTY_MEANS_NONE)


def _found_or_created(context: Context, name: str, *, may_create: bool) -> Any:
    topic = context.broker.topics.get(name)
    try:
        if topic is None and may_create:
            topic = context.broker.topics.create(name, context.broker.settings.partitions, {})
    except ApiError as error:
        return _Topic(error_code=error.code, name=name, partitions=[])
    if topic is None:
        return _Topic(error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, name=name, partitions=[])
    return _described(topic)


def _described(topic: Topic) -> Any:
    return _Topic(
        error_code=ErrorCode.NONE,
        name=topic.name,
        partitions=[
            _Partition(
                error_code=ErrorCode.NONE,
                partition_index=number,
                leader_id=NODE_ID,
                leader_epoch=LEADER_EPOCH,
                replica_nodes=[NODE_ID],
                isr_nodes=[NODE_ID],
                offline_replicas=[],
            )
            for number in range(len(topic.partitions))
        ],
    )
