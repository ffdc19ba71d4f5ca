"""Addresses in a real kernel; pyroute2 and iproute2 say what is installed."""

from __future__ import annotations

import errno
import os
import socket
import time
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

import pytest
from pyroute2 import IPRoute

from hafw.wire.netlink import BATCH, FIRST_BATCH, Monitor, Netlink
from hafw.wire.rtmessages import (
    NODAD,
    NOPREFIXROUTE,
    PROTO_HAFW,
    SECONDARY,
    AddressEntry,
    AddressSeen,
    LinkSeen,
    Resync,
    addition,
    removal,
)

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.wire

V4, V6 = IPv4Address("192.0.2.100"), IPv6Address("2001:db8::100")


def everything(monitor: Monitor) -> list[object]:
    changes: list[object] = []
    while found := monitor.receive():
        changes += found
    return changes


def until(segment, monitor: Monitor, wanted: Callable[[object], bool]) -> object:
    while True:
        segment.wait_readable(monitor)
        for change in everything(monitor):
            if wanted(change):
                return change


def as_pyroute2_sees_it(address: str) -> dict[str, object]:
    with IPRoute() as oracle:
        (message,) = [each for each in oracle.get_addr() if each.get_attr("IFA_ADDRESS") == address]
    return {
        "prefixlen": message["prefixlen"],
        "index": message["index"],
        "scope": message["scope"],
        "flags": message.get_attr("IFA_FLAGS"),
        "label": message.get_attr("IFA_LABEL"),
        "proto": message.get_attr("IFA_PROTO"),
    }


def test_links_are_listed(segment):
    with Netlink() as netlink:
        link = next(link for link in netlink.links() if link.name == "near")
    assert (link.index, link.mac, link.mtu) == (segment.near, segment.near_mac, 1500)
    assert (link.up, link.carrier, link.operstate, link.promotes) == (True, True, 6, False)


def test_an_ipv4_address_is_installed_as_meant(segment):
    entry = AddressEntry(segment.near, V4, 32, scope=253, label="near:vip", proto=PROTO_HAFW)
    with Netlink() as netlink:
        assert netlink.change([entry], []) == []
        (back,) = [each for each in netlink.addresses() if each.address == V4]
    seen = as_pyroute2_sees_it(str(V4))
    assert seen["flags"] & NOPREFIXROUTE
    assert (seen["prefixlen"], seen["scope"], seen["label"], seen["proto"]) == (32, 253, "near:vip", PROTO_HAFW)
    assert (back.prefixlen, back.scope, back.label, back.proto) == (32, 253, "near:vip", PROTO_HAFW)
    assert back.flags == seen["flags"]


def test_c_nd_15_an_ipv6_address_is_installed_at_once_and_never_a_source(segment):
    with Netlink() as netlink:
        assert netlink.change([AddressEntry(segment.near, V6, 64, proto=PROTO_HAFW)], []) == []
    seen = as_pyroute2_sees_it(str(V6))
    assert seen["flags"] & NODAD
    assert "deprecated" in segment.ip(f"-6 address show to {V6}/128")


def test_adding_what_is_there_and_removing_what_is_not_is_no_refusal(segment):
    entries = [AddressEntry(segment.near, V4, 32), AddressEntry(segment.near, V6, 128)]
    with Netlink() as netlink:
        assert netlink.change(entries, []) == netlink.change(entries, []) == []
        assert netlink.change([], entries) == netlink.change([], entries) == []


def test_a_refusal_names_the_address_and_the_kernels_reason(segment):
    with Netlink() as netlink:
        (refusal,) = netlink.change([AddressEntry(9999, V4, 32), AddressEntry(segment.near, V4, 32)], [])
        assert (refusal.address, refusal.errno) == (V4, errno.ENODEV)
        assert "192.0.2.100/32" in segment.addresses()


def test_a_reason_in_the_kernels_own_words_is_kept(segment):
    segment.set("net/ipv6/conf/near/disable_ipv6", "1")
    with Netlink() as netlink:
        (refusal,) = netlink.change([AddressEntry(segment.near, V6, 128)], [])
    assert refusal.errno == errno.EACCES
    assert "disabled" in refusal.message


def test_four_thousand_addresses_are_installed_and_removed(segment):
    entries = [AddressEntry(segment.near, IPv4Address("198.18.0.0") + n, 32, proto=PROTO_HAFW) for n in range(4000)]
    with Netlink() as netlink:
        started = time.monotonic()
        assert netlink.change(entries, []) == []
        listed = {entry.address for entry in netlink.addresses() if entry.proto == PROTO_HAFW}
        took = time.monotonic() - started
        assert listed == {entry.address for entry in entries}
        assert len(segment.addresses()) == 4000 + 2
        assert netlink.change([], entries) == []
    assert segment.addresses() == ["192.0.2.1/24", "fe80::1/64"]
    assert took < 5, "0.3 s on an idle machine"


def test_what_the_kernel_confirms_is_told_batch_by_batch_and_what_it_refuses_is_not(segment):
    entries = [AddressEntry(segment.near, IPv4Address("198.18.0.0") + n, 32) for n in range(2 * BATCH + 1)]
    there, nowhere = entries[0], AddressEntry(9999, V4, 32)
    told: list[list[IPv4Address]] = []
    with Netlink() as netlink:
        netlink.change([there], [])
        orders = [addition(each) for each in [*entries[:10], nowhere, *entries[10:]]]
        refusals = netlink.carry_out(orders, lambda done: told.append([each.entry.address for each in done]))
        assert [(each.order.entry, each.errno, each.needless) for each in refusals] == [
            (there, errno.EEXIST, True),
            (nowhere, errno.ENODEV, False),
        ]
        assert [len(each) for each in told] == [FIRST_BATCH - 2, BATCH, BATCH + 2 - FIRST_BATCH]
        assert [address for batch in told for address in batch] == [each.address for each in entries[1:]]
        absent = removal(nowhere)
        assert [each.order for each in netlink.carry_out([absent], lambda _: None)] == [absent]


def test_promoting_secondaries_saves_the_hosts_own_address(segment):
    segment.ip("address flush dev near")
    vip = AddressEntry(segment.near, V4, 24)
    with Netlink() as netlink:
        netlink.promote_secondaries(segment.near)
        assert next(link for link in netlink.links() if link.index == segment.near).promotes
        netlink.change([vip], [])
        segment.ip("address add 192.0.2.1/24 dev near")
        netlink.change([], [vip])
    assert segment.addresses() == ["192.0.2.1/24"]


def test_promoting_secondaries_on_no_interface_says_so(segment):
    with Netlink() as netlink, pytest.raises(OSError, match="promote_secondaries on interface 9999") as raised:
        netlink.promote_secondaries(9999)
    assert raised.value.errno == errno.ENODEV


@pytest.mark.parametrize("text", ["192.0.2.100", "2001:db8::100"])
def test_the_monitor_hears_an_address_come_and_go(segment, text: str):
    with Monitor() as monitor:
        length = 32 if "." in text else 128
        segment.ip(f"address add {text}/{length} dev near")
        segment.ip(f"address del {text}/{length} dev near")
        seen = [each for each in everything(monitor) if isinstance(each, AddressSeen)]
    assert {(each.entry.address, each.entry.ifindex) for each in seen} == {(ip_address(text), segment.near)}
    assert (seen[0].gone, seen[-1].gone) == (False, True)


def test_the_monitor_hears_what_others_do_to_a_host_address_and_not_what_we_ordered(segment):
    entry = AddressEntry(segment.near, V4, 32)
    with Netlink() as netlink, Monitor(netlink.port) as monitor:
        netlink.change([entry], [])
        segment.ip(f"address del {V4}/32 dev near")
        segment.ip(f"address add {V4}/32 dev near")
        seen = [each for each in everything(monitor) if isinstance(each, AddressSeen)]
        assert [(each.entry.address, each.gone) for each in seen] == [(V4, True), (V4, False)]
        netlink.change([], [entry])
        assert everything(monitor) == []


def test_the_monitor_hears_whom_the_kernel_promotes_because_of_us(segment):
    segment.ip("address flush dev near")
    vip = AddressEntry(segment.near, V4, 24)
    with Netlink() as netlink:
        netlink.promote_secondaries(segment.near)
        netlink.change([vip], [])
        segment.ip("address add 192.0.2.1/24 dev near")
        with Monitor(netlink.port) as monitor:
            netlink.change([], [vip])
            seen = [each for each in everything(monitor) if isinstance(each, AddressSeen)]
    assert [(str(each.entry.address), each.gone) for each in seen] == [(str(V4), True), ("192.0.2.1", False)]
    assert not seen[-1].entry.flags & SECONDARY


def test_the_monitor_hears_links_change_and_go(segment):
    with Monitor() as monitor:
        segment.ip("link set near down")
        down = until(segment, monitor, lambda each: isinstance(each, LinkSeen) and each.link.name == "near")
        assert not down.link.up
        segment.ip("link del near")
        gone = until(segment, monitor, lambda each: isinstance(each, LinkSeen) and each.gone)
        assert gone.link.name in ("near", "far")


def test_announcements_that_were_lost_ask_for_a_new_listing(segment):
    with Monitor() as monitor:
        with socket.socket(fileno=os.dup(monitor.fileno())) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with Netlink() as netlink:
            netlink.change([AddressEntry(segment.near, V4 + n, 32) for n in range(100)], [])
        assert Resync() in everything(monitor)
