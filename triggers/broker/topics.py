"""Topics and their partitions: what exists, kept in a journal, and the open logs."""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from triggers.broker.errors import ApiError, ErrorCode
from triggers.broker.journal import Journal
from triggers.broker.log.partition_log import LogLimits, PartitionLog
from triggers.broker.settings import topic_limits

_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}\Z")
#: Partitions one topic may have; each is a folder with an open file.
MAX_PARTITIONS = 1000


@dataclass
class Topic:
    name: str
    id: str
    """UUID in hexadecimal: a topic created again under its old name is another one."""
    configs: dict[str, str]
    limits: LogLimits
    partitions: list[PartitionLog] = field(default_factory=list)

    def fact(self, partitions: int) -> dict[str, Any]:
        return {"topic": self.name, "id": self.id, "partitions": partitions, "configs": self.configs}


class Topics:
    """The registry. Changes are in memory and in the journal at once; wait for ``journal`` before answering the client."""

    def __init__(self, folder: Path, defaults: LogLimits) -> None:
        """Open every partition below ``folder``; raises :class:`BrokerError`."""
        self._logs = folder / "logs"
        self._logs.mkdir(mode=0o700, exist_ok=True)
        self._defaults = defaults
        self._topics: dict[str, Topic] = {}
        self.journal = Journal(folder / "topics.journal", self._facts)
        for fact in _latest(self.journal.facts):
            self._restore(fact)
        self.journal.facts.clear()
        self._remove_strangers()

    def __iter__(self) -> Iterator[Topic]:
        return iter(tuple(self._topics.values()))

    def get(self, name: str) -> Topic | None:
        return self._topics.get(name)

    def partition(self, name: str, number: int) -> PartitionLog:
        """Raises :class:`ApiError` (UNKNOWN_TOPIC_OR_PARTITION)."""
        topic = self._topics.get(name)
        if topic is None or not 0 <= number < len(topic.partitions):
            raise ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        return topic.partitions[number]

    def check_new(self, name: str, partitions: int, configs: Mapping[str, str | None]) -> LogLimits:
        """The limits a topic would get; raises :class:`ApiError` when it cannot be created."""
        if not _NAME.match(name) or name in (".", ".."):
            raise ApiError(
                ErrorCode.INVALID_TOPIC,
                f"topic name {name!r} is not valid; use up to 249 of A-Z a-z 0-9 . _ -",
            )
        if name in self._topics:
            raise ApiError(ErrorCode.TOPIC_ALREADY_EXISTS, f"topic {name} exists")
        _check_count(partitions)
        return topic_limits(configs, self._defaults)

    def create(self, name: str, partitions: int, configs: Mapping[str, str | None]) -> Topic:
        """Raises :class:`ApiError`."""
        limits = self.check_new(name, partitions, configs)
        topic = Topic(name, uuid.uuid4().hex, {key: str(value) for key, value in configs.items()}, limits)
        self.journal.append(topic.fact(partitions))
        self._topics[name] = topic
        self._open_up_to(topic, partitions)
        return topic

    def check_extension(self, name: str, partitions: int) -> Topic:
        """Raises :class:`ApiError` when the topic cannot grow to ``partitions``."""
        topic = self._topics.get(name)
        if topic is None:
            raise ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"there is no topic {name}")
        _check_count(partitions)
        if partitions <= len(topic.partitions):
            raise ApiError(
                ErrorCode.INVALID_PARTITIONS,
                f"topic {name} has {len(topic.partitions)} partitions already; a topic can only grow",
            )
        return topic

    def extend(self, name: str, partitions: int) -> None:
        """Give the topic more partitions, up to ``partitions``."""
        topic = self.check_extension(name, partitions)
        self.journal.append(topic.fact(partitions))
        self._open_up_to(topic, partitions)

    def delete(self, name: str) -> None:
        """Forget the topic and remove its files."""
        topic = self._topics.get(name)
        if topic is None:
            raise ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"there is no topic {name}")
        self.journal.append({"deleted": name})
        del self._topics[name]
        # At once, not when the journal is synced: a topic created again meanwhile must find an empty folder.
        for log in topic.partitions:
            log.delete()

    def retain(self, now_ms: int) -> None:
        """Drop what is past its retention, in every partition."""
        for topic in self:
            for log in topic.partitions:
                log.retain(now_ms)

    def close(self) -> None:
        for topic in self:
            for log in topic.partitions:
                log.close()
        self.journal.close()

    def _restore(self, fact: Mapping[str, Any]) -> None:
        limits = topic_limits(fact["configs"], self._defaults)
        topic = Topic(fact["topic"], fact["id"], fact["configs"], limits)
        self._topics[topic.name] = topic
        self._open_up_to(topic, fact["partitions"])

    def _open_up_to(self, topic: Topic, partitions: int) -> None:
        for number in range(len(topic.partitions), partitions):
            topic.partitions.append(PartitionLog(self._logs / f"{topic.name}-{number}", topic.limits))

    def _facts(self) -> Iterable[dict[str, Any]]:
        return [topic.fact(len(topic.partitions)) for topic in self]

    def _remove_strangers(self) -> None:
        """Finish deletions that a kill cut short."""
        known = {log.folder.name for topic in self for log in topic.partitions}
        for folder in self._logs.iterdir():
            if folder.name not in known:
                shutil.rmtree(folder)


def _latest(facts: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    topics: dict[str, Mapping[str, Any]] = {}
    for fact in facts:
        if "deleted" in fact:
            topics.pop(fact["deleted"], None)
        else:
            topics[fact["topic"]] = fact
    return topics.values()


def _check_count(partitions: int) -> None:
    if not 1 <= partitions <= MAX_PARTITIONS:
        raise ApiError(
            ErrorCode.INVALID_PARTITIONS,
            f"{partitions} partitions are not possible; use 1 to {MAX_PARTITIONS}",
        )
