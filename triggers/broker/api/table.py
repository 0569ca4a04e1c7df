"""Every request the broker knows: its number, the versions it takes, who answers it.

The ranges are what kafka-python 3, aiokafka 0.14 and librdkafka 2 can all use, and end before topic ids (KIP-516), which one
node has no need of.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from triggers.broker import schema
from triggers.broker.api import configs, groups, list_offsets, membership, metadata, offsets, topics
from triggers.broker.api.context import Context
from triggers.broker.api.fetch import fetch
from triggers.broker.api.produce import init_producer_id, produce
from triggers.broker.errors import ErrorCode

Handler = Callable[[Context, Any], Awaitable[Any | None]]


@dataclass(frozen=True)
class Api:
    request: Any
    """kafka-python's class."""
    oldest: int
    newest: int
    handle: Handler

    @property
    def key(self) -> int:
        return int(self.request.API_KEY)

    def is_flexible(self, version: int) -> bool:
        return bool(self.request.flexible_version_q(version))


async def api_versions(_context: Context, _request: Any) -> Any:
    return versions_answer(ErrorCode.NONE)


def versions_answer(code: ErrorCode) -> Any:
    """The table in the protocol's form."""
    return schema.ApiVersionsResponse(
        error_code=code,
        api_keys=[
            schema.ApiVersionsResponse.ApiVersion(
                api_key=api.key, min_version=api.oldest, max_version=api.newest
            )
            for api in APIS.values()
        ],
    )


_ALL = (
    # Versions 0 to 2 are announced because librdkafka takes their absence for "no compression"; their old message
    # formats are refused when they come.
    Api(schema.ProduceRequest, 0, 8, produce),
    Api(schema.FetchRequest, 4, 11, fetch),
    Api(schema.ListOffsetsRequest, 1, 7, list_offsets.list_offsets),
    Api(schema.MetadataRequest, 0, 7, metadata.metadata),
    Api(schema.OffsetCommitRequest, 2, 8, offsets.offset_commit),
    Api(schema.OffsetFetchRequest, 1, 7, offsets.offset_fetch),
    Api(schema.FindCoordinatorRequest, 0, 3, metadata.find_coordinator),
    Api(schema.JoinGroupRequest, 0, 7, membership.join_group),
    Api(schema.HeartbeatRequest, 0, 4, membership.heartbeat),
    Api(schema.LeaveGroupRequest, 0, 5, membership.leave_group),
    Api(schema.SyncGroupRequest, 0, 5, membership.sync_group),
    Api(schema.DescribeGroupsRequest, 0, 5, groups.describe_groups),
    Api(schema.ListGroupsRequest, 0, 5, groups.list_groups),
    Api(schema.ApiVersionsRequest, 0, 4, api_versions),
    Api(schema.CreateTopicsRequest, 2, 6, topics.create_topics),
    Api(schema.DeleteTopicsRequest, 1, 5, topics.delete_topics),
    Api(schema.DeleteRecordsRequest, 0, 2, topics.delete_records),
    Api(schema.InitProducerIdRequest, 0, 4, init_producer_id),
    Api(schema.DescribeConfigsRequest, 1, 4, configs.describe_configs),
    Api(schema.CreatePartitionsRequest, 0, 3, topics.create_partitions),
    Api(schema.DeleteGroupsRequest, 0, 2, groups.delete_groups),
    Api(schema.OffsetDeleteRequest, 0, 0, offsets.offset_delete),
    Api(schema.DescribeClusterRequest, 0, 0, metadata.describe_cluster),
)
APIS = {api.key: api for api in _ALL}
