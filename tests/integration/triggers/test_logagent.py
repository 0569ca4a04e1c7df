"""A worker's log lines on their way to the function that enriches them."""

import json
import signal

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def lines_of(calls) -> list[str]:
    return [json.loads(line)["value"] for _, _, body in calls for line in body.splitlines()]


async def test_the_first_lines_of_a_new_function_reach_the_enricher_and_its_own_do_not(
    gateway, triggers, eventually, unique
):
    enricher = f"enricher-{unique}"
    gateway.functions = {enricher: {"topic": "logs.*", "trigger.batch": "100"}}
    await triggers.start()
    for name, text in (
        (f"hello-{unique}", "from hello"),
        (enricher, "from itself"),
        (f"other-{unique}", "from other"),
    ):
        folder = triggers.home.logs / "functions" / f"{name}.openfaas-fn"
        folder.mkdir()
        (folder / "1.jsonl").write_text(f"{text} {unique}\n")
    wanted = {f"from hello {unique}", f"from other {unique}"}
    await eventually(lambda: wanted <= set(lines_of(gateway.calls)))
    assert f"from itself {unique}" not in lines_of(gateway.calls)


async def test_an_agent_killed_in_the_middle_ships_every_line(gateway, triggers, eventually, unique):
    gateway.functions = {f"enricher-{unique}": {"topic": f"logs.hello-{unique}", "trigger.batch": "500"}}
    folder = triggers.home.logs / "functions" / f"hello-{unique}.openfaas-fn"
    folder.mkdir()
    with (folder / "1.jsonl").open("w") as file:
        for number in range(20_000):
            file.write(f'{{"msg": "line {number}"}}\n')
            if number in (5_000, 10_000):
                file.flush()
                await triggers.start()
                shipped = len(lines_of(gateway.calls))
                await eventually(lambda shipped=shipped: len(lines_of(gateway.calls)) > shipped)
                await triggers.end(signal.SIGKILL)
    await triggers.start()
    await eventually(lambda: len(set(lines_of(gateway.calls))) == 20_000, 40)
