"""A sync group of real daemons: IPv4 and IPv6 of one service move together."""

import json

import pytest

from hafw.lab.network import INTERFACE

pytestmark = pytest.mark.wire

VIP, VIP6 = "10.77.0.250", "fe80::77:250"
GROUP = {"group": "VG_1"}
SECOND = {"name": "VI_2", "vrid": 52, "virtual_addresses": [VIP6], **GROUP}


def settle(router, state):
    """Until the group is in this state."""
    with router.stream() as stream:
        stream.wait("group_changed", group="VG_1", to=state)


def addresses(router):
    return router.has(VIP), router.has(VIP6)


@pytest.fixture
def group(pair, tools):
    """lb1, MASTER of both members, and lb2."""
    lb1, lb2 = pair
    tools.elect(lb1, lb2, tools.instance(**GROUP), tools.instance(**SECOND))
    settle(lb1, "MASTER")
    tools.until(lambda: addresses(lb1) == (True, True), "addresses of lb1")
    lb2.wait_until_it_follows("VI_2")
    return lb1, lb2


def test_one_family_fails_and_both_move_and_return(group, tools):
    """The interface loses its own IPv4 address: IPv6 is well, and hands over all the same."""
    lb1, lb2 = group
    with lb1.news() as here, lb2.news() as there:
        lb1.ip("address", "del", "10.77.0.1/24", "dev", INTERFACE)
        told = here.wait("group_changed", group="VG_1", to="FAULT")
        assert (told["from"], told["reason"], told["instance"]) == ("MASTER", "no-primary-address", "VI_1")
        there.wait("group_changed", group="VG_1", to="MASTER")
        tools.until(lambda: addresses(lb2) == (True, True), "addresses of lb2")
        tools.until(lambda: addresses(lb1) == (False, False), "lb1 without addresses")
        well = lb1.instance("VI_2")
        assert (well["state"], well["reason"], well["detail"]) == ("FAULT", "sync-group", "VI_1 no-primary-address")
        out = lb1.hafw("status").stdout
        assert "VI_2: FAULT: sync-group: VI_1 no-primary-address" in out
        assert [line.split()[:4] for line in out.splitlines() if line.startswith("VG_1")] == [
            ["VG_1", "FAULT", "VI_1,", "VI_2"]
        ]
        lb1.ip("address", "add", "10.77.0.1/24", "dev", INTERFACE)
        here.wait("group_changed", group="VG_1", to="MASTER")
        there.wait("group_changed", group="VG_1", to="BACKUP")
    tools.until(lambda: addresses(lb1) == (True, True), "addresses of lb1")
    tools.until(lambda: addresses(lb2) == (False, False), "lb2 without addresses")
    assert "group VG_1" in lb1.hafw("history", "VG_1").stdout


def test_a_handover_of_one_member_is_one_of_the_group(group, tools):
    lb1, lb2 = group
    done = lb1.hafw("handover", "VI_2", "--wait")
    assert (done.stderr, done.returncode) == ("", 0)
    first, *told = done.stdout.splitlines()
    assert first == "VI_2 is in group VG_1, which moves as one: VI_1, VI_2"
    assert [line.split(":")[0] for line in told] == ["VI_1", "VI_2"]
    tools.until(lambda: addresses(lb2) == (True, True), "addresses of lb2")
    assert addresses(lb1) == (False, False)


def test_a_daemon_that_is_killed_is_resumed_in_the_whole_group_or_in_nothing_of_it(pair, tools):
    """On a busy machine a start may take too long: then both are handed over."""
    lb1, lb2 = pair
    calm = {"advertisement_interval": "400ms"}
    tools.elect(lb1, lb2, tools.instance(**GROUP, **calm), tools.instance(**SECOND, **calm))
    settle(lb1, "MASTER")
    tools.until(lambda: addresses(lb1) == (True, True), "addresses of lb1")
    tools.until(lambda: wills(lb1) == ["VG_1", "VG_1"], "both in the will")
    tools.until(lambda: {each["state"] for each in lb2.ask()["instances"]} == {"BACKUP"}, "both of lb2 BACKUP")
    before = lb2.ask("history")["transitions"]  # it may have been MASTER until lb1 was there
    lb1.kill_daemon()
    lb1.wait_until_ready()
    if {each["state"] for each in lb1.ask()["instances"]} == {"MASTER"}:
        assert [each["reason"] for each in lb1.ask()["instances"]] == ["resumed", "resumed"]
        assert addresses(lb1) == (True, True)
        assert lb2.ask("history")["transitions"] == before
    else:
        settle(lb2, "MASTER")
        tools.until(lambda: addresses(lb2) == (True, True), "addresses of lb2")


def wills(router):
    """The group of each router that the next daemon would go on with."""
    if not router.will.exists():
        return []
    return [each["sync_group"] for each in json.loads(router.will.read_text())["bequests"] if each["adverts"]]


def test_a_reload_puts_two_masters_into_a_group_without_a_failover(pair, tools):
    lb1, _ = pair
    lb1.start(tools.instance(), tools.instance(**{**SECOND, "group": ""}))
    lb1.wait_until_it_serves()
    lb1.wait_until_it_serves("VI_2")
    lb1.write(tools.instance(**GROUP), tools.instance(**SECOND))
    with lb1.news() as news:
        done = lb1.hafw("reload")
        assert done.stdout == "VI_1: group  -> VG_1\nVI_2: group  -> VG_1\n"
        news.wait("group_changed", group="VG_1", to="MASTER", reason="reconfigured")
        news.wait("config_reloaded")
        assert not [event for event in news.events if event["type"] == "state_changed"]
