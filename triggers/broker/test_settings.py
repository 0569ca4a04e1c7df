from __future__ import annotations

import pytest

from triggers.broker.errors import ApiError, ErrorCode
from triggers.broker.log.partition_log import LogLimits
from triggers.broker.settings import describe_limits, topic_limits


def test_a_topics_configs_override_the_brokers_and_are_described_as_they_are():
    limits = topic_limits(
        {"retention.ms": "-1", "segment.bytes": "4096", "cleanup.policy": "delete"}, LogLimits()
    )
    assert (limits.retention_ms, limits.segment_bytes) == (-1, 4096)
    assert limits.max_batch_bytes == LogLimits().max_batch_bytes
    assert describe_limits(limits)["retention.ms"] == "-1"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("cleanup.policy", "compact", "cleanup.policy=compact is not supported"),
        ("retention.ms", "soon", "retention.ms='soon' is not a whole number"),
        ("retention.ms", None, "retention.ms=None is not a whole number"),
        ("retention.bytes", "-2", "retention.bytes=-2 is too small; use -1 or more"),
        ("segment.bytes", "10", "segment.bytes=10 is too small; use 1024 or more"),
        (
            "colour",
            "red",
            "topic config colour is not supported by the embedded broker; it knows cleanup.policy",
        ),
    ],
)
def test_configs_that_would_not_be_kept_are_refused(name, value, sentence):
    with pytest.raises(ApiError) as refusal:
        topic_limits({name: value}, LogLimits())
    assert refusal.value.code is ErrorCode.INVALID_CONFIG
    assert sentence in str(refusal.value)
