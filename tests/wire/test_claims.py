"""Claims: scapy makes the frames; on the wire a burst of thousands must arrive whole."""

from __future__ import annotations

import os
import socket
import struct
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether

from hafw.wire.claims import ClaimSocket, FrameSender, parse_claim_untrusted

OWN, OTHER = "02:00:00:00:00:01", "02:00:00:00:00:99"
VIP, VIP6 = "192.0.2.100", "2001:db8::100"
WATCHED = frozenset({IPv4Address(VIP), IPv6Address(VIP6)})
BROADCAST = "ff:ff:ff:ff:ff:ff"


def arp(op: int, sender: str = VIP, target: str = VIP, mac: str = OTHER) -> bytes:
    return bytes(Ether(src=mac, dst=BROADCAST) / ARP(op=op, hwsrc=mac, psrc=sender, hwdst=BROADCAST, pdst=target))


def na(target: str = VIP6, mac: str = OTHER, hop_limit: int = 255, option: str | None = OTHER) -> bytes:
    packet = Ether(src=mac, dst="33:33:00:00:00:01") / IPv6(src="fe80::99", dst="ff02::1", hlim=hop_limit)
    packet /= ICMPv6ND_NA(tgt=target, R=0, S=0, O=1)
    return bytes(packet / ICMPv6NDOptDstLLAddr(lladdr=option) if option else packet)


def ns() -> bytes:
    packet = Ether(src=OTHER, dst="33:33:ff:00:01:00") / IPv6(src="fe80::99", dst="ff02::1:ff00:100")
    return bytes(packet / ICMPv6ND_NS(tgt=VIP6))


@pytest.mark.parametrize(
    ("frame", "claimed"),
    [
        pytest.param(arp(1), VIP, id="gratuitous-request"),
        pytest.param(arp(2), VIP, id="gratuitous-reply"),
        pytest.param(arp(2, target="192.0.2.1"), VIP, id="answer-to-somebody"),
        pytest.param(arp(1) + bytes(18), VIP, id="padded"),
        pytest.param(arp(1, target="192.0.2.1"), None, id="question-from-the-address"),
        pytest.param(arp(1, sender="0.0.0.0"), None, id="probe"),
        pytest.param(arp(1, sender="192.0.2.7", target="192.0.2.7"), None, id="other-address"),
        pytest.param(arp(1, mac=OWN), None, id="our-own"),
        pytest.param(arp(3), None, id="reverse-arp"),
        pytest.param(arp(1)[:41], None, id="truncated"),
        pytest.param(na(), VIP6, id="unsolicited-na"),
        pytest.param(na(option=None), VIP6, id="na-without-option"),
        pytest.param(na(target="2001:db8::7"), None, id="na-for-other-address"),
        pytest.param(na(mac=OWN, option=OWN), None, id="our-own-na"),
        pytest.param(na(hop_limit=254), None, id="na-from-afar"),
        pytest.param(na()[:77], None, id="truncated-na"),
        pytest.param(ns(), None, id="solicitation"),
        pytest.param(b"", None, id="empty"),
    ],
)
def test_a_claim_is_told_from_what_is_none(frame: bytes, claimed: str | None):
    found = parse_claim_untrusted(frame, bytes.fromhex(OWN.replace(":", "")), WATCHED)
    assert (None if found is None else str(found)) == claimed


@given(st.binary(max_size=120), st.sampled_from([b"", b"\x08\x06", b"\x86\xdd"]))
def test_any_frame_is_judged_without_an_exception(data: bytes, ethertype: bytes):
    frame = data[:12] + ethertype + data[12:]
    assert parse_claim_untrusted(frame, bytes(6), WATCHED) in (None, *WATCHED)


@pytest.fixture
def claims(segment):
    opened = {family: ClaimSocket(segment.near, family, segment.near_mac) for family in (4, 6)}
    yield opened
    for each in opened.values():
        each.close()


@pytest.mark.wire
@pytest.mark.parametrize(("family", "frame"), [(4, arp(1)), (4, arp(2)), (6, na())])
def test_a_claim_is_heard_with_its_mac(segment, claims, family: int, frame: bytes):
    claims[family].watch(WATCHED)
    segment.inject(frame)
    segment.wait_readable(claims[family])
    assert claims[family].drain() == {IPv4Address(VIP) if family == 4 else IPv6Address(VIP6): OTHER}
    assert claims[family].drain() == {}


def waiting(claims: ClaimSocket) -> int:
    """How many frames the kernel has let through, none of them parsed."""
    count = 0
    with socket.socket(fileno=os.dup(claims.fileno())) as same, suppress(BlockingIOError):
        while same.recv(2048):
            count += 1
    return count


@pytest.mark.wire
def test_the_kernel_keeps_from_us_what_is_no_claim(segment, claims):
    for each in claims.values():
        each.watch(WATCHED)
    segment.inject(arp(1, target="192.0.2.1"), ns(), arp(1, sender="192.0.2.9", target="192.0.2.9"), arp(2), na())
    segment.wait_readable(claims[6])
    assert (waiting(claims[4]), waiting(claims[6])) == (2, 1)


@pytest.mark.wire
def test_nothing_is_heard_until_something_is_watched_nor_afterwards(segment, claims):
    segment.inject(arp(1))
    claims[4].watch(WATCHED)
    assert claims[4].drain() == {}
    claims[4].watch(())
    segment.inject(arp(1))
    assert claims[4].drain() == {}


@pytest.mark.wire
def test_our_own_announcements_are_not_heard(segment, claims):
    claims[4].watch(WATCHED)
    with FrameSender(segment.near) as sender:
        assert sender.send_some([arp(1, mac=OTHER)], 1) == 1
    segment.hear(lambda frame: frame[12:14] == b"\x08\x06")
    assert claims[4].drain() == {}


@pytest.mark.wire
def test_a_burst_of_four_thousand_claims_is_heard_whole(segment, claims):
    addresses = [IPv4Address("198.18.0.0") + n for n in range(4000)]
    claims[4].watch(frozenset(addresses))
    template = arp(1, sender="198.18.0.0", target="198.18.0.0")
    frames = [template[:28] + each.packed + template[32:38] + each.packed for each in addresses]
    with FrameSender(segment.far) as sender:
        assert sender.send_some(frames, len(frames)) == 4000
    heard = {}
    while found := claims[4].drain():
        heard |= found
    assert heard.keys() == set(addresses)


@pytest.mark.wire
def test_frames_leave_unchanged_and_no_more_than_asked_for(segment):
    marked = [arp(1)[:-4] + struct.pack("!I", n) for n in range(3)]
    with FrameSender(segment.near) as sender:
        assert sender.send_some(marked, 2) == 2
        assert sender.send_some(marked[2:], 5) == 1
    heard = [segment.hear(lambda frame: frame[12:14] == b"\x08\x06") for _ in range(3)]
    assert heard == marked


@pytest.mark.wire
def test_over_a_link_that_is_down_nothing_is_sent_and_nothing_raised(segment, claims):
    claims[4].watch(WATCHED)
    with FrameSender(segment.near) as sender:
        segment.ip("link set near down")
        assert sender.send_some([arp(1)], 1) == 0
    assert claims[4].drain() == {}
    segment.up()
    segment.inject(arp(1))
    segment.wait_readable(claims[4])
    assert IPv4Address(VIP) in claims[4].drain()
