"""Questions to a neighbour and its answers: scapy reads the one and makes the other."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import (
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)
from scapy.layers.l2 import ARP, Ether

from hafw.wire.asking import AnswerSocket, echo, parse_answer_untrusted, question

OWN, OTHER = bytes.fromhex("020000000001"), bytes.fromhex("020000000099")
VIP, GATEWAY = ip_address("192.0.2.250"), ip_address("192.0.2.254")
VIP6, GATEWAY6 = ip_address("2001:db8::250"), ip_address("fe80::99")


def whole(packet):
    """Built, and read again."""
    return bytes(packet)


def test_an_arp_question_is_asked_in_the_name_of_the_address():
    frame = Ether(question(OWN, VIP, GATEWAY))
    assert (frame.dst, frame.src) == ("ff:ff:ff:ff:ff:ff", OWN.hex(":"))
    assert (frame[ARP].op, frame[ARP].psrc, frame[ARP].pdst) == (1, str(VIP), str(GATEWAY))


def test_an_arp_probe_has_no_sender_so_nobody_learns_from_it():
    frame = Ether(question(OWN, None, VIP))
    assert (frame[ARP].psrc, frame[ARP].hwsrc, frame[ARP].pdst) == ("0.0.0.0", OWN.hex(":"), str(VIP))


def test_a_solicitation_goes_to_the_group_of_its_target():
    frame = Ether(question(OWN, VIP6, GATEWAY6))
    assert (frame.dst, frame[IPv6].dst, frame[IPv6].hlim) == ("33:33:ff:00:00:99", "ff02::1:ff00:99", 255)
    assert (frame[ICMPv6ND_NS].tgt, frame[ICMPv6NDOptSrcLLAddr].lladdr) == (str(GATEWAY6), OWN.hex(":"))
    assert whole(frame) == rebuilt(frame)


@pytest.mark.parametrize(("source", "target"), [(VIP, GATEWAY), (VIP6, GATEWAY6)])
def test_an_echo_is_asked_of_the_neighbours_mac(source, target):
    frame = Ether(echo(OWN, OTHER, source, target, 77))
    assert (frame.dst, frame.src) == (OTHER.hex(":"), OWN.hex(":"))
    asked = frame[ICMP] if source.version == 4 else frame[ICMPv6EchoRequest]
    assert (asked.type, asked.id) == (8 if source.version == 4 else 128, 77)
    assert whole(frame) == rebuilt(frame)


def rebuilt(frame):
    """With lengths and checksums that scapy has worked out itself."""
    fresh = frame.copy()
    for layer in (IP, ICMP, IPv6, ICMPv6ND_NS, ICMPv6EchoRequest):
        if layer in fresh:
            for field in ("chksum", "cksum", "len", "plen"):
                if field in [each.name for each in fresh[layer].fields_desc]:
                    delattr(fresh[layer], field)
    return bytes(fresh)


def arp_reply(op=2):
    return bytes(
        Ether(src=OTHER.hex(":"), dst=OWN.hex(":"))
        / ARP(op=op, hwsrc=OTHER.hex(":"), psrc=str(GATEWAY), hwdst=OWN.hex(":"), pdst=str(VIP))
    )


def echo_reply(kind=0):
    return bytes(
        Ether(src=OTHER.hex(":"), dst=OWN.hex(":")) / IP(src=str(GATEWAY), dst=str(VIP)) / ICMP(type=kind, id=77) / b"x"
    )


def advertisement(hlim=255):
    head = Ether(src=OTHER.hex(":"), dst=OWN.hex(":")) / IPv6(src=str(GATEWAY6), dst=str(VIP6), hlim=hlim)
    return bytes(head / ICMPv6ND_NA(tgt=str(GATEWAY6), S=1) / ICMPv6NDOptDstLLAddr(lladdr=OTHER.hex(":")))


def echo_reply6():
    head = Ether(src=OTHER.hex(":"), dst=OWN.hex(":")) / IPv6(src=str(GATEWAY6), dst=str(VIP6))
    return bytes(head / ICMPv6EchoReply(id=77))


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        pytest.param(arp_reply(), (GATEWAY, VIP, False), id="arp"),
        pytest.param(echo_reply(), (GATEWAY, VIP, True), id="echo"),
        pytest.param(advertisement(), (GATEWAY6, VIP6, False), id="advertisement"),
        pytest.param(echo_reply6(), (GATEWAY6, VIP6, True), id="echo6"),
        pytest.param(arp_reply(op=1), None, id="an-arp-request"),
        pytest.param(echo_reply(kind=8), None, id="an-echo-request"),
        pytest.param(advertisement(hlim=254), None, id="an-advertisement-from-afar"),
        pytest.param(arp_reply()[:41], None, id="truncated-arp"),
        pytest.param(echo_reply()[:36], None, id="truncated-echo"),
        pytest.param(advertisement()[:70], None, id="truncated-advertisement"),
        pytest.param(b"", None, id="empty"),
    ],
)
def test_an_answer_is_told_from_what_is_none(frame, expected):
    answer = parse_answer_untrusted(frame)
    assert (answer and (answer.source, answer.to, answer.is_echo)) == expected
    assert answer is None or answer.mac == OTHER


@given(st.binary(max_size=120), st.sampled_from([b"", b"\x08\x06", b"\x08\x00", b"\x86\xdd"]))
def test_any_frame_is_judged_without_an_exception(data, ethertype):
    parse_answer_untrusted(data[:12] + ethertype + data[12:])


@pytest.mark.wire
def test_what_is_sent_to_another_mac_is_no_answer_to_us(segment):
    with AnswerSocket("near", 4) as asking:
        elsewhere = bytes.fromhex("0200000000ee") + arp_reply()[6:]
        segment.inject(elsewhere)
        segment.inject(arp_reply())
        found = []
        while not found:
            segment.wait_readable(asking.filenos()[0])
            found = asking.answers()
        assert [each.source for each in found] == [GATEWAY]
