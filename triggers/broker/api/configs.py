"""DescribeConfigs of topics and of the broker."""

from __future__ import annotations

from typing import Any

from triggers.broker.api.context import Context
from triggers.broker.broker import NODE_ID
from triggers.broker.errors import ApiError, ErrorCode
from triggers.broker.schema import DescribeConfigsResponse
from triggers.broker.settings import BrokerSettings, describe_limits

_TOPIC = 2
_BROKER = 4
#: Where a value comes from, in the protocol's numbers.
_FROM_TOPIC = 1
_FROM_START = 4
_FROM_DEFAULT = 5
_Result = DescribeConfigsResponse.DescribeConfigsResult


async def describe_configs(context: Context, request: Any) -> Any:
    return DescribeConfigsResponse(results=[_describe(context, resource) for resource in request.resources])


def _describe(context: Context, resource: Any) -> Any:
    try:
        found = _values(context, resource)
    except ApiError as error:
        return _result(resource, error.code, str(error), [])
    keys = resource.configuration_keys
    configs = [
        _config(name, value, source) for name, (value, source) in found.items() if not keys or name in keys
    ]
    return _result(resource, ErrorCode.NONE, None, configs)


def _values(context: Context, resource: Any) -> dict[str, tuple[str, int]]:
    broker = context.broker
    if resource.resource_type == _BROKER and resource.resource_name in ("", str(NODE_ID)):
        return {name: (value, _FROM_START) for name, value in _broker_values(broker.settings).items()}
    if resource.resource_type != _TOPIC:
        raise ApiError(ErrorCode.INVALID_REQUEST, "only topics and the broker itself have configs here")
    topic = broker.topics.get(resource.resource_name)
    if topic is None:
        raise ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"there is no topic {resource.resource_name}")
    return {
        name: (value, _FROM_TOPIC if name in topic.configs else _FROM_DEFAULT)
        for name, value in describe_limits(topic.limits).items()
    }


def _broker_values(settings: BrokerSettings) -> dict[str, str]:
    return {
        "auto.create.topics.enable": str(settings.auto_create).lower(),
        "broker.id": str(NODE_ID),
        "default.replication.factor": "1",
        "log.retention.bytes": str(settings.limits.retention_bytes),
        "log.retention.ms": str(settings.limits.retention_ms),
        "log.segment.bytes": str(settings.limits.segment_bytes),
        "message.max.bytes": str(settings.limits.max_batch_bytes),
        "num.partitions": str(settings.partitions),
    }


def _config(name: str, value: str, source: int) -> Any:
    return _Result.DescribeConfigsResourceResult(
        name=name,
        value=value,
        # Nothing can be changed while the broker runs.
        read_only=True,
        config_source=source,
        is_default=source == _FROM_DEFAULT,
        is_sensitive=False,
        synonyms=[],
        documentation=None,
    )


def _result(resource: Any, code: ErrorCode, text: str | None, configs: list[Any]) -> Any:
    return _Result(
        error_code=code,
        error_message=text,
        resource_type=resource.resource_type,
        resource_name=resource.resource_name,
        configs=configs,
    )
