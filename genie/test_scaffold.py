from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genie.errors import GenieError
from genie.scaffold import scaffold, with_function
from genie.stack.loading import load
from genie.stack.reader import read

STACK = """# the team's functions
version: 1.0
provider:
  name: openfaas

functions:
    # says hello
    hello:
        image: hello:latest   # small

# where files come from
configuration:
  copy: []
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    template = tmp_path / "template" / "py"
    (template / "function").mkdir(parents=True)
    (template / "template.yml").write_text("language: py\nfprocess: python index.py\n")
    (template / "function" / "handler.py").write_text("def handle(event, context): ...\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_function_is_added_and_every_other_line_stays(project):
    (project / "stack.yml").write_text(STACK)

    scaffold(project, "new-one", "py", None)

    text = (project / "stack.yml").read_text()
    assert [line for line in STACK.splitlines() if line not in text.splitlines()] == []
    assert text.index("new-one") < text.index("# where files come from")
    stack = read(project / "stack.yml", {})
    assert list(stack.functions) == ["hello", "new-one"]
    assert stack.functions["new-one"].handler == project.resolve() / "functions" / "new-one"
    assert (project / "functions" / "new-one" / "handler.py").exists()


def test_without_a_stack_file_one_is_made(project):
    made = scaffold(project, "first", "py", None)

    assert str(made.stack_file) == "stack.yml"
    assert list(read(project / "stack.yml", {}).functions) == ["first"]


def test_an_empty_list_of_functions_is_opened(project):
    (project / "stack.yml").write_text("provider: {name: openfaas}\nfunctions: {}  # none yet\n")

    scaffold(project, "first", "py", None)

    assert list(read(project / "stack.yml", {}).functions) == ["first"]


@pytest.mark.parametrize("name", ["Hello", "a_b", "-a", "a-", "", "x" * 64, "a.b"])
def test_a_name_that_is_no_label_is_refused(project, name):
    with pytest.raises(GenieError, match="not a function name"):
        scaffold(project, name, "py", None)


def test_an_unknown_template_is_refused_with_those_there_are(project):
    with pytest.raises(GenieError, match="no template/go; there are: py"):
        scaffold(project, "a", "go", None)


def test_existing_code_is_never_overwritten(project):
    scaffold(project, "a", "py", None)

    with pytest.raises(GenieError, match="exists"):
        scaffold(project, "a", "py", None)


def test_a_stack_file_that_cannot_be_extended_is_left_as_it_was(project):
    broken = "provider: {name: lambda}\nfunctions:\n"
    (project / "stack.yml").write_text(broken)

    with pytest.raises(GenieError):
        scaffold(project, "a", "py", None)

    assert (project / "stack.yml").read_text() == broken
    assert not (project / "functions" / "a").exists()


_NAMES = st.text(alphabet=string.ascii_lowercase, min_size=1, max_size=8).filter(
    lambda name: name not in ("functions", "version", "provider")
)


@given(st.lists(_NAMES, unique=True, max_size=5), st.sampled_from([1, 2, 4]), st.booleans(), st.booleans())
def test_whatever_is_there_the_new_entry_is_last_and_nothing_is_lost(names, indent, blank_lines, more):
    pad, gap = " " * indent, "\n" if blank_lines else ""
    entries = gap.join(f"{pad}{name}:\n{pad}{pad}image: {name}\n" for name in names)
    text = f"provider:\n  name: openfaas\nfunctions:\n{entries}" + ("\nother: 1\n" if more else "")

    body = load(with_function(text, "zz-new", "py", "./f"), "stack.yml")

    assert list(body["functions"]) == [*names, "zz-new"]
    assert body["functions"]["zz-new"] == {"lang": "py", "handler": "./f", "image": "zz-new:latest"}
    assert ("other" in body) == more
