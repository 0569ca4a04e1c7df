"""Being in a consumer group: JoinGroup, SyncGroup, Heartbeat, LeaveGroup."""

from __future__ import annotations

from typing import Any

from triggers.broker.api.context import Context
from triggers.broker.errors import ApiError, ErrorCode
from triggers.broker.groups.member import Caller, JoinRequest, Protocol
from triggers.broker.schema import (
    HeartbeatResponse,
    JoinGroupResponse,
    LeaveGroupResponse,
    SyncGroupResponse,
)

#: The oldest JoinGroup version whose clients know that they have to ask for a member id first.
_ID_IS_REQUIRED = 4
#: The oldest LeaveGroup version that names several members.
_LEAVES_TOGETHER = 3
#: The oldest JoinGroup version in which the protocol may be null.
_NULL_PROTOCOL = 7


async def join_group(context: Context, request: Any) -> Any:
    """Answers when the rebalance completes."""
    answer = await context.broker.groups.join(request.group_id, _join_request(context, request))
    return JoinGroupResponse(
        error_code=answer.error,
        generation_id=answer.generation,
        protocol_type=answer.protocol_type,
        protocol_name=answer.protocol if context.version >= _NULL_PROTOCOL else answer.protocol or "",
        leader=answer.leader,
        member_id=answer.member_id,
        members=[
            JoinGroupResponse.JoinGroupResponseMember(
                member_id=member.member_id, group_instance_id=member.instance_id, metadata=member.metadata
            )
            for member in answer.members
        ],
    )


async def sync_group(context: Context, request: Any) -> Any:
    """Answers when the leader has brought the assignment."""
    assignments = {item.member_id: bytes(item.assignment) for item in request.assignments}
    answer = await context.broker.groups.sync(request.group_id, _caller(request), assignments)
    return SyncGroupResponse(
        error_code=answer.error,
        protocol_type=answer.protocol_type,
        protocol_name=answer.protocol,
        assignment=answer.assignment,
    )


async def heartbeat(context: Context, request: Any) -> Any:
    try:
        error = context.broker.groups.heartbeat(request.group_id, _caller(request))
    except ApiError as refusal:
        error = refusal.code
    return HeartbeatResponse(error_code=error)


async def leave_group(context: Context, request: Any) -> Any:
    if context.version < _LEAVES_TOGETHER:
        return LeaveGroupResponse(error_code=_leave(context, request.group_id, request.member_id, None))
    members = [
        LeaveGroupResponse.MemberResponse(
            member_id=member.member_id,
            group_instance_id=member.group_instance_id,
            error_code=_leave(context, request.group_id, member.member_id, member.group_instance_id),
        )
        for member in request.members
    ]
    return LeaveGroupResponse(error_code=ErrorCode.NONE, members=members)


def _leave(context: Context, group: str, member_id: str, instance_id: str | None) -> ErrorCode:
    try:
        context.broker.groups.leave(group, member_id, instance_id)
    except ApiError as error:
        return error.code
    return ErrorCode.NONE


def _caller(request: Any) -> Caller:
    return Caller(request.member_id, request.group_instance_id, request.generation_id)


def _join_request(context: Context, request: Any) -> JoinRequest:
    session_seconds = request.session_timeout_ms / 1000
    rebalance_ms = request.rebalance_timeout_ms
    return JoinRequest(
        member_id=request.member_id,
        instance_id=request.group_instance_id,
        protocol_type=request.protocol_type,
        protocols=tuple(Protocol(item.name, bytes(item.metadata)) for item in request.protocols),
        session_seconds=session_seconds,
        rebalance_seconds=rebalance_ms / 1000 if rebalance_ms > 0 else session_seconds,
        client_id=context.client_id,
        client_host=context.client_host,
        needs_known_id=context.version >= _ID_IS_REQUIRED,
    )
