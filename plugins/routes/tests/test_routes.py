"""The plugin against the kernel, in a network namespace of its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.wire

PREPARED = """
import subprocess, sys, time
from hafw.api import Address, Router, StateChange, VipChange
from hafw_routes import Routes
from hafw_routes.options import Options, Route, Rule

def ip(*words):
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout

ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
ip("link", "set", "eth0", "up")
ip("link", "set", "eth1", "up")
ip("link", "set", "lo", "up")
ip("addr", "add", "192.0.2.1/24", "dev", "eth0")
VIP = Address(address="192.0.2.250", prefixlen=32, interface="eth0")
ROUTER = Router(name="VI_1", vrid=51, version=3, priority=150, interface="eth0", addresses=(VIP,))

def change(new):
    return StateChange(seq=1, time="", instance="VI_1", old="BACKUP", new=new, reason="test", priority=150)

def vip(word):
    return VipChange(seq=1, time="", instance="VI_1", address="192.0.2.250", change=word)

def plugin(*routes, refresh=0, rules=()):
    made = Routes()
    made.configure(Options(route=routes, rule=rules, refresh=refresh), [ROUTER])
    return made

def ours():
    lines = (ip("route", "show", "proto", "112") + ip("-6", "route", "show", "proto", "112")).splitlines()
    rules = [line.split(":")[1].strip() for line in ip("rule", "show").splitlines() if "100" in line.split()]
    return [" ".join(line.split()) for line in lines] + rules

def bind():
    ip("addr", "add", "192.0.2.250/32", "dev", "eth0")

def until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)

NETWORK = Route(instance="VI_1", to="198.51.100.0/24", via="192.0.2.254", src="192.0.2.250")
TABLE = Route(instance="VI_1", to="default", via="192.0.2.254", table=100)
RULE = Rule(instance="VI_1", from_="192.0.2.250/32", table=100, priority=1000)
HOLE = Route(instance="VI_1", to="203.0.113.0/24", kind="blackhole")
"""


def tell(story: str) -> None:
    """What it prints is an assertion that failed."""
    program = PREPARED + textwrap.dedent(story)
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_they_are_there_while_the_router_is_master_and_gone_afterwards():
    tell("""
        routes = plugin(NETWORK, TABLE, HOLE, rules=(RULE,))
        assert routes.became_backup(ROUTER, change("BACKUP")) is None
        assert ours() == []
        bind()
        assert routes.vip_changed(ROUTER, vip("vip_bound")) is None
        wanted = [
            "198.51.100.0/24 via 192.0.2.254 dev eth0 src 192.0.2.250", "blackhole 203.0.113.0/24",
            "from 192.0.2.250 lookup 100 proto 112",
        ]
        assert [line for line in ours()] == wanted, ours()
        assert ip("route", "show", "table", "100").split()[:3] == ["default", "via", "192.0.2.254"]
        assert routes.vip_changed(ROUTER, vip("vip_bound")) is None, "again is nothing new"
        assert ours() == wanted
        assert routes.became_backup(ROUTER, change("BACKUP")) is None
        assert ours() == []
        assert ip("route", "show", "table", "100") == ""
    """)


def test_what_is_not_ours_is_neither_replaced_nor_removed():
    tell("""
        ip("route", "add", "198.51.100.0/24", "via", "192.0.2.253")
        routes = plugin(NETWORK)
        bind()
        said = routes.vip_changed(ROUTER, vip("vip_bound"))
        assert said == {"exit": 1, "output":
            "198.51.100.0/24 via 192.0.2.254 src 192.0.2.250:"
            " is there already, and not ours: remove it, or give this one a metric of its own"}, said
        assert routes.faulted(ROUTER, change("FAULT")) is None
        assert "198.51.100.0/24 via 192.0.2.253" in ip("route", "show")
    """)


def test_what_cannot_be_added_is_told():
    tell("""
        routes = plugin(
            Route(instance="VI_1", to="198.51.100.0/24", via="203.0.113.1"),
            Route(instance="VI_1", to="198.51.101.0/24", dev="eth9"),
        )
        said = routes.vip_changed(ROUTER, vip("vip_bound"))["output"]
        assert said == (
            "198.51.100.0/24 via 203.0.113.1: its gateway cannot be reached from here;"
            " 198.51.101.0/24 dev eth9: there is no such interface"
        ), said
        assert routes.stopped(ROUTER, change("STOP")) is None
    """)


def test_a_new_process_knows_by_the_addresses_and_puts_back_what_somebody_removes():
    """After a crash of the plugin while MASTER, and after one of everything while not."""
    tell("""
        bind()
        routes = plugin(HOLE, refresh=0.05)
        routes.event({"type": "plugin_restarted"})
        until(lambda: ours() == ["blackhole 203.0.113.0/24"])
        ip("route", "del", "blackhole", "203.0.113.0/24", "proto", "112")
        until(lambda: ours() == ["blackhole 203.0.113.0/24"])
        ip("addr", "del", "192.0.2.250/32", "dev", "eth0")
        until(lambda: ours() == [])
    """)
