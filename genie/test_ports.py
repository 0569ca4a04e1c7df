from __future__ import annotations

import os
import socket

import pytest

from genie import ports
from genie.errors import GenieError


def test_a_port_with_a_listener_is_not_free_and_its_holder_is_named():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        assert not ports.is_free("127.0.0.1", port)
        assert f"(pid {os.getpid()})" in ports.holder(port)
    assert ports.is_free("127.0.0.1", port)


def test_nobody_holds_a_free_port():
    assert ports.holder(ports.choose()) == ""


def test_chosen_ports_lie_below_those_of_outgoing_connections():
    assert ports.FIRST_PORT <= ports.choose() < ports.LAST_PORT


def test_an_address_of_another_machine_is_refused_with_the_way_out():
    with pytest.raises(GenieError, match="GENIE_HOST"):
        ports.is_free("192.0.2.1", 80)
