"""Our bytes against pyroute2's reading of them, and anything at all against our own reading."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from hafw.wire.rtmessages import (
    NODAD,
    NOPREFIXROUTE,
    PROTO_HAFW,
    AddressEntry,
    AddressSeen,
    LinkSeen,
    MalformedMessage,
    add_request,
    encode_request,
    outcome_untrusted,
    parse_changes_untrusted,
    promote_secondaries_request,
    remove_request,
)

RTM_NEWLINK, RTM_NEWADDR, RTM_DELADDR = 16, 20, 21


def decoded(kind: type, data: bytes) -> object:
    message = kind(data)
    message.decode()
    return message


def test_an_added_ipv4_address_reads_as_meant():
    entry = AddressEntry(7, IPv4Address("192.0.2.9"), 32, scope=253, label="near:vip", proto=PROTO_HAFW)
    message = decoded(ifaddrmsg, encode_request(add_request(entry), 1))
    assert (message["header"]["type"], message["header"]["sequence_number"]) == (RTM_NEWADDR, 1)
    assert (message["family"], message["prefixlen"], message["scope"], message["index"]) == (socket.AF_INET, 32, 253, 7)
    assert message.get_attr("IFA_LOCAL") == message.get_attr("IFA_ADDRESS") == "192.0.2.9"
    assert message.get_attr("IFA_LABEL") == "near:vip"
    assert message.get_attr("IFA_FLAGS") == NOPREFIXROUTE
    assert message.get_attr("IFA_PROTO") == PROTO_HAFW


def test_c_nd_15_an_added_ipv6_address_is_never_checked_for_duplicates_nor_chosen_as_a_source():
    message = decoded(ifaddrmsg, encode_request(add_request(AddressEntry(7, IPv6Address("2001:db8::9"), 64)), 1))
    assert message["family"] == socket.AF_INET6
    assert message.get_attr("IFA_ADDRESS") == "2001:db8::9"
    assert message.get_attr("IFA_FLAGS") == NODAD
    lifetimes = message.get_attr("IFA_CACHEINFO")
    assert (lifetimes["ifa_preferred"], lifetimes["ifa_valid"]) == (0, 0xFFFFFFFF)


def test_a_removal_names_address_and_length():
    message = decoded(ifaddrmsg, encode_request(remove_request(AddressEntry(7, IPv4Address("192.0.2.9"), 24)), 5))
    assert message["header"]["type"] == RTM_DELADDR
    assert (message.get_attr("IFA_LOCAL"), message["prefixlen"], message["index"]) == ("192.0.2.9", 24, 7)


def test_promoting_secondaries_is_a_setting_of_the_link():
    message = decoded(ifinfmsg, encode_request(promote_secondaries_request(7), 1))
    assert (message["header"]["type"], message["index"]) == (RTM_NEWLINK, 7)


@pytest.mark.parametrize("text", ["192.0.2.9", "2001:db8::9"])
def test_what_pyroute2_encodes_is_read(text: str):
    message = ifaddrmsg()
    message["family"] = socket.AF_INET6 if ":" in text else socket.AF_INET
    message["prefixlen"], message["index"] = 28, 3
    message["attrs"] = [("IFA_ADDRESS", text), ("IFA_LOCAL", text), ("IFA_FLAGS", 0x80), ("IFA_PROTO", 4)]
    message["header"]["type"] = RTM_NEWADDR
    message.encode()
    expected = AddressEntry(3, ip_address(text), 28, flags=0x80, proto=4)
    assert list(parse_changes_untrusted(bytes(message.data))) == [AddressSeen(expected, gone=False)]


def link_message(*attributes: tuple[str, object], family: int = 0) -> bytes:
    message = ifinfmsg()
    message["family"], message["index"], message["flags"] = family, 3, 0x10001
    message["attrs"] = list(attributes)
    message["header"]["type"] = RTM_NEWLINK
    message.encode()
    return bytes(message.data)


def test_a_link_is_read():
    data = link_message(
        ("IFLA_IFNAME", "eth0"), ("IFLA_MTU", 9000), ("IFLA_OPERSTATE", "UP"), ("IFLA_ADDRESS", "02:00:00:00:00:01")
    )
    (seen,) = parse_changes_untrusted(data)
    assert isinstance(seen, LinkSeen)
    link = seen.link
    assert (link.index, link.name, link.mtu, link.operstate, link.mac) == (3, "eth0", 9000, 6, "02:00:00:00:00:01")
    assert (link.up, link.carrier) == (True, True)


def test_a_bridge_port_that_leaves_is_no_link_that_goes():
    assert list(parse_changes_untrusted(link_message(("IFLA_IFNAME", "eth0"), family=socket.AF_BRIDGE))) == []


def test_a_wireless_event_without_a_name_is_no_link():
    assert list(parse_changes_untrusted(link_message(("IFLA_MTU", 1500)))) == []


GOOD = encode_request(add_request(AddressEntry(7, IPv6Address("2001:db8::9"), 64, proto=PROTO_HAFW)), 1)


@given(st.binary(max_size=200))
def test_any_bytes_raise_nothing_but_malformed_message(data: bytes):
    with suppress(MalformedMessage):
        list(parse_changes_untrusted(data))


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255), st.integers(0, len(GOOD)))
def test_a_damaged_message_raises_nothing_but_malformed_message(at: int, value: int, length: int):
    damaged = GOOD[:at] + bytes([value]) + GOOD[at + 1 :]
    with suppress(MalformedMessage):
        list(parse_changes_untrusted(damaged[:length]))


@pytest.mark.parametrize("attribute", range(1, 64))
def test_an_attribute_without_a_value_raises_nothing_but_malformed_message(attribute: int):
    empty = struct.pack("=HH", 4, attribute)
    name = struct.pack("=HH8s", 12, 3, b"eth0")
    address = struct.pack("=HH4s", 8, 1, b"\1\2\3\4")
    for kind, body in ((RTM_NEWLINK, bytes(16) + name + empty), (RTM_NEWADDR, b"\2" + bytes(7) + address + empty)):
        with suppress(MalformedMessage):
            list(parse_changes_untrusted(encode_request((kind, 0, body), 1)))


@pytest.mark.parametrize("code", [1, -4096, -(2**31)])
def test_an_errno_that_there_is_not_is_refused(code: int):
    with pytest.raises(MalformedMessage, match="errno"):
        outcome_untrusted(0, struct.pack("=i", code))


@pytest.mark.parametrize("cut", [1, 15, 20, len(GOOD) - 1])
def test_a_truncated_message_is_refused(cut: int):
    with pytest.raises(MalformedMessage):
        list(parse_changes_untrusted(GOOD[:cut]))
