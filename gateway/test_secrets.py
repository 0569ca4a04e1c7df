"""Secrets on the disk: private, atomic, and never half there."""

import pytest

from gateway.secrets import (
    MAX_SECRET_BYTES,
    SecretError,
    SecretExistsError,
    SecretStore,
    UnknownSecretError,
)


@pytest.fixture
def store(tmp_path):
    return SecretStore(tmp_path / "secrets")


def test_a_secret_is_created_read_updated_listed_and_deleted(store):
    store.create("b", b"1")
    store.create("a", b"\x00\xff")
    assert store.list() == ["a", "b"]
    assert store.read("a") == b"\x00\xff"
    store.update("a", b"new")
    assert store.read("a") == b"new"
    store.delete("a")
    assert store.list() == ["b"]


def test_namespaces_are_apart(store):
    store.create("a", b"1", "dev")
    assert store.list() == []
    assert store.list("dev") == ["a"]
    with pytest.raises(UnknownSecretError):
        store.read("a")


def test_files_and_folders_are_for_the_owner_only(store, tmp_path):
    store.create("a", b"1")
    folder = tmp_path / "secrets" / "openfaas-fn"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "a").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in folder.iterdir()] == ["a"]


def test_creating_twice_keeps_the_first_value(store):
    store.create("a", b"1")
    with pytest.raises(SecretExistsError, match="update it instead"):
        store.create("a", b"2")
    assert store.read("a") == b"1"


@pytest.mark.parametrize(
    "act", [lambda s: s.read("a"), lambda s: s.update("a", b""), lambda s: s.delete("a")]
)
def test_an_unknown_secret_says_how_to_create_it(store, act):
    with pytest.raises(UnknownSecretError, match="faas-cli secret create a"):
        act(store)


@pytest.mark.parametrize("name", ["", "A", "../a", "a/b", ".a", "a_b", "-a", "a-", "a..b", "x" * 254, "a\n"])
def test_names_are_dns_subdomains(store, name):
    with pytest.raises(SecretError):
        store.create(name, b"1")


def test_bad_namespaces_and_large_values_are_refused(store):
    with pytest.raises(SecretError, match="namespace"):
        store.list("..")
    with pytest.raises(SecretError, match=str(MAX_SECRET_BYTES)):
        store.create("a", bytes(MAX_SECRET_BYTES + 1))
