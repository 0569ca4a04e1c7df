"""kill -9 of any part: nothing is left behind, and what was desired runs again."""

import os
import signal
import subprocess
import sys
import textwrap

import psutil
import pytest

from gateway.contract import FunctionKey

pytestmark = pytest.mark.slow

HELLO = "def handle(event, context):\n    return 'hello'\n"
KEY = FunctionKey("f")


async def test_a_killed_worker_is_replaced(rig, eventually):
    await rig.start()
    address = await rig.serve(HELLO)
    os.kill(rig.replicas()[0].pid, signal.SIGKILL)
    await eventually(lambda: rig.provider.status(KEY).restarts == 1)
    (endpoint,) = await rig.ready()
    assert endpoint.address != address
    assert (await rig.call(endpoint.address))[1] == b"hello"
    assert "SIGKILL" not in rig.provider.status(KEY).last_error


async def test_a_killed_template_takes_its_workers_and_all_come_back(rig, eventually):
    await rig.start()
    await rig.deploy("f", HELLO, replicas=2)
    before = await rig.ready(2)
    pids = [replica.pid for replica in rig.replicas()]
    os.kill(rig.template.pid, signal.SIGKILL)
    await eventually(lambda: not any(psutil.pid_exists(pid) for pid in pids))
    await eventually(lambda: sum(event == "gone" for event, _ in rig.listener.events) == 2)
    after = await rig.ready(2)
    assert not set(before) & set(after)
    assert (await rig.call(after[0].address))[1] == b"hello"


async def test_a_template_that_hangs_is_replaced_at_the_start_timeout(rig, eventually):
    await rig.start(start_seconds=1.0)
    await rig.serve(HELLO)
    stopped = rig.template.pid
    os.kill(stopped, signal.SIGSTOP)
    await rig.provider.scale(KEY, 2)
    await eventually(lambda: rig.template.pid not in (None, stopped))
    await rig.ready(2)


GATEWAY = """
import asyncio, sys
from pathlib import Path
from clustergenie.settings import Home
from gateway.contract import FunctionDeployment
from gateway.images import ImageStore
from gateway.providers.process import ProcessProvider
from gateway.secrets import SecretStore

class Listener:
    def ready(self, key, endpoint): print("ready", flush=True)
    async def drain(self, *rest): pass
    def gone(self, *rest): pass
    def start_failed(self, key, error): print(error, flush=True)

async def main():
    home = Home(Path(sys.argv[1]))
    provider = ProcessProvider(home, ImageStore(home.images), SecretStore(home.function_secrets))
    await provider.start(Listener())
    await provider.deploy(FunctionDeployment(service="f", image="f"), 2)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("also_stopped", [False, True], ids=["import done", "hanging import"])
async def test_no_process_survives_a_killed_gateway(rig, eventually, also_stopped):
    source = "import subprocess\nsubprocess.Popen(['sleep', '600'])\n" + HELLO
    hanging = "import threading\nprint('x')\nthreading.Event().wait()\n"
    rig.build("f", hanging if also_stopped else source)
    gateway = subprocess.Popen(  # noqa: ASYNC220 - it only starts it
        [sys.executable, "-c", textwrap.dedent(GATEWAY), str(rig.home.root)],
        stdout=subprocess.PIPE,
        text=True,
    )
    wanted = 3 if also_stopped else 5  # the template, two workers, and what they have started
    await eventually(lambda: len(psutil.Process(gateway.pid).children(recursive=True)) >= wanted)
    if not also_stopped:
        assert [gateway.stdout.readline() for _ in range(2)] == ["ready\n"] * 2
    family = psutil.Process(gateway.pid).children(recursive=True)
    gateway.kill()
    gateway.wait()
    gateway.stdout.close()
    await eventually(lambda: not any(process.is_running() for process in family))


async def test_a_start_after_a_kill_clears_what_was_left(rig):
    rig.home.create()
    (rig.home.sockets / "w-dead").touch()
    (rig.home.run / "f" / "old").mkdir(parents=True)
    await rig.start()
    assert not list(rig.home.sockets.glob("w-*"))
    assert not (rig.home.run / "f" / "old").exists()
    await rig.serve(HELLO)


async def test_a_stop_ends_even_when_the_template_hangs(rig):
    await rig.start(stop_seconds=0.3)
    await rig.serve(HELLO)
    os.kill(rig.template.pid, signal.SIGSTOP)
    await rig.provider.stop()
    assert ("gone", rig.listener.events[0][1]) in rig.listener.events
