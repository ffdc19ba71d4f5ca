"""Connections to an address, with real ones on loopback."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
import time
from pathlib import Path

import pytest
from hafw_checks.drain import MARGIN, as_listed, connections, drain, drained

from hafw.api import Address, Router

VIP = f"127.8.{os.getpid() >> 8 & 255}.{os.getpid() & 255 or 1}"
"""Of this process: another run of these tests may have the same idea at the same time."""
OTHER = "127.7.7.8"


def router(*addresses: str) -> Router:
    bound = tuple(Address(address=each, prefixlen=32, interface="lo") for each in addresses)
    return Router(name="VI_1", vrid=51, version=3, priority=150, interface="lo", addresses=bound)


@pytest.fixture
def connect():
    """A connection to this address; gives the client's end and the server's."""
    with contextlib.ExitStack() as stack:

        def make(address=VIP, listen=None):
            family = socket.AF_INET6 if ":" in (listen or address) else socket.AF_INET
            listener = stack.enter_context(
                socket.create_server((listen or address, 0), family=family, dualstack_ipv6=listen == "::")
            )
            client = stack.enter_context(socket.create_connection((address, listener.getsockname()[1])))
            return client, stack.enter_context(listener.accept()[0])

        yield make


@pytest.mark.parametrize(
    ("address", "listen"), [(VIP, VIP), (VIP, "::"), ("::1", "::1")], ids=["IPv4", "IPv4 by an IPv6 socket", "IPv6"]
)
def test_connections_are_counted_by_the_address_that_was_asked_for(connect, address, listen):
    before = connections([address])
    connect(address, listen)
    assert connections([address]) == before + (2 if address == "::1" else 1), "on loopback ::1 is at both ends"
    assert connections([OTHER]) == 0


def test_an_address_is_sought_as_the_kernel_prints_it():
    with socket.create_server((VIP, 0)) as listener:
        port = f"{listener.getsockname()[1]:04X}".encode()
        lines = [line.split() for line in Path("/proc/net/tcp").read_bytes().splitlines()]
    (local,) = [words[1] for words in lines if words[1].endswith(b":" + port) and words[3] == b"0A"]
    assert local.partition(b":")[0] in as_listed(VIP)


def test_a_client_that_only_waits_for_its_answer_counts(connect):
    client, _server = connect()
    client.shutdown(socket.SHUT_WR)
    assert connections([VIP]) == 1


def test_the_end_of_the_last_connection_ends_the_wait(connect):
    client, server = connect()
    waiting = threading.Thread(target=drain, args=[[VIP], 60])
    waiting.start()
    server.close()
    client.close()
    waiting.join(10)
    assert not waiting.is_alive()


def test_the_time_ends_the_wait(connect):
    connect()
    assert drain([VIP], 0.1) == 1


def said(seconds, budget=5.0):
    outcome = drained(router(OTHER, VIP), seconds, budget)
    assert outcome["exit"] == 0, "the handover goes on, so it is no failure"
    return outcome["output"]


def test_it_says_how_it_went(connect):
    assert re.fullmatch(r"VI_1: drained in \d\.\ds", said(0.1))
    connect()
    assert re.fullmatch(r"VI_1: not drained, connections after \d\.\ds: 1", said(0.1))


def test_a_small_budget_is_not_exceeded(connect):
    connect()
    began = time.monotonic()
    assert said(4.5, MARGIN + 0.1)
    assert time.monotonic() - began < 4.5
