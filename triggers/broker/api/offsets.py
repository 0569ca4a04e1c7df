"""A group's place in its topics: OffsetCommit, OffsetFetch, OffsetDelete."""

from __future__ import annotations

from typing import Any

from triggers.broker.api.context import Context
from triggers.broker.errors import ApiError, ErrorCode
from triggers.broker.groups.member import Caller
from triggers.broker.offsets import Commit, TopicPartition
from triggers.broker.schema import OffsetCommitResponse, OffsetDeleteResponse, OffsetFetchResponse

#: Longest text a client may attach to a commit, in characters.
MAX_METADATA = 4096
_NO_COMMIT = Commit(-1)
_Committed = OffsetCommitResponse.OffsetCommitResponseTopic
_Fetched = OffsetFetchResponse.OffsetFetchResponseTopic
_Deleted = OffsetDeleteResponse.OffsetDeleteResponseTopic


async def offset_commit(context: Context, request: Any) -> Any:
    """Answers after the sync. Each partition is accepted or refused on its own."""
    broker = context.broker
    caller = Caller(request.member_id, request.group_instance_id, request.generation_id_or_member_epoch)
    try:
        broker.groups.check_commit(request.group_id, caller)
    except ApiError as error:
        return _commit_answer(request, {}, default=error.code)
    refused: dict[TopicPartition, ErrorCode] = {}
    commits: dict[TopicPartition, Commit] = {}
    for topic in request.topics:
        for wanted in topic.partitions:
            try:
                commits[topic.name, wanted.partition_index] = _commit(context, topic.name, wanted)
            except ApiError as error:
                refused[topic.name, wanted.partition_index] = error.code
    broker.offsets.commit(request.group_id, commits)
    await broker.durable(broker.offsets.journal)
    return _commit_answer(request, refused)


async def offset_fetch(context: Context, request: Any) -> Any:
    commits = context.broker.offsets.of(request.group_id)
    topics: dict[str, list[Any]] = {}
    for topic, partition in commits if request.topics is None else _asked(request.topics):
        commit = commits.get((topic, partition), _NO_COMMIT)
        topics.setdefault(topic, []).append(
            _Fetched.OffsetFetchResponsePartition(
                partition_index=partition,
                committed_offset=commit.offset,
                committed_leader_epoch=commit.leader_epoch,
                metadata=commit.metadata,
                error_code=ErrorCode.NONE,
            )
        )
    return OffsetFetchResponse(
        topics=[_Fetched(name=name, partitions=partitions) for name, partitions in topics.items()],
        error_code=ErrorCode.NONE,
    )


async def offset_delete(context: Context, request: Any) -> Any:
    """Refused for a group with members: they could be reading these topics."""
    broker = context.broker
    if broker.groups.get(request.group_id) is not None:
        return OffsetDeleteResponse(error_code=ErrorCode.NON_EMPTY_GROUP, topics=[])
    if not broker.offsets.of(request.group_id):
        return OffsetDeleteResponse(error_code=ErrorCode.GROUP_ID_NOT_FOUND, topics=[])
    named = [(topic.name, wanted.partition_index) for topic in request.topics for wanted in topic.partitions]
    broker.offsets.forget(request.group_id, named)
    await broker.durable(broker.offsets.journal)
    return OffsetDeleteResponse(
        error_code=ErrorCode.NONE,
        topics=[
            _Deleted(
                name=topic.name,
                partitions=[
                    _Deleted.OffsetDeleteResponsePartition(
                        partition_index=wanted.partition_index, error_code=0
                    )
                    for wanted in topic.partitions
                ],
            )
            for topic in request.topics
        ],
    )


def _commit(context: Context, topic: str, wanted: Any) -> Commit:
    context.broker.topics.partition(topic, wanted.partition_index)
    metadata = wanted.committed_metadata or ""
    if len(metadata) > MAX_METADATA:
        raise ApiError(ErrorCode.OFFSET_METADATA_TOO_LARGE)
    return Commit(wanted.committed_offset, wanted.committed_leader_epoch, metadata)


def _commit_answer(
    request: Any, refused: dict[TopicPartition, ErrorCode], default: ErrorCode = ErrorCode.NONE
) -> Any:
    return OffsetCommitResponse(
        topics=[
            _Committed(
                name=topic.name,
                partitions=[
                    _Committed.OffsetCommitResponsePartition(
                        partition_index=wanted.partition_index,
                        error_code=refused.get((topic.name, wanted.partition_index), default),
                    )
                    for wanted in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )


def _asked(topics: Any) -> list[TopicPartition]:
    return [(topic.name, partition) for topic in topics for partition in topic.partition_indexes]
