from __future__ import annotations

import shutil
import string
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genie.errors import StackError
from genie.stack.envsubst import substitute

ENV = {"V": "hello.tar.gz", "EMPTY": "", "PATHS": "/a/b/c", "UP": "ABC", "I": "in", "N": "x"}
CASES = [
    ("plain text", "plain text"),
    ("${V}", "hello.tar.gz"),
    ("a${I}b${I}c", "ainbinc"),
    ("${UNSET}", ""),
    ("${UNSET:-d}", "d"),
    ("${UNSET:=d}", "d"),
    ("${UNSET=d}", "d"),
    ("${UNSET-d}", "d"),
    ("${EMPTY=d}", "d"),
    ("${EMPTY:-d}", "d"),
    ("${V:-d}", "hello.tar.gz"),
    ("${UNSET:-${I}-${N}}", "in-x"),
    ("${UNSET:-http://127.0.0.1:80/x}", "http://127.0.0.1:80/x"),
    ("$V and $", "$V and $"),
    ("$${V}", "${V}"),
    ("$${V} ${I}", "${V} in"),
    ("${V^}", "Hello.tar.gz"),
    ("${V^^}", "HELLO.TAR.GZ"),
    ("${UP,}", "aBC"),
    ("${UP,,}", "abc"),
    ("${#V}", "12"),
    ("${V:6}", "tar.gz"),
    ("${V:6:3}", "tar"),
    ("${V#*.}", "tar.gz"),
    ("${V##*.}", "gz"),
    ("${V%.*}", "hello.tar"),
    ("${V%%.*}", "hello"),
    ("${PATHS/\\//}", "/a/b/c"),
    ("${V/l/L}", "heLlo.tar.gz"),
    ("${V//l/L}", "heLLo.tar.gz"),
    ("${V//[lo]/_}", "he___.tar.gz"),
    ("${V/#he/HE}", "HEllo.tar.gz"),
    ("${V/%gz/xz}", "hello.tar.xz"),
    ("${V//l}", "heo.tar.gz"),
    ("${V/l/${I}}", "heinlo.tar.gz"),
]


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[text for text, _ in CASES])
def test_forms(text, expected):
    assert substitute(text, ENV) == expected


@pytest.mark.parametrize("text", ["${", "${V", "${}", "${1}", "${V:-x", "${V:?gone}", "${V:x}", "${V|x}"])
def test_a_bad_expression_is_refused_with_its_line(text):
    with pytest.raises(StackError, match=r"line 3: .*\$\{"):
        substitute(f"one\ntwo\n{text}", ENV)


@given(st.text())
def test_text_without_an_expression_is_left_as_it_is(text):
    text = text.replace("${", "$ {")

    assert substitute(text, ENV) == text


@given(st.text(), st.text(alphabet=string.ascii_letters + "${}:-#%/^,=*?[]!"))
def test_any_text_is_either_substituted_or_refused(value, text):
    try:
        substitute(text, {"a": value, "V": value})
    except StackError as error:
        assert str(error).startswith("line ")  # noqa: PT017 - both outcomes are right


@given(st.text(min_size=1))
def test_values_are_never_expanded_again(value):
    assert substitute("${V}", {"V": value}) == value
    assert substitute("${U:-${V}}", {"V": value}) == value


_WORDS = st.text(alphabet="ab.", max_size=6)
_PATTERNS = st.text(alphabet="ab.*?", min_size=1, max_size=4)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("bash"), reason="bash is the reference here")
@given(_WORDS, st.sampled_from(["#", "##", "%", "%%", "//", "/", "/#", "/%"]), _PATTERNS)
@settings(max_examples=150, deadline=None)
def test_trims_and_replacements_agree_with_bash(value, operator, pattern):
    expression = f"${{V{operator}{pattern}{'/N' if '/' in operator else ''}}}"
    said = subprocess.run(
        ["bash", "-c", f'printf %s "{expression}"'],
        env={"V": value},
        capture_output=True,
        text=True,
        check=True,
    )

    assert substitute(expression, {"V": value}) == said.stdout
