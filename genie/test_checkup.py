from __future__ import annotations

import socket
import sys

import pytest

from clustergenie import credentials
from clustergenie.settings import Home, Settings
from genie import checkup
from genie.supervisor.component import Component
from genie.supervisor.plan import Plan


@pytest.fixture
def settings(home):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return Settings.from_env({"GENIE_HOME": str(home.root), "GENIE_PORT": str(port)})


def found(settings: Settings, check: str) -> checkup.Finding:
    return next(finding for finding in checkup.examine(settings) if finding.check == check)


def test_a_fresh_home_is_well(settings):
    assert {finding.level for finding in checkup.examine(settings)} == {"ok"}


def test_a_secret_that_others_can_read_is_broken(settings):
    credentials.ensure(settings.home)
    (settings.home.secrets / credentials.TOKEN_KEY).chmod(0o644)

    finding = found(settings, "secrets")

    assert finding.level == "broken"
    assert finding.remedy == f"run: chmod go-rwx {settings.home.secrets / credentials.TOKEN_KEY}"


def test_a_taken_port_is_broken_with_the_next_one_as_remedy(settings):
    with socket.create_server(("127.0.0.1", settings.port)):
        finding = found(settings, "port")

    assert finding.level == "broken"
    assert f"GENIE_PORT={settings.port + 1}" in finding.remedy


def test_left_over_processes_are_found_by_their_locks(settings):
    Component("old-part", (sys.executable, "-S", "-c", "import time; time.sleep(600)")).start(settings.home)

    finding = found(settings, "processes")

    assert (finding.level, finding.remedy) == ("broken", "run: genie down")
    assert "old-part" in finding.text


def test_a_plan_without_a_supervisor_is_broken(settings):
    Plan(()).write(settings.home)

    assert found(settings, "processes").remedy == "run: genie up"


def test_little_disk_space_is_broken(settings, monkeypatch):
    monkeypatch.setattr(checkup.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1024}))

    assert found(settings, "disk").level == "broken"


def test_a_socket_folder_that_is_too_deep_is_broken(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.gettempdir", lambda: f"/{'t' * 120}")

    finding = checkup._sockets(Home(tmp_path / ("x" * 80)))

    assert finding.level == "broken"
    assert "TMPDIR" in finding.remedy
