"""A zoo of functions that misbehave: each is told apart, and none harms anything but itself."""

import asyncio
import json

import psutil
import pytest

from gateway.contract import FunctionKey, Resources

KEY = FunctionKey("f")

FAIL_TO_START = {
    "missing dependency": ("import not_installed_anywhere\n", "No module named 'not_installed_anywhere'"),
    "error on import": ("1 / 0\n", r"ZeroDivisionError: division by zero \(function/handler.py, line 1\)"),
    "no handle": ("def handler(event, context):\n    return ''\n", "must define handle"),
    "handle is no function": ("handle = 3\n", "must define handle"),
    "sys.exit on import": ("import sys\nsys.exit(3)\n", r"ended the process .* \(SystemExit: 3\)"),
    "os._exit on import": ("import os\nos._exit(4)\n", "ended with exit status 4 before it was ready"),
    "crash on import": ("import os\nos.kill(os.getpid(), 11)\n", "was killed by SIGSEGV before it was ready"),
}


@pytest.mark.parametrize("case", FAIL_TO_START)
async def test_a_function_that_cannot_start_says_why(rig, eventually, case):
    source, reason = FAIL_TO_START[case]
    await rig.start()
    await rig.deploy("f", source)
    await eventually(lambda: rig.listener.errors)
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(rig.listener.errors[0])
    status = rig.provider.status(KEY)
    assert (status.desired, status.available) == (1, 0)
    assert status.restarts >= 1
    assert status.last_error


async def test_an_import_that_hangs_is_ended_at_the_start_timeout(rig, eventually):
    await rig.start(start_seconds=0.5)
    await rig.deploy("f", "import threading\nthreading.Event().wait()\n")
    await eventually(lambda: rig.listener.errors)
    assert "was not imported within 0.5 s" in rig.listener.errors[0]


async def test_a_worker_that_ends_in_a_request_is_replaced(rig, eventually):
    await rig.start()
    address = await rig.serve("import os\ndef handle(event, context):\n    os._exit(7)\n")
    with pytest.raises((ConnectionError, OSError)):
        await rig.call(address)
    await eventually(lambda: rig.provider.status(KEY).restarts == 1)
    (endpoint,) = await rig.ready()
    assert endpoint.address != address


async def test_a_memory_limit_makes_the_request_fail_and_not_the_machine(rig):
    await rig.start()
    source = "def handle(event, context):\n    return str(len(bytearray(int(event.body))))\n"
    address = await rig.serve(source, limits=Resources(memory="64Mi"))
    assert (await rig.call(address, "POST", "/", b"1000000"))[1] == b"1000000"
    assert (await rig.call(address, "POST", "/", b"500000000"))[0] == 500
    assert (await rig.call(address, "POST", "/", b"1000000"))[1] == b"1000000"


async def test_what_a_handler_forks_does_not_outlive_its_worker(rig, eventually):
    await rig.start()
    source = """
import os, subprocess
def handle(event, context):
    child = os.fork()
    if child == 0:
        import signal
        while True:
            signal.pause()
    return f"{child} {subprocess.Popen(['sleep', '600']).pid}"
"""
    address = await rig.serve(source)
    pids = [int(pid) for pid in (await rig.call(address))[1].split()]
    assert all(psutil.pid_exists(pid) for pid in pids)
    await rig.provider.scale(KEY, 0)
    await eventually(lambda: not any(_alive(pid) for pid in pids))


async def test_a_thread_left_running_does_not_delay_the_end(rig, eventually):
    await rig.start(stop_seconds=60)
    source = """
import threading
threading.Thread(target=threading.Event().wait).start()
def handle(event, context):
    return "ok"
"""
    address = await rig.serve(source)
    assert (await rig.call(address))[1] == b"ok"
    await rig.provider.scale(KEY, 0)
    await eventually(lambda: not rig.replicas())


async def test_a_worker_that_ignores_sigterm_is_killed_after_the_grace_time(rig, eventually):
    await rig.start(stop_seconds=0.3)
    source = """
import time, threading
def handle(event, context):
    time.sleep(600)
"""
    address = await rig.serve(source)
    pid = rig.replicas()[0].pid
    # In flight for the worker, unknown to the listener: the drain ends at once, the worker does not.
    task = asyncio.create_task(rig.call(address))
    await eventually(lambda: psutil.Process(pid).num_threads() >= 5)
    await rig.provider.scale(KEY, 0)
    await eventually(lambda: not rig.replicas())
    with pytest.raises((ConnectionError, OSError)):
        await task


async def test_closing_and_abusing_standard_output_does_not_end_the_log(rig):
    await rig.start()
    source = r"""
import os, sys
def handle(event, context):
    print("before")
    sys.stdout.buffer.write(b"bin \xff\xfe\n")
    sys.stdout.close()
    os.close(1)
    print("after")
    return "ok"
"""
    address = await rig.serve(source)
    assert (await rig.call(address))[1] == b"ok"
    messages = [json.loads(line)["msg"] for line in rig.log_lines()]
    assert messages[:3] == ["before", "bin \\xff\\xfe", "after"]


async def test_plain_results_of_every_kind_are_answered(rig):
    await rig.start()
    source = """
def handle(event, context):
    kind = event.path
    if kind == "/none": return None
    if kind == "/bytes": return b"\\x00\\xff"
    if kind == "/generator": return (part for part in ["a", "b"])
    if kind == "/int": return 3
"""
    address = await rig.serve(source)
    assert (await rig.call(address, path="/none"))[:2] == (200, b"")
    assert (await rig.call(address, path="/bytes"))[:2] == (200, b"\x00\xff")
    assert (await rig.call(address, path="/generator"))[:2] == (200, b"ab")
    assert (await rig.call(address, path="/int"))[0] == 500


async def test_crashes_in_a_row_are_spaced_out(rig, eventually):
    await rig.start()
    await rig.deploy("f", "1 / 0\n")
    await eventually(lambda: len(rig.listener.errors) >= 3)
    waits = rig.provider._sets[KEY]._backoff
    assert waits.next_seconds() > 0.3


def _alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
