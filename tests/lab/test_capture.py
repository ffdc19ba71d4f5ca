"""scapy builds the frames, we read them: two who do not know each other's mistakes."""

from ipaddress import ip_address

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import ICMPv6ND_NA, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.layers.vrrp import VRRP, VRRPv3

from hafw.lab.capture import Advert, Claim, _parse

ETHERNET = Ether(src="02:00:00:00:00:01", dst="01:00:5e:00:00:12")


def parse(frame):
    return _parse(bytes(frame), 12.5, "lb1")


def test_a_version_2_advert_is_read():
    frame = (
        ETHERNET / IP(src="10.0.0.1", dst="224.0.0.18", ttl=255) / VRRP(vrid=51, priority=150, addrlist=["10.0.0.9"])
    )
    expected = Advert(12.5, "lb1", ip_address("10.0.0.1"), ip_address("224.0.0.18"), 2, 51, 150)
    assert parse(frame) == expected


def test_ip_options_before_the_advert_are_skipped():
    ip = IP(src="10.0.0.1", dst="224.0.0.18", proto=112, options=b"\x94\x04\x00\x00")
    assert parse(ETHERNET / ip / VRRPv3(vrid=7, priority=1, addrlist=["10.0.0.9"])).vrid == 7


def test_a_version_3_advert_over_ipv6_is_read():
    frame = ETHERNET / IPv6(src="fe80::1", dst="ff02::12", nh=112) / VRRPv3(vrid=51, priority=0, addrlist=["fe80::9"])
    expected = Advert(12.5, "lb1", ip_address("fe80::1"), ip_address("ff02::12"), 3, 51, 0)
    assert parse(frame) == expected


@pytest.mark.parametrize("operation", [1, 2])
def test_a_gratuitous_arp_is_a_claim_whatever_its_operation(operation):
    frame = ETHERNET / ARP(op=operation, psrc="10.0.0.9", pdst="10.0.0.9")
    assert parse(frame) == Claim(12.5, "lb1", ip_address("10.0.0.9"))


def test_a_question_for_an_address_is_no_claim():
    assert parse(ETHERNET / ARP(op=1, psrc="10.0.0.1", pdst="10.0.0.9")) is None


def test_an_unsolicited_na_is_a_claim_and_an_answer_is_not():
    ip = IPv6(src="fe80::1", dst="ff02::1", hlim=255)
    assert parse(ETHERNET / ip / ICMPv6ND_NA(tgt="fe80::9", S=0, O=1)) == Claim(12.5, "lb1", ip_address("fe80::9"))
    assert parse(ETHERNET / ip / ICMPv6ND_NA(tgt="fe80::9", S=1, O=1)) is None


@pytest.mark.parametrize("length", [0, 12, 14, 20, 34, 40])
def test_a_cut_frame_is_nothing(length):
    frame = bytes(ETHERNET / IPv6(src="fe80::1", dst="ff02::12", nh=112) / VRRPv3(vrid=51, addrlist=["fe80::9"]))
    assert parse(frame[:length]) is None


def test_another_message_type_is_nothing():
    assert parse(ETHERNET / IP(proto=112) / VRRPv3(vrid=51, type=2, addrlist=["10.0.0.9"])) is None
    assert parse(ETHERNET / IPv6() / UDP()) is None
