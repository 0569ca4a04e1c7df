"""Produce and InitProducerId."""

from __future__ import annotations

from typing import Any, NamedTuple

from triggers.broker.api.context import Context
from triggers.broker.errors import ApiError, ErrorCode
from triggers.broker.log.partition_log import Appended, PartitionLog
from triggers.broker.schema import InitProducerIdResponse, ProduceResponse
from triggers.broker.waiting import until

_NO_ACKS = 0
_ALL_ACKS = -1
_Topic = ProduceResponse.TopicProduceResponse
_Partition = _Topic.PartitionProduceResponse


class _Write(NamedTuple):
    topic: str
    partition: int
    log: PartitionLog | None = None
    appended: Appended | None = None
    error: ApiError | None = None

    @property
    def is_durable(self) -> bool:
        if self.log is None or self.appended is None or self.log.closed:
            return True
        return self.log.high_watermark >= self.appended.next_offset


async def produce(context: Context, request: Any) -> Any | None:
    """Append, and with acks=all answer after the sync. There is no answer for acks=0."""
    if request.acks not in (_NO_ACKS, 1, _ALL_ACKS):
        return _answer([_Write(*place, error=_BAD_ACKS) for place in _places(request)])
    # No await before this line: requests of one connection must be appended in the order they came.
    writes = [
        _append(context, topic.name, partition.index, partition.records)
        for topic in request.topic_data
        for partition in topic.partition_data
    ]
    logs = {write.log for write in writes if write.log is not None}
    for log in logs:
        context.broker.flusher.request(log)
    if request.acks == _NO_ACKS:
        return None
    if request.acks == _ALL_ACKS:
        await until(lambda: all(write.is_durable for write in writes), logs, request.timeout_ms / 1000)
        writes = [_settled(write) for write in writes]
    return _answer(writes)


async def init_producer_id(context: Context, request: Any) -> Any:
    """A new producer id; an idempotent producer that lost its sequence gets a new one as well."""
    if request.transactional_id is not None:
        return InitProducerIdResponse(error_code=ErrorCode.INVALID_REQUEST, producer_id=-1, producer_epoch=-1)
    return InitProducerIdResponse(producer_id=context.broker.producer_ids.take(), producer_epoch=0)


_BAD_ACKS = ApiError(ErrorCode.INVALID_REQUIRED_ACKS, "acks must be 0, 1 or all (-1)")


def _places(request: Any) -> list[tuple[str, int]]:
    return [
        (topic.name, partition.index) for topic in request.topic_data for partition in topic.partition_data
    ]


def _append(context: Context, topic: str, partition: int, content: bytes | None) -> _Write:
    try:
        log = context.broker.topics.partition(topic, partition)
        return _Write(topic, partition, log, log.append(content or b""))
    except ApiError as error:
        return _Write(topic, partition, error=error)


def _settled(write: _Write) -> _Write:
    if write.log is not None and write.log.closed:
        return write._replace(error=ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "the topic was deleted"))
    if not write.is_durable:
        return write._replace(error=ApiError(ErrorCode.REQUEST_TIMED_OUT, "the disk did not sync in time"))
    return write


def _answer(writes: list[_Write]) -> Any:
    topics: dict[str, list[Any]] = {}
    for write in writes:
        topics.setdefault(write.topic, []).append(_partition(write))
    return ProduceResponse(
        responses=[_Topic(name=name, partition_responses=partitions) for name, partitions in topics.items()]
    )


def _partition(write: _Write) -> Any:
    if write.error is not None or write.appended is None or write.log is None:
        error = write.error or ApiError(ErrorCode.UNKNOWN_SERVER_ERROR)
        return _Partition(
            index=write.partition,
            error_code=error.code,
            base_offset=-1,
            record_errors=[],
            error_message=str(error),
        )
    return _Partition(
        index=write.partition,
        error_code=ErrorCode.NONE,
        base_offset=write.appended.base_offset,
        log_start_offset=write.log.start_offset,
        record_errors=[],
    )
