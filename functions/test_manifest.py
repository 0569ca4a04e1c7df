"""Walks every function: what stack.yml declares is what the code does."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from clustergenie.identity import Role

ROOT = Path(__file__).parents[1]
STACK = yaml.safe_load((ROOT / "stack.yml").read_text())["functions"]
NAMES = sorted(path.parent.name for path in (ROOT / "functions").glob("*/handler.py"))
SECRETS = {"database-url", "redis-url", "identity-key"}


def spec_of(name):
    found = importlib.util.spec_from_file_location(f"walked_{name}", ROOT / "functions" / name / "handler.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module.handle.spec


def test_every_folder_is_deployed_and_everything_deployed_has_a_folder():
    assert sorted(STACK) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_manifest_says_what_the_code_does(name):
    spec, manifest = spec_of(name), STACK[name]
    annotations = manifest["annotations"]
    assert Role.parse(annotations["auth.role"]) == spec.role
    if spec.path:
        assert (annotations["http.method"], annotations["http.path"]) == (",".join(spec.methods), spec.path)
    else:
        assert annotations["topic"] == spec.topic
        assert "http.path" not in annotations


@pytest.mark.parametrize("name", NAMES)
def test_the_manifest_is_complete(name):
    manifest = STACK[name]
    assert manifest["lang"] == "python3-http"
    assert manifest["handler"] == f"./functions/{name}"
    assert manifest["image"] == f"clustergenie/{name}:latest"
    assert "identity-key" in manifest["secrets"]
    assert set(manifest["secrets"]) <= SECRETS
    everything = {**manifest["annotations"], **manifest["labels"], **manifest.get("environment", {})}
    assert all(isinstance(value, str) for value in everything.values())


@pytest.mark.parametrize("name", NAMES)
def test_every_function_has_a_docstring_tests_and_a_short_handler(name):
    handler = (ROOT / "functions" / name / "handler.py").read_text()
    assert handler.startswith('"""')
    assert len(handler.splitlines()) <= 45
    assert (ROOT / "functions" / name / "test_handler.py").exists()


def test_no_two_functions_answer_the_same_route():
    routes = [(method, spec.path) for spec in map(spec_of, NAMES) if spec.path for method in spec.methods]
    assert len(set(routes)) == len(routes)


def test_workers_stay_and_everything_else_sleeps_when_unused():
    kept = {name for name in NAMES if STACK[name]["labels"].get("com.openfaas.scale.zero") != "true"}
    assert kept == {"job-diagnose", "event-handler"}


def test_importing_every_handler_starts_no_thread():
    code = f"""
import sys, threading
sys.path.insert(0, {str(ROOT / "functions")!r})
import conftest
for name in {NAMES!r}:
    conftest.load(name)
assert threading.active_count() == 1
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
