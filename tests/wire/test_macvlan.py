"""Devices with virtual MACs and what they change of the host, in a real kernel: what iproute2 and pyroute2 see."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from hafw import footprint
from hafw.footprint import Device, Footprint, Setting
from hafw.guard.execution import execute_leftover
from hafw.wire import macvlan
from hafw.wire.netlink import Netlink
from hafw.wire.rtmessages import Link, delete_link_request, encode_request

MAC4, MAC6 = "00:00:5e:00:01:33", "00:00:5e:00:02:33"
FIRST = Device("hafw4-51-aaaa", "near", MAC4, "VI_1", frozenset({4}))
SECOND = Device("hafw4-52-aaaa", "near", "00:00:5e:00:01:34", "VI_2", frozenset({4}))
SIXTH = Device("hafw6-51-aaaa", "near", MAC6, "VI_6", frozenset({4, 6}))


@pytest.fixture(autouse=True)
def run_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("HAFW_RUN_DIR", str(tmp_path))
    return tmp_path


def tend(*devices):
    with Netlink() as netlink:
        return footprint.tend(netlink, devices)


def sysctl(name):
    return int(Path("/proc/sys/net", name).read_text())


def near(name):
    return sysctl(f"ipv4/conf/near/{name}")


def devices(segment):
    return [each for each in json.loads(segment.ip("-details -json link show")) if each["ifname"].startswith("hafw")]


def test_what_makes_a_device_reads_as_meant():
    message = ifinfmsg(encode_request(macvlan.make_request("hafw4-51-aaaa", 7, bytes.fromhex("00005e000133")), 1))
    message.decode()
    assert (message.get_attr("IFLA_IFNAME"), message.get_attr("IFLA_LINK")) == ("hafw4-51-aaaa", 7)
    assert (message.get_attr("IFLA_ADDRESS"), message["flags"]) == (MAC4, 0)
    info = message.get_attr("IFLA_LINKINFO")
    assert info.get_attr("IFLA_INFO_KIND") == "macvlan"
    assert info.get_attr("IFLA_INFO_DATA").get_attr("IFLA_MACVLAN_MODE") == "bridge"


def test_what_takes_it_away_and_what_keeps_the_kernel_from_deriving_an_address_read_as_meant():
    message = ifinfmsg(encode_request(delete_link_request(7), 1))
    message.decode()
    assert (message["header"]["type"], message["index"]) == (17, 7)
    message = ifinfmsg(encode_request(macvlan.no_identifier_request(7), 1))
    message.decode()
    spec = message.get_attr("IFLA_AF_SPEC").get_attr("AF_INET6")
    assert spec.get_attr("IFLA_INET6_ADDR_GEN_MODE") == 1


@pytest.mark.parametrize(
    ("kind", "mac", "words"),
    [
        ("macvlan", "02:00:00:00:00:01", "is itself of kind macvlan"),
        ("ipvlan", "02:00:00:00:00:01", "is itself of kind ipvlan"),
        ("", "00:00:00:00:00:00", "is no Ethernet interface"),
        ("tun", "", "is no Ethernet interface"),
        ("vlan", "02:00:00:00:00:01", ""),
    ],
)
def test_an_interface_that_cannot_have_one_is_told_from_one_that_can(kind, mac, words):
    mistake = macvlan.misfit(Link(2, "none", up=True, carrier=True, operstate=6, mac=mac, mtu=1500, kind=kind))
    assert mistake.startswith(words)
    assert bool(mistake) == bool(words)


@pytest.mark.wire
def test_a_device_is_made_down_with_its_mac_and_nothing_is_left_of_it(segment, run_directory):
    before = near("arp_ignore"), near("arp_announce")
    assert tend(FIRST) == {}
    (made,) = devices(segment)
    assert (made["ifname"], made["link"], made["address"]) == (FIRST.name, "near", MAC4)
    assert made["linkinfo"] == {
        "info_kind": "macvlan",
        "info_data": {**made["linkinfo"]["info_data"], "mode": "bridge"},
    }
    assert ("UP" in made["flags"], made["ifalias"]) == (False, "hafw: virtual MAC of VI_1 on near")
    assert (near("arp_ignore"), near("arp_announce")) == (1, 2)
    own = f"ipv4/conf/{FIRST.name}"
    assert [sysctl(f"{own}/{name}") for name in ("arp_ignore", "arp_announce", "rp_filter")] == [1, 2, 2]
    assert sysctl(f"ipv6/conf/{FIRST.name}/disable_ipv6") == 1
    assert run_directory.joinpath("network.json").stat().st_mode & 0o777 == 0o600
    assert tend() == {}
    assert (devices(segment), near("arp_ignore"), near("arp_announce")) == ([], *before)
    assert list(run_directory.iterdir()) == []


@pytest.mark.wire
def test_c_nd_16_a_device_derives_no_address_from_its_mac_and_takes_no_advice_from_routers(segment):
    segment.set("net/ipv6/conf/near/forwarding", "1")
    tend(SIXTH)
    segment.ip(f"link set {SIXTH.name} up")
    assert segment.addresses(SIXTH.name) == []
    names = ("disable_ipv6", "accept_ra", "autoconf", "accept_dad", "addr_gen_mode", "forwarding")
    assert [sysctl(f"ipv6/conf/{SIXTH.name}/{name}") for name in names] == [0, 0, 0, 0, 1, 1]


@pytest.mark.wire
def test_c_arp_13_a_setting_that_two_devices_need_is_restored_when_the_last_of_them_goes(segment):
    segment.set("net/ipv4/conf/near/arp_announce", "1")
    tend(FIRST, SECOND)
    tend(SECOND)
    assert ([each["ifname"] for each in devices(segment)], near("arp_announce")) == ([SECOND.name], 2)
    tend()
    assert (near("arp_ignore"), near("arp_announce")) == (0, 1)


@pytest.mark.wire
def test_c_arp_13_what_was_there_before_is_remembered_over_the_death_of_everybody(segment, run_directory):
    tend(FIRST)
    assert (tend(FIRST), near("arp_ignore")) == ({}, 1)  # by the next daemon
    assert [(each.before, each.ours) for each in footprint.read().settings] == [(0, 1), (0, 2)]
    assert execute_leftover()  # by `hafw cleanup`
    assert (devices(segment), near("arp_ignore"), near("arp_announce")) == ([], 0, 0)
    assert not execute_leftover()


@pytest.mark.wire
def test_who_died_between_the_record_and_the_change_leaves_nothing_to_undo(segment):
    footprint.write(Footprint((FIRST.name,), (Setting(segment.near, macvlan.ARP_IGNORE, 0, 1),)))
    assert execute_leftover()
    assert (devices(segment), near("arp_ignore"), footprint.read()) == ([], 0, Footprint())


@pytest.mark.wire
def test_what_somebody_else_has_chosen_stays(segment):
    segment.set("net/ipv4/conf/near/arp_ignore", "1")
    tend(FIRST)
    assert [each.number for each in footprint.read().settings] == [macvlan.ARP_ANNOUNCE]
    segment.set("net/ipv4/conf/near/arp_announce", "0")
    tend(FIRST)
    assert near("arp_announce") == 2  # it is needed
    segment.set("net/ipv4/conf/near/arp_ignore", "3")
    tend()
    assert (near("arp_ignore"), near("arp_announce")) == (3, 0)


@pytest.mark.wire
def test_a_device_goes_with_its_interface_and_is_made_anew_with_it(segment):
    tend(FIRST)
    segment.make_anew(77)
    assert (devices(segment), near("arp_ignore")) == ([], 0)
    tend(FIRST)
    assert ([each["ifname"] for each in devices(segment)], near("arp_ignore")) == ([FIRST.name], 1)
    assert {each.ifindex for each in footprint.read().settings} == {77}
    segment.ip("link del near")
    assert (tend(FIRST), tend(), footprint.read()) == ({}, {}, Footprint())


@pytest.mark.wire
def test_one_that_is_not_ours_is_neither_used_nor_removed(segment):
    segment.ip(f"link add {FIRST.name} type bridge")
    assert tend(FIRST) == {FIRST.name: f"{FIRST.name} on near: there is another interface of this name: rename it"}
    tend()
    assert [each["linkinfo"]["info_kind"] for each in devices(segment)] == ["bridge"]


@pytest.mark.wire
def test_a_leftover_on_another_interface_is_made_anew(segment):
    segment.ip(f"link add link far name {FIRST.name} address {MAC4} type macvlan")
    assert tend(FIRST) == {}
    assert [each["link"] for each in devices(segment)] == ["near"]


@pytest.mark.wire
def test_what_makes_it_impossible_is_told_with_the_way_out(segment):
    segment.ip("link add bridge type bridge")
    segment.ip("link set near master bridge")
    assert tend(FIRST)[FIRST.name].endswith("the interface is a port of a bridge or a bond: name that one")
    segment.ip("link set near nomaster")
    segment.set("net/ipv4/conf/all/arp_filter", "1")
    rule = "no device with a virtual MAC would answer ARP"
    way_out = "set it to 0, and to what you need on each interface"
    assert tend(FIRST)[FIRST.name].endswith(f"net.ipv4.conf.all.arp_filter = 1: {rule}: {way_out}")
    segment.set("net/ipv4/conf/all/arp_filter", "0")
    segment.ip("link add link near name upper type macvlan")
    upper = Device("hafw4-51-bbbb", "upper", MAC4, "VI_1", frozenset({4}))
    assert tend(upper)[upper.name].startswith("hafw4-51-bbbb on upper: is itself of kind macvlan, which has one MAC")
    assert devices(segment) == []


def test_a_record_that_cannot_be_read_is_as_good_as_none(run_directory):
    for text in ("", "{}", "[]", '{"version": 1, "devices": 1, "settings": [{}]}', '{"version": 9}', "[" * 100_000):
        run_directory.joinpath("network.json").write_text(text)
        assert footprint.read() == Footprint()
