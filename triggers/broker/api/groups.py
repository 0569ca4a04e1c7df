"""Looking at groups and removing them: ListGroups, DescribeGroups, DeleteGroups."""

from __future__ import annotations

from typing import Any

from triggers.broker.api.context import Context
from triggers.broker.errors import ErrorCode
from triggers.broker.groups.group import Group, State
from triggers.broker.groups.member import Member
from triggers.broker.schema import DeleteGroupsResponse, DescribeGroupsResponse, ListGroupsResponse

#: Protocol type of groups that only have commits left: we know of no other use of commits.
_CONSUMER = "consumer"
#: What Apache Kafka answers for a group that does not exist.
_DEAD = "Dead"
_Described = DescribeGroupsResponse.DescribedGroup


async def list_groups(context: Context, request: Any) -> Any:
    """Groups with members, and those without whose offsets are kept."""
    broker = context.broker
    names = sorted({*broker.groups.names(), *broker.offsets.groups()})
    groups = [(name, broker.groups.get(name)) for name in names]
    wanted = {state.lower() for state in request.states_filter or ()}
    return ListGroupsResponse(
        error_code=ErrorCode.NONE,
        groups=[
            ListGroupsResponse.ListedGroup(
                group_id=name,
                protocol_type=group.protocol_type if group else _CONSUMER,
                group_state=_state(group),
                group_type="classic",
            )
            for name, group in groups
            if not wanted or _state(group).lower() in wanted
        ],
    )


async def describe_groups(context: Context, request: Any) -> Any:
    return DescribeGroupsResponse(groups=[_describe(context, name) for name in request.groups])


async def delete_groups(context: Context, request: Any) -> Any:
    results = [
        DeleteGroupsResponse.DeletableGroupResult(group_id=name, error_code=_delete(context, name))
        for name in request.groups_names
    ]
    await context.broker.durable(context.broker.offsets.journal)
    return DeleteGroupsResponse(results=results)


def _state(group: Group | None) -> str:
    return (group.state if group else State.EMPTY).value


def _describe(context: Context, name: str) -> Any:
    group = context.broker.groups.get(name)
    if group is None:
        exists = bool(context.broker.offsets.of(name))
        return _Described(
            error_code=ErrorCode.NONE,
            group_id=name,
            group_state=State.EMPTY.value if exists else _DEAD,
            protocol_type=_CONSUMER if exists else "",
            protocol_data="",
            members=[],
            authorized_operations=None,
        )
    return _Described(
        error_code=ErrorCode.NONE,
        group_id=name,
        group_state=group.state.value,
        protocol_type=group.protocol_type,
        protocol_data=group.protocol or "",
        members=[_member(group, member) for member in group.members.values()],
        authorized_operations=None,
    )


def _member(group: Group, member: Member) -> Any:
    is_stable = group.state is State.STABLE
    return _Described.DescribedGroupMember(
        member_id=member.id,
        group_instance_id=member.request.instance_id,
        client_id=member.request.client_id,
        client_host=member.request.client_host,
        member_metadata=member.metadata(group.protocol or "") if is_stable else b"",
        member_assignment=member.assignment if is_stable else b"",
    )


def _delete(context: Context, name: str) -> ErrorCode:
    if context.broker.groups.get(name) is not None:
        return ErrorCode.NON_EMPTY_GROUP
    if not context.broker.offsets.of(name):
        return ErrorCode.GROUP_ID_NOT_FOUND
    context.broker.offsets.forget(name)
    return ErrorCode.NONE
