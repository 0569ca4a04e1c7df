import pytest

from triggers.connector.trigger import TriggerError, read_trigger
from triggers.connector.window import Ordering
from triggers.directory import Function


def read(environment: dict[str, str] | None = None, **annotations: str):
    named = {name.replace("_", "."): text for name, text in annotations.items()}
    return read_trigger(Function("worker", "openfaas-fn", named, environment or {}))


def test_a_function_without_a_topic_has_no_trigger():
    assert read() is None
    assert read(topic=" , ") is None


def test_the_cron_topic_is_not_kafkas():
    assert read(topic="cron-function") is None


def test_annotations_become_settings_and_absent_ones_defaults():
    trigger = read(topic="b, a", trigger_concurrency="8", trigger_ordering="partition", trigger_batch="50")
    assert trigger is not None
    assert trigger.topics == ("a", "b")
    assert (trigger.concurrency, trigger.ordering, trigger.batch) == (8, Ordering.PARTITION, 50)
    assert (trigger.retries, trigger.group) == (10, "genie.worker.openfaas-fn")


@pytest.mark.parametrize(
    ("annotations", "named"),
    [
        ({"topic": "a b"}, "a b"),
        ({"topic": "a", "trigger_concurrency": "0"}, "trigger.concurrency"),
        ({"topic": "a", "trigger_retries": "-1"}, "trigger.retries"),
        ({"topic": "a", "trigger_batch": "many"}, "trigger.batch"),
        ({"topic": "a", "trigger_ordering": "random"}, "trigger.ordering"),
        ({"topic": "a", "trigger_filter": "type"}, "trigger.filter"),
    ],
)
def test_a_bad_annotation_is_refused_naming_function_and_annotation(annotations: dict[str, str], named: str):
    with pytest.raises(TriggerError, match=rf"worker\.openfaas-fn.*{named}"):
        read(**annotations)


def test_patterns_pass_over_dead_letters_internal_topics_and_the_functions_own_log():
    trigger = read(topic="logs.*,*-events")
    assert trigger is not None
    existing = ["logs.hello", "logs.worker", "logs.hello.dlq", "job-events", "__consumer-events", "events"]
    assert trigger.select(existing) == {"logs.hello", "job-events"}


def test_a_dead_letter_topic_can_be_consumed_by_its_name():
    trigger = read(topic="jobs.dlq")
    assert trigger is not None
    assert trigger.select(["jobs.dlq"]) == {"jobs.dlq"}


@pytest.mark.parametrize(
    ("text", "seconds"), [("", 315), ("20", 35), ("1m30s", 105), ("500ms", 15.5), ("never", 315)]
)
def test_a_call_may_take_as_long_as_the_function_and_a_little_more(text: str, seconds: float):
    trigger = read({"exec_timeout": text}, topic="a")
    assert trigger is not None
    assert trigger.timeout_seconds == seconds
