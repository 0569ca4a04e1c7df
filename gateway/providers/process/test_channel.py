"""Messages and descriptors over a socket pair."""

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.providers.process.channel import ChannelClosedError, Inbox, Outbox


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        yield ours, theirs


def carry(outbox, inbox):
    messages, done = [], False
    while not done:
        done = outbox.flush()
        try:
            while True:
                messages.extend(inbox.receive())
        except BlockingIOError:
            continue
    return messages


@given(st.lists(st.tuples(st.text(max_size=300_000), st.booleans()), max_size=5))
def test_messages_arrive_whole_in_order_and_with_their_descriptors(parts):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        outbox, inbox = Outbox(ours), Inbox(theirs)
        for number, (text, has_descriptor) in enumerate(parts):
            descriptors = [os.memfd_create(str(number))] if has_descriptor else []
            outbox.put({"text": text, "number": number}, descriptors)
        messages = carry(outbox, inbox)
        assert [message["text"] for message in messages] == [text for text, _ in parts]
        for number, (_, has_descriptor) in enumerate(parts):
            if has_descriptor:
                descriptor = inbox.descriptor()
                assert f"memfd:{number} " in str(Path(f"/proc/self/fd/{descriptor}").readlink())
                os.close(descriptor)


def test_descriptors_that_were_never_sent_are_closed(pair):
    outbox = Outbox(pair[0])
    read, write = os.pipe()
    outbox.put({}, (write,))
    outbox.discard()
    assert os.read(read, 1) == b""
    os.close(read)


def test_the_end_of_the_other_side_is_told_on_both_ways(pair):
    ours, theirs = pair
    theirs.close()
    with pytest.raises(ChannelClosedError):
        list(Inbox(ours).receive())
    outbox = Outbox(ours)
    outbox.put({"a": 1})
    with pytest.raises(ChannelClosedError):
        outbox.flush()
