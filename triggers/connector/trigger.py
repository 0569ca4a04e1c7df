"""A function's annotations, read as what the connector has to do for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from triggers.connector.filter import EVERYTHING, Filter, FilterError
from triggers.connector.window import Ordering
from triggers.directory import Function

#: Records in flight when ``trigger.concurrency`` is absent.
DEFAULT_CONCURRENCY = 4
#: Failed calls repeated before a record is a dead letter, when ``trigger.retries`` is absent.
DEFAULT_RETRIES = 10
#: Time for one call when the function names no ``exec_timeout``, in seconds.
DEFAULT_TIMEOUT_SECONDS = 300.0
#: Beyond the function's own limit, so that the gateway's 504 comes before we give up, in seconds.
TIMEOUT_MARGIN_SECONDS = 15.0
#: The topic of the cron connector (contract, section 18): not a Kafka topic.
CRON_TOPIC = "cron-function"
#: What dead letter topics end with; no pattern ever matches one.
DEAD_LETTER_SUFFIX = ".dlq"
_MOST_CONCURRENCY = 1000
_MOST_RETRIES = 1000
_MOST_BATCH = 1000
_TOPIC = re.compile(r"[A-Za-z0-9._*-]{1,249}\Z")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class TriggerError(ValueError):
    """An annotation cannot be used; the message names function, annotation and what is accepted."""


@dataclass(frozen=True)
class Trigger:
    """Which records a function gets and how."""

    name: str
    namespace: str
    topics: tuple[str, ...]
    """Topic names and patterns, sorted."""
    filter: Filter = EVERYTHING
    concurrency: int = DEFAULT_CONCURRENCY
    ordering: Ordering = Ordering.KEY
    retries: int = DEFAULT_RETRIES
    batch: int = 1
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS + TIMEOUT_MARGIN_SECONDS

    @property
    def key(self) -> str:
        """``name.namespace``, as in metrics and file names."""
        return f"{self.name}.{self.namespace}"

    @property
    def group(self) -> str:
        """The consumer group whose offsets are this function's progress."""
        return f"genie.{self.key}"

    @property
    def literal_topics(self) -> frozenset[str]:
        return frozenset(topic for topic in self.topics if "*" not in topic)

    def select(self, existing: Iterable[str]) -> frozenset[str]:
        """Those of the ``existing`` topics this function consumes.

        Patterns pass over dead letters, Kafka's internal topics and the function's own log: consuming that would make
        each call's log lines cause the next call.
        """
        patterns = [_pattern(topic) for topic in self.topics if "*" in topic]
        names = frozenset(existing)
        matching = {
            topic
            for topic in names
            if not topic.endswith(DEAD_LETTER_SUFFIX)
            and not topic.startswith("__")
            and any(pattern.match(topic) for pattern in patterns)
        }
        return frozenset(matching | (self.literal_topics & names)) - {f"logs.{self.name}"}


def read_trigger(function: Function) -> Trigger | None:
    """The function's Kafka trigger, or None when it has none. Raises :class:`TriggerError`."""
    notes = function.annotations
    topics = tuple(sorted({part.strip() for part in notes.get("topic", "").split(",")} - {"", CRON_TOPIC}))
    if not topics:
        return None
    try:
        return Trigger(
            name=function.name,
            namespace=function.namespace,
            topics=_checked(topics),
            filter=Filter.parse(notes.get("trigger.filter", "")),
            concurrency=_number(notes, "trigger.concurrency", DEFAULT_CONCURRENCY, 1, _MOST_CONCURRENCY),
            ordering=_ordering(notes.get("trigger.ordering") or "key"),
            retries=_number(notes, "trigger.retries", DEFAULT_RETRIES, 0, _MOST_RETRIES),
            batch=_number(notes, "trigger.batch", 1, 1, _MOST_BATCH),
            timeout_seconds=_timeout(function.environment.get("exec_timeout")),
        )
    except (FilterError, TriggerError) as error:
        raise TriggerError(
            f"function {function.name}.{function.namespace} is not triggered: {error}"
        ) from error


def _pattern(topic: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, topic.split("*"))) + r"\Z")


def _checked(topics: tuple[str, ...]) -> tuple[str, ...]:
    for topic in topics:
        if not _TOPIC.match(topic):
            raise TriggerError(
                f"topic {topic!r} is not a Kafka topic; use letters, digits, '.', '_', '-' and '*'"
            )
    return topics


def _number(notes: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = notes.get(name, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise TriggerError(f"{name}={text!r} must be a number from {least} to {most}")
    return int(text)


def _ordering(text: str) -> Ordering:
    try:
        return Ordering(text.strip().lower())
    except ValueError:
        raise TriggerError(f"trigger.ordering={text!r} must be key, partition or none") from None


def _timeout(text: str | None) -> float:
    """``exec_timeout``: a Go duration (``1m30s``) or bare seconds. Nonsense is the gateway's to refuse, not ours."""
    if not text:
        return DEFAULT_TIMEOUT_SECONDS + TIMEOUT_MARGIN_SECONDS
    if text.isascii() and text.isdigit():
        return float(text) + TIMEOUT_MARGIN_SECONDS
    seconds = sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _DURATION.findall(text))
    return (seconds or DEFAULT_TIMEOUT_SECONDS) + TIMEOUT_MARGIN_SECONDS
