"""Changing topics: CreateTopics, DeleteTopics, CreatePartitions, DeleteRecords."""

from __future__ import annotations

from collections import Counter
from typing import Any

from triggers.broker.api.context import Context
from triggers.broker.errors import ApiError, ErrorCode
from triggers.broker.schema import (
    CreatePartitionsResponse,
    CreateTopicsResponse,
    DeleteRecordsResponse,
    DeleteTopicsResponse,
)

#: A count or factor of this value means: the broker's default.
_DEFAULT = -1
#: DeleteRecords: everything up to the high watermark.
_ALL_RECORDS = -1
_Records = DeleteRecordsResponse.DeleteRecordsTopicResult


async def create_topics(context: Context, request: Any) -> Any:
    """Each topic succeeds or fails on its own; the answer comes when the journal is on disk."""
    names = Counter(topic.name for topic in request.topics)
    results = [_create(context, topic, names, only_check=request.validate_only) for topic in request.topics]
    await context.broker.durable(context.broker.topics.journal)
    return CreateTopicsResponse(topics=results)


async def delete_topics(context: Context, request: Any) -> Any:
    """The groups' offsets in a deleted topic go with it."""
    results = [_delete(context, name) for name in request.topic_names]
    await context.broker.durable(context.broker.topics.journal)
    await context.broker.durable(context.broker.offsets.journal)
    return DeleteTopicsResponse(responses=results)


async def create_partitions(context: Context, request: Any) -> Any:
    results = [_extend(context, topic, only_check=request.validate_only) for topic in request.topics]
    await context.broker.durable(context.broker.topics.journal)
    return CreatePartitionsResponse(results=results)


async def delete_records(context: Context, request: Any) -> Any:
    return DeleteRecordsResponse(
        topics=[
            _Records(
                name=topic.name,
                partitions=[_delete_records(context, topic.name, item) for item in topic.partitions],
            )
            for topic in request.topics
        ]
    )


def _create(context: Context, wanted: Any, names: Counter[str], *, only_check: bool) -> Any:
    topics = context.broker.topics
    count = wanted.num_partitions
    try:
        _check_creation(wanted, names)
        if wanted.assignments:
            count = len(wanted.assignments)
        elif count == _DEFAULT:
            count = context.broker.settings.partitions
        configs = {config.name: config.value for config in wanted.configs}
        (topics.check_new if only_check else topics.create)(wanted.name, count, configs)
    except ApiError as error:
        return _created(wanted.name, error.code, str(error))
    return _created(wanted.name, ErrorCode.NONE, None, count)


def _check_creation(wanted: Any, names: Counter[str]) -> None:
    if names[wanted.name] > 1:
        raise ApiError(ErrorCode.INVALID_REQUEST, f"topic {wanted.name} is named more than once")
    if wanted.replication_factor not in (_DEFAULT, 1):
        raise ApiError(
            ErrorCode.INVALID_REPLICATION_FACTOR,
            f"replication factor {wanted.replication_factor} is not possible with one broker; use 1",
        )


def _created(name: str, code: ErrorCode, text: str | None, count: int = -1) -> Any:
    return CreateTopicsResponse.CreatableTopicResult(
        name=name,
        error_code=code,
        error_message=text,
        num_partitions=count,
        replication_factor=1 if count > 0 else -1,
        configs=None,
    )


def _delete(context: Context, name: str) -> Any:
    code, text = ErrorCode.NONE, None
    try:
        context.broker.topics.delete(name)
        context.broker.offsets.forget_topic(name)
    except ApiError as error:
        code, text = error.code, str(error)
    return DeleteTopicsResponse.DeletableTopicResult(name=name, error_code=code, error_message=text)


def _extend(context: Context, wanted: Any, *, only_check: bool) -> Any:
    topics = context.broker.topics
    code, text = ErrorCode.NONE, None
    try:
        (topics.check_extension if only_check else topics.extend)(wanted.name, wanted.count)
    except ApiError as error:
        code, text = error.code, str(error)
    return CreatePartitionsResponse.CreatePartitionsTopicResult(
        name=wanted.name, error_code=code, error_message=text
    )


def _delete_records(context: Context, topic: str, wanted: Any) -> Any:
    code, low = ErrorCode.NONE, -1
    try:
        log = context.broker.topics.partition(topic, wanted.partition_index)
        log.delete_before(log.high_watermark if wanted.offset == _ALL_RECORDS else wanted.offset)
        low = log.start_offset
    except ApiError as error:
        code = error.code
    return _Records.DeleteRecordsPartitionResult(
        partition_index=wanted.partition_index, low_watermark=low, error_code=code
    )
