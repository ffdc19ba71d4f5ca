"""Before a planned handover; how connections are counted, and waited for, is the checks' to test."""

from __future__ import annotations

import os
import socket

import pytest
from hafw_nginx import Nginx, Options

from hafw.api import Address, Duration, Router

VIP = f"127.8.{os.getpid() >> 8 & 255}.{os.getpid() & 255 or 1}"
"""Of this process: another run of these tests may have the same idea at the same time."""


@pytest.fixture
def router():
    """With a connection to its address that nobody ends."""
    bound = (Address(address=VIP, prefixlen=32, interface="lo"),)
    with (
        socket.create_server((VIP, 0)) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0],
    ):
        yield Router(name="VI_1", vrid=51, version=3, priority=150, interface="lo", addresses=bound)


def test_drain_waits_for_the_connections_and_says_how_it_went(router):
    nginx = Nginx()
    nginx.configure(Options(drain=Duration(0.1)))
    outcome = nginx.before_release(router, 5)
    assert outcome["output"].startswith("VI_1: not drained, connections after 0.")
    assert outcome["output"].endswith(": 1")
    assert outcome["exit"] == 0, "the handover goes on, so it is no failure"


def test_by_default_nothing_is_waited_for(router):
    assert Nginx().before_release(router, 5) is None
