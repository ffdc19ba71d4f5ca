"""Which VRIDs are in use, whoever uses them, and which one is proposed."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6NDOptDstLLAddr, IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether

from hafw.listen.scan import free_vrid, virtual_mac_untrusted

VIRTUAL, VIRTUAL6 = "00:00:5e:00:01:46", "00:00:5e:00:02:47"


def arp(mac, **more):
    return Ether(src=mac, dst="ff:ff:ff:ff:ff:ff") / ARP(op=2, hwsrc=mac, psrc="10.77.0.7", pdst="10.77.0.7", **more)


def test_c_pkt_18_a_virtual_mac_tells_family_and_vrid():
    assert virtual_mac_untrusted(bytes.fromhex("00005e000133")) == (4, 51)
    assert virtual_mac_untrusted(bytes.fromhex("00005e0002ff")) == (6, 255)
    for other in ("00005e000100", "00005e000333", "020000007701", "00000c07ac33", "", "00005e0001"):
        assert virtual_mac_untrusted(bytes.fromhex(other)) is None


def test_a_virtual_mac_that_answers_for_an_address_is_a_vrid_in_use(frame, hear):
    na = (
        IPv6(src="fe80::7", dst="ff02::1", hlim=255)
        / ICMPv6ND_NA(tgt="fd77::7")
        / ICMPv6NDOptDstLLAddr(lladdr=VIRTUAL6)
    )
    heard, session = hear(
        [
            frame(arp(VIRTUAL)),
            frame(Ether(src=VIRTUAL) / Dot1Q(vlan=7) / ARP(op=1, hwsrc=VIRTUAL, psrc="10.77.0.8")),
            frame(Ether(src=VIRTUAL6) / na),
            frame(arp("02:00:00:00:77:01")),
            frame(Ether(src="02:00:00:00:77:01") / na),
            frame(arp(VIRTUAL), outgoing=True),
        ]
    )
    assert heard == []
    assert session.claims == {
        (4, 70): {ip_address("10.77.0.7"), ip_address("10.77.0.8")},
        (6, 71): {ip_address("fd77::7")},
    }


@pytest.mark.parametrize(
    ("used", "free"),
    [
        ((), 10),
        ((10, 11, 13), 12),
        (range(10, 50), 52),
        (set(range(10, 256)), 1),
        (set(range(1, 256)) - {51}, 51),
        (range(1, 256), None),
    ],
)
def test_the_proposal_is_nobodys_and_no_examples_if_it_can_be(used, free):
    assert free_vrid(set(used)) == free
