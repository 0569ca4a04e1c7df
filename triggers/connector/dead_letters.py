"""Where records go that their function will never handle: ``<topic>.dlq``, with all that is known about why."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError

from triggers.connector.delivery import Attempt
from triggers.connector.event import Record
from triggers.connector.trigger import DEAD_LETTER_SUFFIX, Trigger

#: Attempts told of in the headers; of more, the last ones.
MOST_ATTEMPTS = 20

log = logging.getLogger(__name__)


class DeadLetters:
    """Parks records. The record keeps key, value and headers; headers ``dlq_…`` are added."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def park(self, trigger: Trigger, record: Record, attempts: Sequence[Attempt]) -> None:
        """Return when Kafka has it; raises KafkaError when it has not."""
        topic = record.topic.removesuffix(DEAD_LETTER_SUFFIX) + DEAD_LETTER_SUFFIX
        headers = [*_original(record), *_explanation(trigger, record, attempts)]
        try:
            await self._producer.send_and_wait(topic, record.value, key=record.key, headers=headers)
        except MessageSizeTooLargeError:
            # With its explanation the record outgrew the topic's limit. Its value still lies where the headers point.
            headers.append(("dlq_value_left_out", b"true"))
            await self._producer.send_and_wait(topic, b"", key=record.key, headers=headers)
        last = attempts[-1] if attempts else None
        log.warning(
            "function %s will not handle %s/%d offset %d (%s); parked in %s",
            trigger.key, record.topic, record.partition, record.offset, last, topic,
        )  # fmt: skip


def _original(record: Record) -> list[tuple[str, bytes]]:
    # A record that was redriven and fails again tells of its last failure only.
    return [(name, value or b"") for name, value in record.headers if not name.startswith("dlq_")]


def _explanation(trigger: Trigger, record: Record, attempts: Sequence[Attempt]) -> list[tuple[str, bytes]]:
    texts = {
        "dlq_function": trigger.key,
        "dlq_topic": record.topic,
        "dlq_partition": str(record.partition),
        "dlq_offset": str(record.offset),
        "dlq_timestamp_ms": str(record.timestamp),
        "dlq_attempt_count": str(len(attempts)),
    }
    told = [attempt.to_json() for attempt in attempts[-MOST_ATTEMPTS:]]
    return [
        *((name, text.encode()) for name, text in texts.items()),
        ("dlq_key", record.key or b""),
        ("dlq_attempts", orjson.dumps(told)),
    ]
