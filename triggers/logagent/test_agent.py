import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiokafka.errors import KafkaError

from clustergenie.settings import Home
from triggers.logagent.agent import LogAgent
from triggers.metrics import Metrics
from triggers.test_doubles import FakeProducer, eventually


@pytest.fixture
def path(home: Home) -> Path:
    folder = home.logs / "functions" / "hello.openfaas-fn"
    folder.mkdir()
    return folder / "hello-1.jsonl"


@asynccontextmanager
async def agent(home: Home, producer: FakeProducer, metrics: Metrics | None = None) -> AsyncIterator[None]:
    subject = LogAgent(home, metrics or Metrics(), new_producer=lambda: producer)
    task = asyncio.create_task(subject.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, ExceptionGroup):
            await task


def append(path: Path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


def rotate(path: Path) -> None:
    path.rename(path.with_name("hello-1.jsonl.1"))


def delete(path: Path) -> None:
    path.unlink()


def shipped_lines(metrics: Metrics) -> float | None:
    labels = {"function": "hello.openfaas-fn"}
    return metrics.registry.get_sample_value("clustergenie_logagent_lines_total", labels)


def values(producer: FakeProducer) -> list[bytes]:
    return [value for _, value, _, _ in producer.sent]


async def test_lines_go_to_the_functions_topic_keyed_by_replica(home: Home, path: Path):
    append(path, b'{"msg":"hi"}\n')
    producer, metrics = FakeProducer(), Metrics()
    async with agent(home, producer, metrics):
        await eventually(lambda: shipped_lines(metrics) == 1)
    headers = {"function": b"hello", "namespace": b"openfaas-fn", "instance": b"hello-1"}
    assert producer.sent == [("logs.hello", b'{"msg":"hi"}', b"hello-1", headers)]


async def test_growth_rotation_and_new_files_are_noticed_within_a_moment(home: Home, path: Path):
    producer = FakeProducer()
    async with agent(home, producer):
        append(path, b"one\n")
        await eventually(lambda: values(producer) == [b"one"], 2)
        append(path, b"two\n")
        rotate(path)
        append(path, b"three\n")
        await eventually(lambda: values(producer) == [b"one", b"two", b"three"], 2)


async def test_a_restart_goes_on_where_the_acknowledgements_ended(home: Home, path: Path):
    append(path, b"one\n")
    first, second = FakeProducer(), FakeProducer()
    async with agent(home, first):
        await eventually(lambda: first.sent and (home.data / "logagent.json").exists())
    append(path, b"two\n")
    async with agent(home, second):
        await eventually(lambda: second.sent)
    assert (values(first), values(second)) == ([b"one"], [b"two"])


async def test_what_the_broker_did_not_take_is_shipped_later(home: Home, path: Path):
    append(path, b"one\n")
    producer = FakeProducer()
    subject = LogAgent(home, Metrics(), new_producer=lambda: producer)
    started = asyncio.Event()
    producer_start = producer.start

    async def start_then_lose_the_broker() -> None:
        await producer_start()
        producer.outage = KafkaError("away")
        started.set()

    producer.start = start_then_lose_the_broker  # type: ignore[method-assign]
    with pytest.raises(ExceptionGroup):
        await subject.run()
    producer.outage, producer.start = None, producer_start  # type: ignore[method-assign]
    task = asyncio.create_task(subject.run())
    await eventually(lambda: values(producer) == [b"one"])
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_deleted_files_are_forgotten_and_what_was_unread_is_counted(home: Home, path: Path):
    append(path, b"one\nhal")
    producer, metrics = FakeProducer(), Metrics()
    subject = LogAgent(home, metrics, new_producer=lambda: producer)
    subject._touch(subject._existing())
    await subject._ship_some(producer)
    delete(path)
    subject._forget("hello.openfaas-fn/hello-1.jsonl")
    dropped = metrics.registry.get_sample_value(
        "clustergenie_logagent_dropped_bytes_total", {"function": "hello.openfaas-fn"}
    )
    assert (dropped, subject._positions.logs) == (3, ())


@pytest.mark.parametrize("text", [b"", b"not json", b"[]", b'{"x": {"unknown": 1}}'])
async def test_unreadable_positions_mean_shipping_again_not_stopping(home: Home, path: Path, text: bytes):
    (home.data / "logagent.json").write_bytes(text)
    append(path, b"one\n")
    producer = FakeProducer()
    async with agent(home, producer):
        await eventually(lambda: values(producer) == [b"one"])
