from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggers.connector.filter import Filter, FilterError

NAMES = st.from_regex(r"[A-Za-z0-9_.-]+", fullmatch=True)


def wants(text: str, attributes: dict[str, str] | None = None, body: bytes | None = None) -> bool:
    return Filter.parse(text).matches(attributes or {}, lambda: body)


def quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@given(st.lists(st.tuples(NAMES, st.text()), min_size=1))
def test_any_value_survives_quoting(pairs: list[tuple[str, str]]):
    text = " , ".join(f"{name} = {quoted(value)}" for name, value in pairs)
    assert Filter.parse(text).pairs == tuple(pairs)


@given(st.text())
def test_any_text_is_either_read_or_refused(text: str):
    with suppress(FilterError):
        assert isinstance(Filter.parse(text), Filter)


@pytest.mark.parametrize(
    "text", ["type", "=x", "a=b,", "a=b,,c=d", 'a="b', 'a="b"c', ",a=b", 'a=b"c', "a b=c"]
)
def test_what_is_not_a_pair_is_refused_with_the_way_out(text: str):
    with pytest.raises(FilterError, match="name=value"):
        Filter.parse(text)


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_filter_wants_everything(text: str):
    assert wants(text)


def test_every_pair_must_hold():
    attributes = {"type": "job.requested", "jobtype": "diagnose"}
    assert wants("type=job.requested, jobtype=diagnose", attributes)
    assert not wants("type=job.requested,jobtype=scale", attributes)


def test_a_name_with_underscores_finds_the_attribute_without():
    assert wants("job_type=diagnose", {"jobtype": "diagnose"})


def test_an_attribute_decides_over_a_body_field_of_the_same_name():
    assert not wants("type=a", {"type": "b"}, b'{"type": "a"}')


def test_the_body_is_not_read_when_attributes_suffice():
    def unread() -> bytes:
        raise AssertionError("the body was read")

    assert Filter.parse("type=a").matches({"type": "a"}, unread)


@pytest.mark.parametrize(
    ("body", "holds"),
    [
        (b'{"n": 3}', True), (b'{"n": "3"}', True), (b'{"n": 3.5}', False), (b'{"n": null}', False),
        (b'{"n": [3]}', False), (b"[3]", False), (b"not json", False), (b"", False), (None, False),
    ],
)  # fmt: skip
def test_body_fields_compare_as_they_are_written(body: bytes | None, *, holds: bool):
    assert wants("n=3", {}, body) is holds
