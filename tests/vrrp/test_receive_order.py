"""Of two faults in one datagram the earlier check gives the reason: from the outside of the packet inwards."""

import struct
from dataclasses import replace
from ipaddress import ip_address
from itertools import combinations

import pytest

from hafw.vrrp.packet import REASONS, BadPacket, Datagram, decode_untrusted
from hafw.vrrp.settings import RouterSettings

R1, R2 = ip_address("10.77.0.1"), ip_address("10.77.0.2")
R1_LINK_LOCAL, R2_LINK_LOCAL = ip_address("fe80::1"), ip_address("fe80::2")
VIP = ip_address("10.77.0.250")
OURS = {"name": "VI_1", "interface": "eth0", "vrid": 51, "priority": 100}

UNICAST_V3 = (
    RouterSettings(**OURS, virtual_addresses=(VIP,), unicast_peers=(R1,)),
    Datagram(payload=bytes.fromhex("3133c801 00640000 0a4d00fa"), source=R1, destination=R2, ttl=255),
)
UNICAST_V6 = (
    RouterSettings(**OURS, virtual_addresses=(R2_LINK_LOCAL,), unicast_peers=(R1_LINK_LOCAL,)),
    Datagram(
        payload=bytes.fromhex("3133c801 00640000 fe80 0000 0000 0000 0000 0000 0000 0002"),
        source=R1_LINK_LOCAL,
        destination=R2_LINK_LOCAL,
        ttl=255,
    ),
)
UNICAST_V2 = (
    RouterSettings(**OURS, version=2, virtual_addresses=(VIP,), unicast_peers=(R1,), password=b"secret"),
    Datagram(payload=bytes.fromhex("2133c801 01010000 0a4d00fa 7365637265740000"), source=R1, destination=R2, ttl=255),
)


def with_octet(at, change):
    """A fault in one octet of the message; ``change`` maps the old value to the new one."""

    def faulty(datagram):
        payload = bytearray(datagram.payload)
        payload[at] = change(payload[at])
        return replace(datagram, payload=bytes(payload))

    return faulty


def multicast(datagram):
    return replace(datagram, destination=ip_address("224.0.0.18" if datagram.source.version == 4 else "ff02::12"))


def stranger(datagram):
    return replace(datagram, source=datagram.source + 64)


def longer(datagram):
    return replace(datagram, payload=datagram.payload + b"\0\0")


def without_addresses(datagram):
    payload = datagram.payload
    return replace(datagram, payload=payload[:3] + b"\0" + payload[4:8] + payload[8 + len(datagram.source.packed) :])


def unchanged(datagram):
    return datagram


ANY_VERSION = {
    "own-source": unchanged,  # the list of own addresses is the fault
    "ip-ttl-errors": lambda datagram: replace(datagram, ttl=64),
    "mode-mismatch-errors": multicast,
    "peer-source-errors": stranger,
    "version-errors": with_octet(0, lambda old: old & 0x0F | 0x70),
    "invalid-type-pkts-rcvd": with_octet(0, lambda old: old & 0xF0 | 0x07),
    "packet-length-errors": longer,
    "checksum-errors": unchanged,  # spoilt after sealing
    "vrid-errors": with_octet(1, lambda _: 52),
    "count-zero": without_addresses,
}
V3_FAULTS = ANY_VERSION | {"interval-zero": with_octet(5, lambda _: 0)}
V6_FAULTS = V3_FAULTS | {"first-not-link-local": with_octet(8, lambda _: 0x20)}
V2_FAULTS = ANY_VERSION | {
    "invalid-auth-type": with_octet(4, lambda _: 2),
    "auth-type-mismatch": with_octet(4, lambda _: 0),
    "auth-failures": with_octet(-1, lambda _: 1),
    "address-list-errors": with_octet(8, lambda _: 11),
    "interval-errors": with_octet(5, lambda _: 7),
}
EXCLUSIVE = {("invalid-auth-type", "auth-type-mismatch"), ("count-zero", "first-not-link-local")}
"""One octet cannot hold both, and no address is no first address."""


def sealed(datagram):
    """With a right checksum: over the message alone in IPv4, with the pseudo-header in IPv6."""
    payload = datagram.payload
    summed = payload[:6] + b"\0\0" + payload[8:]
    if datagram.source.version == 6:
        summed += datagram.source.packed + datagram.destination.packed + struct.pack("!II", len(payload), 112)
    total = sum(word for (word,) in struct.iter_unpack("!H", summed))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return replace(datagram, payload=payload[:6] + struct.pack("!H", 0xFFFF - total) + payload[8:])


def reason_of(good, faults, names):
    settings, datagram = good
    for name in names:
        datagram = faults[name](datagram)
    datagram = sealed(datagram)
    if "checksum-errors" in names:
        datagram = with_octet(7, lambda old: old ^ 0xFF)(datagram)
    with pytest.raises(BadPacket) as caught:
        decode_untrusted(datagram, settings, own={datagram.source} if "own-source" in names else ())
    return caught.value.reason


KINDS = pytest.mark.parametrize(
    ("good", "faults"),
    [(UNICAST_V3, V3_FAULTS), (UNICAST_V6, V6_FAULTS), (UNICAST_V2, V2_FAULTS)],
    ids=["v3-ipv4", "v3-ipv6", "v2"],
)


@KINDS
def test_without_a_fault_it_is_accepted(good, faults):
    settings, datagram = good
    advert, differences = decode_untrusted(sealed(datagram), settings, own=())
    assert (advert.priority, differences) == (200, ())
    assert list(faults) == [reason for reason in REASONS if reason in faults]


@KINDS
def test_each_fault_alone_gives_its_own_reason(good, faults):
    for name in faults:
        assert reason_of(good, faults, [name]) == name


@KINDS
def test_of_every_two_faults_the_earlier_check_gives_the_reason(good, faults):
    pairs = [pair for pair in combinations(faults, 2) if pair not in EXCLUSIVE]
    assert {pair: reason_of(good, faults, pair) for pair in pairs} == {pair: pair[0] for pair in pairs}
