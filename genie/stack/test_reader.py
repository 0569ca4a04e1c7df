from __future__ import annotations

from pathlib import Path

import pytest

from gateway.contract import Resources
from genie.errors import StackError
from genie.stack.reader import find, read, selected

HEAD = "version: 1.0\nprovider:\n  name: openfaas\n"


@pytest.fixture
def write(tmp_path):
    def write(text: str, name: str = "stack.yml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


def one(path: Path, **env: str):
    return next(iter(read(path, env).functions.values()))


def function(write, text: str, **env: str):
    return one(write(f"{HEAD}functions:\n  hello:\n    image: hello\n{text}"), **env)


def test_every_key_arrives_in_the_deployment(write):
    spec = function(
        write,
        """
    fprocess: python index.py
    namespace: dev
    environment: {mode: fast, retries: 3}
    secrets: [api-key]
    labels: {team: a}
    annotations: {topic: jobs}
    constraints: [gpu]
    limits: {memory: 128Mi, cpu: 100m}
    requests: {memory: 64Mi}
    readonly_root_filesystem: true
""",
    ).to_deployment()

    assert spec.to_json() == {
        "service": "hello",
        "image": "hello:latest",
        "namespace": "dev",
        "envProcess": "python index.py",
        "envVars": {"mode": "fast", "retries": "3"},
        "secrets": ["api-key"],
        "labels": {"team": "a"},
        "annotations": {"topic": "jobs"},
        "constraints": ["gpu"],
        "limits": {"memory": "128Mi", "cpu": "100m"},
        "requests": {"memory": "64Mi"},
        "readOnlyRootFilesystem": True,
    }


@pytest.mark.parametrize("written", ["true", "1.10", "0x1F", "null", "2026-01-01", "yes", "012"])
def test_scalars_stay_the_text_that_was_written(write, written):
    spec = function(write, f"    labels:\n      a: {written}\n    annotations:\n      b: {written}\n")

    assert spec.labels == {"a": written}
    assert spec.annotations == {"b": written}


@pytest.mark.parametrize(
    ("image", "sent"),
    [
        ("hello", "hello:latest"),
        ("hello:1", "hello:1"),
        ("registry:5000/team/hello", "registry:5000/team/hello:latest"),
        ("hello@sha256:abc", "hello@sha256:abc"),
    ],
)
def test_an_image_without_a_tag_means_latest(write, image, sent):
    assert one(write(f"{HEAD}functions:\n  f:\n    image: {image}\n")).image == sent


def test_environment_files_override_inline_values_in_order(write):
    write("environment:\n  a: first\n  b: first\n", "one.yml")
    write("environment:\n  b: ${WHO}\n", "two.yml")
    text = "    environment: {a: inline, c: inline}\n    environment_file: [one.yml, two.yml]\n"

    assert function(write, text, WHO="second").environment == {"a": "first", "b": "second", "c": "inline"}


def test_variables_are_substituted_before_yaml_is_read(write):
    spec = function(write, "    environment:\n      store: ${STORE:-/var/x}\n      ${KEY}: v\n", KEY="k")

    assert spec.environment == {"store": "/var/x", "k": "v"}


def test_the_process_comes_from_the_template_unless_the_function_names_one(write):
    write("language: py\nfprocess: python index.py\n", "template/py/template.yml")

    assert function(write, "    lang: py\n").fprocess == "python index.py"
    assert function(write, "    lang: py\n    fprocess: own\n").fprocess == "own"
    assert function(write, "    lang: dockerfile\n").fprocess == ""


def test_anchors_and_merges_work(write):
    path = write(
        f"{HEAD}functions:\n  a: &a\n    image: a\n    labels: {{x: 1}}\n  b:\n    <<: *a\n    image: b\n"
    )

    assert read(path, {}).functions["b"].labels == {"x": "1"}
    assert read(path, {}).functions["b"].image == "b:latest"


def test_empty_values_mean_nothing(write):
    spec = function(write, "    labels:\n    secrets:\n    limits:\n    environment:\n")

    assert (spec.labels, spec.secrets, spec.limits) == ({}, (), Resources())


def test_only_functions_with_language_and_handler_are_built(write):
    write("language: py\n", "template/py/template.yml")

    assert function(write, "    lang: py\n    handler: ./f\n").is_built_here
    assert not function(write, "    lang: py\n    handler: ./f\n    skip_build: true\n").is_built_here
    assert not function(write, "").is_built_here


def test_configuration_names_templates_and_files_to_copy(write, tmp_path):
    write("x", "common/a.py")
    text = (
        "functions: {}\nconfiguration:\n  copy: [./common]\n  templates: [{name: go, source: https://e/x}]\n"
    )
    stack = read(write(HEAD + text), {})

    assert stack.copy == (tmp_path.resolve() / "common",)
    assert stack.templates[0].source == "https://e/x"


BAD = [
    ("provider: {name: lambda}\nfunctions: {}\n", "provider.name must be: openfaas"),
    ("functions: {}\n", "provider.name must be: openfaas"),
    (f"{HEAD}functions:\n  f: {{}}\n", "functions.f.image is required"),
    (f"{HEAD}functions:\n  f: {{image: x, labels: [a]}}\n", "functions.f.labels must be a mapping"),
    (f"{HEAD}functions:\n  f: {{image: x, secrets: a}}\n", "functions.f.secrets must be a list"),
    (f"{HEAD}functions:\n  f: {{image: [x]}}\n", "functions.f.image must be a text"),
    (f"{HEAD}functions:\n  f: {{image: x, lang: cobol}}\n", "no template/cobol/template.yml"),
    (
        f"{HEAD}functions:\n  f: {{image: x, environment_file: [no.yml]}}\n",
        "names no.yml, which does not exist",
    ),
    (f"{HEAD}functions:\n  f: {{image: x, skip_build: perhaps}}\n", "must be true or false"),
    (f"{HEAD}functions:\n  f: {{image: x}}\n  f: {{image: y}}\n", "line 5: f is there twice"),
    (f"{HEAD}functions:\n  a b: {{image: x}}\n", "function name 'a b' is not valid"),
    (f"{HEAD}functions: {{}}\nconfiguration: {{copy: [../x]}}\n", "outside the project"),
    ("a: [1\nb: 2\n", "stack.yml, line 2"),
    ("a: ${\n", "stack.yml, line 1"),
    ("[]", "provider.name"),
    ("- a", "must be a mapping"),
]


@pytest.mark.parametrize(("text", "complaint"), BAD, ids=[complaint for _, complaint in BAD])
def test_a_mistake_is_refused_with_its_place(write, text, complaint):
    with pytest.raises(StackError) as caught:
        read(write(text), {})

    assert complaint in str(caught.value)
    assert "stack.yml" in str(caught.value)


def test_stack_yaml_goes_before_stack_yml(write, tmp_path):
    write(HEAD, "stack.yml")
    yaml = write(HEAD, "stack.yaml")

    assert find(tmp_path) == yaml


def test_a_missing_file_says_how_to_name_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(StackError, match="-f"):
        read(None, {})


def test_functions_are_selected_by_name(write):
    stack = read(write(f"{HEAD}functions:\n  a: {{image: a}}\n  b: {{image: b}}\n"), {})

    assert [spec.name for spec in selected(stack, ["b"])] == ["b"]
    assert [spec.name for spec in selected(stack, [])] == ["a", "b"]
    with pytest.raises(StackError, match="there are: a, b"):
        selected(stack, ["c"])
