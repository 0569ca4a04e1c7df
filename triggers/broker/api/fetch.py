"""Fetch: records below the high watermark, held back until there are enough or the client's patience ends."""

from __future__ import annotations

from typing import Any, NamedTuple

from triggers.broker.api.context import Context
from triggers.broker.errors import ApiError, ErrorCode
from triggers.broker.log.partition_log import PartitionLog
from triggers.broker.schema import FetchResponse
from triggers.broker.waiting import until

#: Records in one answer at most, whatever the client allows; one larger batch still goes through alone.
MAX_ANSWER_BYTES = 2 << 20
_Topic = FetchResponse.FetchableTopicResponse
_Partition = _Topic.PartitionData


class _Wanted(NamedTuple):
    topic: str
    partition: int
    offset: int
    max_bytes: int
    log: PartitionLog | None

    @property
    def is_refused(self) -> bool:
        log = self.log
        return log is None or log.closed or not log.start_offset <= self.offset <= log.end_offset


async def fetch(context: Context, request: Any) -> Any:
    """Sessions are off: session id 0 in every answer tells the client to name its partitions each time."""
    if request.session_id:
        return FetchResponse(error_code=ErrorCode.FETCH_SESSION_ID_NOT_FOUND, responses=[])
    wanted = [
        _wanted(context, topic.topic, partition) for topic in request.topics for partition in topic.partitions
    ]
    logs = {want.log for want in wanted if want.log is not None}
    await until(lambda: _is_enough(wanted, request.min_bytes), logs, request.max_wait_ms / 1000)
    return _answer(wanted, min(request.max_bytes, MAX_ANSWER_BYTES))


def _wanted(context: Context, topic: str, partition: Any) -> _Wanted:
    try:
        log = context.broker.topics.partition(topic, partition.partition)
    except ApiError:
        log = None
    return _Wanted(topic, partition.partition, partition.fetch_offset, partition.partition_max_bytes, log)


def _is_enough(wanted: list[_Wanted], min_bytes: int) -> bool:
    available = 0
    for want in wanted:
        if want.log is None or want.is_refused:
            return True
        available += want.log.available_bytes(want.offset)
    return available >= min_bytes


def _answer(wanted: list[_Wanted], budget: int) -> Any:
    topics: dict[str, list[Any]] = {}
    is_first = True
    for want in wanted:
        partition, size = _read(want, budget, whole_first=is_first)
        budget -= size
        is_first = is_first and size == 0
        topics.setdefault(want.topic, []).append(partition)
    return FetchResponse(responses=[_Topic(topic=name, partitions=found) for name, found in topics.items()])


def _read(want: _Wanted, budget: int, *, whole_first: bool) -> tuple[Any, int]:
    if want.log is None or want.log.closed:
        return _refusal(want, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION), 0
    try:
        records = want.log.read(want.offset, min(want.max_bytes, budget), whole_first=whole_first)
    except ApiError as error:
        return _refusal(want, error.code), 0
    partition = _Partition(
        partition_index=want.partition,
        error_code=ErrorCode.NONE,
        high_watermark=want.log.high_watermark,
        last_stable_offset=want.log.high_watermark,
        log_start_offset=want.log.start_offset,
        aborted_transactions=[],
        records=records,
    )
    return partition, len(records)


def _refusal(want: _Wanted, code: ErrorCode) -> Any:
    return _Partition(
        partition_index=want.partition,
        error_code=code,
        high_watermark=-1,
        aborted_transactions=[],
        records=b"",
    )
