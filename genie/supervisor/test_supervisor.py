"""The supervisor with real, small components: whatever is killed comes back, and down leaves nothing."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from genie.supervisor.component import Component
from genie.supervisor.ending import end_components, end_supervisors
from genie.supervisor.locks import LockFile
from genie.supervisor.plan import Plan
from genie.supervisor.privatefiles import read_json
from genie.supervisor.twins import primary_lock, twin
from genie.supervisor.watch import Watch

pytestmark = pytest.mark.slow

_SERVER = (
    "import socket, sys, time\n"
    "s = socket.create_server(('127.0.0.1', int(sys.argv[1])))\n"
    "while True: s.accept()[0].close()"
)
_DEAF = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf', flush=True)\ntime.sleep(600)"
_CRASHES = "import sys; sys.exit('cannot find my configuration')"


def script(name: str, text: str, *args: str, drain_seconds: float = 5.0) -> Component:
    return Component(name, (sys.executable, "-S", "-c", text, *args), drain_seconds=drain_seconds)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


class Instance:
    """A plan of two servers, kept up by real twins."""

    def __init__(self, home, eventually):
        self.home, self.eventually = home, eventually
        self.ports = (free_port(), free_port())
        self.plan = Plan(tuple(script(f"server-{n}", _SERVER, str(p)) for n, p in enumerate(self.ports)))

    def up(self):
        self.plan.write(self.home)
        self.eventually(self.is_whole_again)
        return self

    def is_whole_again(self) -> bool:
        # As genie up does: a supervisor that was just killed may hold its lock for a moment longer.
        twin(self.home).ensure(self.home)
        return self.is_whole()

    def is_whole(self) -> bool:
        return self.primary() is not None and self.standby() is not None and all(map(answers, self.ports))

    def primary(self) -> int | None:
        return primary_lock(self.home).holder()

    def standby(self) -> int | None:
        return twin(self.home).lock(self.home).holder()

    def pid(self, number: int) -> int | None:
        return self.plan.components[number].lock(self.home).holder()

    def kill(self, *pids: int | None) -> None:
        for pid in pids:
            assert pid is not None
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def instance(home, eventually):
    return Instance(home, eventually).up()


def test_a_killed_component_is_started_again_and_its_neighbour_is_left_alone(instance):
    first, second = instance.pid(0), instance.pid(1)

    instance.kill(first)

    instance.eventually(lambda: instance.pid(0) not in (None, first) and instance.is_whole())
    assert instance.pid(1) == second


def test_the_standby_takes_over_from_a_killed_primary_and_gets_a_twin(instance):
    primary, standby, servers = instance.primary(), instance.standby(), (instance.pid(0), instance.pid(1))

    instance.kill(primary)

    instance.eventually(lambda: instance.primary() == standby and instance.is_whole())
    assert instance.standby() not in (primary, standby)
    assert (instance.pid(0), instance.pid(1)) == servers


def test_a_killed_standby_is_replaced(instance):
    primary, standby = instance.primary(), instance.standby()

    instance.kill(standby)

    instance.eventually(lambda: instance.standby() not in (None, standby))
    assert instance.primary() == primary


def test_components_outlive_both_supervisors_and_are_found_again(instance):
    servers = (instance.pid(0), instance.pid(1))

    # Frozen first: the other would otherwise notice, and make a new twin between the two kills.
    os.kill(instance.primary(), signal.SIGSTOP)
    instance.kill(instance.standby(), instance.primary())
    instance.eventually(lambda: instance.primary() is None and instance.standby() is None)
    assert all(map(answers, instance.ports))

    instance.up()
    assert (instance.pid(0), instance.pid(1)) == servers


def test_a_component_killed_while_nobody_watched_is_started_by_the_next_supervisor(instance):
    os.kill(instance.primary(), signal.SIGSTOP)
    instance.kill(instance.standby(), instance.primary(), instance.pid(0))
    instance.eventually(lambda: instance.pid(0) is None)

    instance.up()


def test_a_second_supervisor_pair_cannot_come_to_be(instance):
    assert twin(instance.home).start(instance.home) is None


def test_down_leaves_no_process_and_no_port(instance):
    pids = [instance.primary(), instance.standby(), instance.pid(0), instance.pid(1)]
    ended: list[str] = []

    Plan.remove(instance.home)
    end_supervisors(instance.home)
    end_components(instance.home, instance.plan, ended.append)

    assert ended == ["server-1", "server-0"]
    assert not any(map(answers, instance.ports))
    instance.eventually(lambda: not any(map(is_running, pids)))


def test_down_works_after_the_supervisors_were_killed(instance):
    os.kill(instance.primary(), signal.SIGSTOP)
    instance.kill(instance.standby(), instance.primary())

    Plan.remove(instance.home)
    end_supervisors(instance.home)
    end_components(instance.home, None, lambda _: None)

    assert not any(map(answers, instance.ports))


def test_supervisors_end_by_themselves_when_the_plan_is_gone(instance):
    Plan.remove(instance.home)

    instance.eventually(lambda: instance.primary() is None and instance.standby() is None)
    assert all(map(answers, instance.ports))


def test_a_component_that_ignores_sigterm_is_killed_after_its_time(home, eventually):
    deaf = script("deaf", _DEAF, drain_seconds=0.2)
    deaf.start(home)
    eventually(lambda: "deaf\n" in deaf.log(home).read_text())

    end_components(home, Plan((deaf,)), lambda _: None)

    assert not deaf.lock(home).is_held()


def test_a_component_that_keeps_dying_is_reported_as_a_crash_loop_with_its_cause(home):
    now = [0.0]
    broken = script("broken", _CRASHES)
    watch = Watch(home, (broken,), clock=lambda: now[0])

    for _ in range(4):
        watch.step()
        child = watch._watched[0].child
        assert child is not None
        child.wait()
        watch.step()
        now[0] = watch._watched[0].due

    state = read_json(home.run / "supervisor.json")["components"]["broken"]
    assert state["crash_loop"]
    assert state["restarts"] == 4
    assert state["last_exit"].startswith("exit code 1 after")
    assert "cannot find my configuration" in broken.log(home).read_text()


def test_a_program_that_does_not_exist_is_a_death_with_its_name_in_the_log(home):
    absent = Component("absent", ("/nonexistent/program",))
    child = absent.start(home)

    assert child is not None
    assert child.wait() == 127
    assert "/nonexistent/program" in absent.log(home).read_text()


def test_without_pidfds_the_locks_are_asked(home, eventually, monkeypatch):
    monkeypatch.delattr(os, "pidfd_open")
    server = script("server", _SERVER, str(free_port()))
    watch = Watch(home, (server,))
    watch.step()
    first = server.lock(home).holder()
    assert first is not None
    os.kill(first, signal.SIGKILL)

    def came_back() -> bool:
        watch._sleep()
        watch.step()
        return server.lock(home).holder() not in (None, first)

    eventually(came_back)
    end_components(home, Plan((server,)), lambda _: None)


def test_two_homes_do_not_see_each_other(instance, tmp_path):
    other = LockFile(tmp_path / "server-0.lock")

    assert instance.pid(0) is not None
    assert not other.is_held()


def is_running(pid: int) -> bool:
    # A zombie is dead; who buries it depends on what is process 1 here.
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(") ", 1)[1][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
