import os
import threading

import pytest

from clustergenie.events import OUTBOX_CHANNEL
from clustergenie.http import _runtime


@pytest.fixture
def secrets(tmp_path, monkeypatch, database_url):
    (tmp_path / "database-url").write_text(f"{database_url}\n")
    monkeypatch.setenv("secret_mount_path", str(tmp_path))
    return tmp_path


def test_the_threads_of_a_worker_share_one_runtime(secrets):
    made = []
    threads = [threading.Thread(target=lambda: made.append(_runtime.current())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(runtime) for runtime in made}) == 1


def test_a_forked_worker_makes_its_own(secrets):
    runtime = _runtime.current()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, b"new" if _runtime.current() is not runtime else b"old")
        os._exit(0)
    os.close(write)
    assert os.read(read, 10) == b"new"
    os.close(read)
    os.waitpid(child, 0)


def test_making_one_opens_nothing(secrets, tmp_path):
    (secrets / "redis-url").write_text("redis://127.0.0.1:1")
    (secrets / "database-url").write_text(f"sqlite:///{tmp_path}/never-made.db")
    assert _runtime.Runtime(os.environ | {"LOG_STORE": str(tmp_path / "logs.db")}).engine is not None
    assert not (tmp_path / "never-made.db").exists()
    assert not (tmp_path / "logs.db").exists()


def test_the_channel_is_the_one_the_relay_listens_on():
    assert OUTBOX_CHANNEL == "clustergenie:outbox"
