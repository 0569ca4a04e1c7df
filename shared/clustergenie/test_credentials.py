import multiprocessing
import stat

import pytest

from clustergenie import credentials
from clustergenie.settings import Home

NAMES = ["basic-auth-user", "basic-auth-password", "token-key", "identity-key"]


def read_all(home):
    return [credentials.read(home, name) for name in NAMES]


def test_every_credential_is_made_for_the_owner_only(tmp_path):
    home = Home(tmp_path / "home")
    credentials.ensure(home)
    assert credentials.read(home, "basic-auth-user") == "admin"
    assert len(credentials.read(home, "token-key")) == 64
    for name in NAMES:
        assert stat.S_IMODE((home.secrets / name).stat().st_mode) == 0o600


def test_what_is_there_is_kept(tmp_path):
    home = Home(tmp_path)
    credentials.ensure(home)
    before = read_all(home)
    credentials.ensure(home)
    assert read_all(home) == before
    assert sorted(path.name for path in home.secrets.iterdir()) == sorted(NAMES)


def test_a_file_left_empty_by_a_crash_is_made_again(tmp_path):
    home = Home(tmp_path)
    home.secrets.mkdir()
    (home.secrets / "token-key").touch()
    credentials.ensure(home)
    assert len(credentials.read(home, "token-key")) == 64


def test_a_missing_credential_says_how_to_make_it(tmp_path):
    with pytest.raises(credentials.MissingCredentialError, match="genie up"):
        credentials.read(Home(tmp_path), "token-key")


def _ensure_and_read(root, results):
    credentials.ensure(Home(root))
    results.put(read_all(Home(root)))


def test_processes_that_start_together_agree_on_the_keys(tmp_path):
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    processes = [context.Process(target=_ensure_and_read, args=(tmp_path, results)) for _ in range(8)]
    for process in processes:
        process.start()
    seen = [results.get(timeout=20) for _ in processes]
    for process in processes:
        process.join(20)
    assert all(keys == seen[0] for keys in seen)
