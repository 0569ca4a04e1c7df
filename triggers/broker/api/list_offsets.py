"""ListOffsets: the first, the next, the newest, or the one at a time."""

from __future__ import annotations

from typing import Any

from triggers.broker.api.context import Context
from triggers.broker.errors import ApiError, ErrorCode
from triggers.broker.log.batch import LEADER_EPOCH
from triggers.broker.log.partition_log import PartitionLog, TimedOffset
from triggers.broker.schema import ListOffsetsResponse

_NEXT = -1
_FIRST = -2
_NEWEST = -3
_NOT_FOUND = TimedOffset(-1, -1)
_Topic = ListOffsetsResponse.ListOffsetsTopicResponse
_Partition = _Topic.ListOffsetsPartitionResponse


async def list_offsets(context: Context, request: Any) -> Any:
    return ListOffsetsResponse(
        topics=[
            _Topic(
                name=topic.name,
                partitions=[_partition(context, topic.name, wanted) for wanted in topic.partitions],
            )
            for topic in request.topics
        ]
    )


def _partition(context: Context, topic: str, wanted: Any) -> Any:
    try:
        found = _find(context.broker.topics.partition(topic, wanted.partition_index), wanted.timestamp)
    except ApiError as error:
        return _Partition(partition_index=wanted.partition_index, error_code=error.code)
    return _Partition(
        partition_index=wanted.partition_index,
        error_code=ErrorCode.NONE,
        offset=found.offset,
        timestamp=found.timestamp_ms,
        leader_epoch=LEADER_EPOCH,
    )


def _find(log: PartitionLog, timestamp: int) -> TimedOffset:
    if timestamp == _NEXT:
        return TimedOffset(log.high_watermark, -1)
    if timestamp == _FIRST:
        return TimedOffset(log.start_offset, -1)
    if timestamp == _NEWEST:
        return log.latest() or _NOT_FOUND
    if timestamp < 0:
        raise ApiError(ErrorCode.INVALID_REQUEST)
    return log.offset_at(timestamp) or _NOT_FOUND
