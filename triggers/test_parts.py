import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from triggers.backoff import Backoff
from triggers.metrics import Metrics
from triggers.parts import Part, keep_running
from triggers.test_doubles import eventually

QUICK = Backoff(first_seconds=0.001, ceiling_seconds=0.001)


class Failing:
    name = "failing"

    def __init__(self, error: Exception | None) -> None:
        self.error = error
        self.runs = 0

    async def run(self) -> None:
        self.runs += 1
        if self.error is not None:
            raise self.error


class Working:
    name = "working"

    def __init__(self) -> None:
        self.has_finished = False

    async def run(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            self.has_finished = True


@asynccontextmanager
async def kept(*parts: Part) -> AsyncIterator[Metrics]:
    metrics = Metrics()
    tasks = [asyncio.create_task(keep_running(part, metrics, QUICK)) for part in parts]
    try:
        yield metrics
    finally:
        for task in tasks:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks)


async def test_a_failing_part_is_started_again_and_the_others_never_notice():
    failing, working = Failing(OSError("away")), Working()
    async with kept(failing, working) as metrics:
        await eventually(lambda: failing.runs >= 5)
        assert not working.has_finished
    restarts = metrics.registry.get_sample_value("clustergenie_triggers_restarts_total", {"part": "failing"})
    assert restarts is not None
    assert restarts >= 4
    assert working.has_finished


async def test_a_lasting_failure_is_logged_once(caplog: pytest.LogCaptureFixture):
    failing = Failing(OSError("away"))
    async with kept(failing):
        await eventually(lambda: failing.runs >= 5)
        assert [record.getMessage() for record in caplog.records] == [
            "failing: away; trying again until it works"
        ]
        failing.error = OSError("still away, differently")
        await eventually(lambda: len(caplog.records) == 2)


async def test_an_outage_has_no_traceback_and_a_fault_of_ours_has_one(caplog: pytest.LogCaptureFixture):
    async with kept(Failing(ExceptionGroup("tasks", [OSError("away")])), Failing(ZeroDivisionError("ours"))):
        await eventually(lambda: len(caplog.records) == 2)
    assert {record.getMessage().split(";")[0]: bool(record.exc_info) for record in caplog.records} == {
        "failing: away": False,
        "failing: ours": True,
    }


async def test_ending_without_being_told_is_a_failure_too(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.WARNING)
    failing = Failing(None)
    async with kept(failing):
        await eventually(lambda: failing.runs >= 2)
    assert "without being told" in caplog.text
