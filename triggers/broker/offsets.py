"""Committed offsets of consumer groups, kept in a journal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from triggers.broker.journal import Journal

#: Partition of a topic.
TopicPartition = tuple[str, int]


class Commit(NamedTuple):
    offset: int
    leader_epoch: int = -1
    metadata: str = ""
    """Free text of the client."""


class Offsets:
    """``group -> partition -> commit``. Changes are in memory at once; wait for ``journal`` before answering the client."""

    def __init__(self, folder: Path) -> None:
        self._groups: dict[str, dict[TopicPartition, Commit]] = {}
        self.journal = Journal(folder / "offsets.journal", self._facts)
        for fact in self.journal.facts:
            self._apply(fact)
        self.journal.facts.clear()

    def groups(self) -> list[str]:
        """Groups with at least one commit."""
        return list(self._groups)

    def of(self, group: str) -> Mapping[TopicPartition, Commit]:
        return self._groups.get(group, {})

    def commit(self, group: str, commits: Mapping[TopicPartition, Commit]) -> None:
        """Store all of them or, when the disk is full (OSError), none."""
        if commits:
            self._change({"group": group, "commits": [[*key, *commit] for key, commit in commits.items()]})

    def forget(self, group: str, partitions: Iterable[TopicPartition] | None = None) -> None:
        """Drop commits of the group: the named ones, or all."""
        keys = self.of(group) if partitions is None else [key for key in partitions if key in self.of(group)]
        if keys:
            self._change({"group": group, "forget": [list(key) for key in keys]})

    def forget_topic(self, name: str) -> None:
        """Drop every group's commits of a deleted topic, so that a new one of this name is read from its beginning."""
        for group in self.groups():
            self.forget(group, [key for key in self.of(group) if key[0] == name])

    def close(self) -> None:
        self.journal.close()

    def _change(self, fact: dict[str, Any]) -> None:
        self.journal.append(fact)
        self._apply(fact)

    def _apply(self, fact: Mapping[str, Any]) -> None:
        commits = self._groups.setdefault(fact["group"], {})
        for topic, partition, *commit in fact.get("commits", ()):
            commits[topic, partition] = Commit(*commit)
        for topic, partition in fact.get("forget", ()):
            commits.pop((topic, partition), None)
        if not commits:
            del self._groups[fact["group"]]

    def _facts(self) -> Iterator[dict[str, Any]]:
        for group, commits in self._groups.items():
            yield {"group": group, "commits": [[*key, *commit] for key, commit in commits.items()]}
