"""``genie up`` and ``down`` with small real processes in place of the product's."""

from __future__ import annotations

import dataclasses
import io
import os
import signal
import socket
import subprocess
import sys

import pytest

from clustergenie.settings import Settings
from genie import readiness
from genie.bringup import Bringup
from genie.commands.down import bring_down
from genie.commands.status import read_state
from genie.console import Console
from genie.errors import GenieError, StartError
from genie.parts import Part, Parts
from genie.supervisor.component import Component
from genie.supervisor.ending import OPERATOR_LOCK
from genie.supervisor.locks import LockFile
from genie.supervisor.plan import Plan
from genie.supervisor.processes import wait_until_free
from genie.supervisor.twins import primary_lock, twin

pytestmark = pytest.mark.slow

_GATEWAY = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b"[]"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_POST = do_PUT = answer
    def log_message(self, *_): pass
HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
_STORE = (
    "import socket, sys\ns = socket.create_server(('127.0.0.1', int(sys.argv[1])))\nwhile True: s.accept()"
)
_IDLE = "import time; time.sleep(600)"


def python(name: str, text: str, *arguments: str) -> Component:
    return Component(name, (sys.executable, "-c", text, *arguments), drain_seconds=5.0)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def connects(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


class Operator:
    """Runs up and down for one home, and keeps what was printed."""

    def __init__(self, home, folder):
        self.home, self.folder = home, folder
        self.output = io.StringIO()
        self.settings = Settings.from_env({"GENIE_HOME": str(home.root), "GENIE_PORT": str(free_port())})
        store_port = free_port()
        self.store = Part(python("store", _STORE, str(store_port)), lambda: connects(store_port))
        self.gateway_script = _GATEWAY

    def arrange(self, settings: Settings) -> Parts:
        gateway = python("gateway", self.gateway_script, str(settings.port))
        triggers = python("triggers", _IDLE)
        return Parts(
            stores=(self.store,),
            gateway=Part(gateway, lambda: readiness.gateway_answers(settings.gateway_url)),
            triggers=Part(triggers, lambda: triggers.lock(self.home).is_held()),
            redis_url="redis://localhost",
            kafka_brokers="localhost:1",
            database_url=settings.effective_database_url,
            gateway_url=settings.gateway_url,
            auth=settings.auth,
        )

    def up(self) -> bool:
        return Bringup(self.settings, Console(self.output), self.folder, self.arrange).run()

    def down(self) -> None:
        bring_down(self.home, Console(self.output))

    def pids(self) -> dict[str, int | None]:
        return {name: part["pid"] for name, part in read_state(self.home)["components"].items()}


@pytest.fixture
def operator(home, tmp_path):
    return Operator(home, tmp_path)


def test_up_starts_everything_and_down_leaves_nothing(operator, eventually):
    assert operator.up()
    eventually(lambda: read_state(operator.home)["supervisor"]["standby"])
    assert read_state(operator.home)["state"] == "running"
    assert list(operator.pids()) == ["store", "gateway", "triggers"]

    operator.down()

    assert read_state(operator.home)["state"] == "stopped"
    assert not connects(operator.settings.port)
    assert [line.split()[1] for line in operator.output.getvalue().splitlines()[-4:]] == [
        "supervisor", "triggers", "gateway", "store",
    ]  # fmt: skip


def test_a_second_up_leaves_what_runs_alone(operator):
    operator.up()
    before = operator.pids()

    assert not operator.up()
    assert operator.pids() == before


def test_a_second_down_says_that_nothing_runs(operator):
    operator.up()
    operator.down()
    operator.down()

    assert "nothing was running" in operator.output.getvalue()


def test_up_after_both_supervisors_were_killed_takes_over_what_runs(operator, eventually):
    operator.up()
    before = operator.pids()
    eventually(lambda: twin(operator.home).lock(operator.home).holder())
    os.kill(primary_lock(operator.home).holder(), signal.SIGSTOP)
    for lock in (twin(operator.home).lock(operator.home), primary_lock(operator.home)):
        os.kill(lock.holder(), signal.SIGKILL)
        eventually(lambda lock=lock: not lock.is_held())
    assert read_state(operator.home)["state"] == "degraded"

    assert operator.up()
    assert operator.pids() == before
    assert read_state(operator.home)["state"] == "running"


def test_up_ends_what_another_version_left_behind(operator):
    leftover = python("old-part", _IDLE)
    leftover.start(operator.home)

    operator.up()

    assert not leftover.lock(operator.home).is_held()
    assert "left behind: old-part" in operator.output.getvalue()


def test_up_after_a_down_that_was_killed_half_way_starts_afresh(operator):
    operator.up()
    Plan.remove(operator.home)  # the first thing that down does

    assert operator.up()
    assert read_state(operator.home)["state"] == "running"


def test_up_with_other_settings_is_refused_while_it_runs(operator):
    operator.up()
    operator.settings = dataclasses.replace(operator.settings, auth=False)

    with pytest.raises(GenieError, match=r"other settings.*genie down"):
        operator.up()


def test_a_taken_port_is_told_with_its_holder_and_the_way_out(operator):
    with socket.create_server(("127.0.0.1", operator.settings.port)), pytest.raises(GenieError) as caught:
        operator.up()

    assert f"(pid {os.getpid()})" in str(caught.value)
    assert f"GENIE_PORT={operator.settings.port + 1}" in str(caught.value)
    assert Plan.read(operator.home) is None


def test_a_component_that_fails_to_start_shows_its_last_words_and_nothing_stays(operator):
    operator.gateway_script = "import sys; sys.exit('the moon is in the way')"

    with pytest.raises(StartError, match="the moon is in the way"):
        operator.up()

    assert read_state(operator.home)["state"] == "stopped"
    assert not operator.store.component.lock(operator.home).is_held()


def test_stale_sockets_of_a_killed_gateway_are_cleared(operator):
    stale = operator.home.sockets / "gone.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(stale))
        operator.up()

    assert not stale.exists()


def test_an_open_door_is_for_loopback_only(operator):
    operator.settings = dataclasses.replace(operator.settings, auth=False, host="0.0.0.0")

    with pytest.raises(GenieError, match="this machine only"):
        operator.up()


def test_two_operators_of_one_home_take_turns(operator):
    lock = LockFile(operator.home.run / OPERATOR_LOCK)
    held = Component("operator", (sys.executable, "-S", "-c", "import time; time.sleep(0.4)"))
    child = held.start(operator.home)
    assert isinstance(child, subprocess.Popen)

    operator.up()

    assert f"waiting for another genie up or down (pid {child.pid})" in operator.output.getvalue()
    assert wait_until_free(lock, child.pid, 1.0)
    child.wait()


def test_a_functions_mistake_does_not_keep_the_instance_from_running(operator, tmp_path):
    (tmp_path / "stack.yml").write_text(
        "provider: {name: openfaas}\nfunctions:\n  broken: {image: x, lang: dockerfile, handler: ./none}\n"
    )

    with pytest.raises(GenieError, match=r"broken: .*cannot be built"):
        operator.up()

    assert read_state(operator.home)["state"] == "running"


def test_a_mistake_in_stack_yml_itself_is_told_with_its_line(operator, tmp_path):
    (tmp_path / "stack.yml").write_text("provider: {name: openfaas}\nfunctions: [\n")

    with pytest.raises(GenieError, match=r"stack\.yml, line"):
        operator.up()
