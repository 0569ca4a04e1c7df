from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggers.broker.frames import FrameError, parse, without_tags


def test_a_header_is_read_with_and_without_client_id():
    named = parse(struct.pack(">hhih", 18, 3, 7, 2) + b"me" + b"body")
    assert (*named[:4], bytes(named.body)) == (18, 3, 7, "me", b"body")
    nameless = parse(struct.pack(">hhih", 18, 0, 7, -1) + b"body")
    assert (nameless.client_id, bytes(nameless.body)) == ("", b"body")


def test_tags_of_a_flexible_header_are_skipped():
    assert bytes(without_tags(memoryview(b"\x00body"))) == b"body"
    assert bytes(without_tags(memoryview(b"\x02\x00\x03abc\x81\x01\x00body"))) == b"body"


@given(st.binary(max_size=40))
def test_random_bytes_are_read_or_refused_and_never_crash(content):
    try:
        without_tags(parse(content).body)
    except FrameError:
        return


def test_a_client_id_that_is_longer_than_the_request_is_refused():
    with pytest.raises(FrameError, match="longer than the request"):
        parse(struct.pack(">hhih", 18, 3, 7, 200) + b"me")
