"""What is odd about an advert although it is accepted."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest
from scapy.layers.inet import IP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from hafw.vrrp.packet import Checksum, encode
from hafw.vrrp.settings import RouterSettings

R1, GROUP = ip_address("10.77.0.1"), ip_address("224.0.0.18")
OURS = RouterSettings(name="VI_1", interface="eth0", vrid=51, virtual_addresses=(ip_address("10.77.0.250"),))


@pytest.fixture
def remarks(frame, hear):
    def of(
        *, ours=OURS, priority=200, mac="02:00:00:00:77:01", to_mac="01:00:5e:00:00:12", to=GROUP, ttl=255, form="auto"
    ):
        message = encode(OURS, priority, R1, to, Checksum(form))
        packet = Ether(src=mac, dst=to_mac) / IP(src=str(R1), dst=str(to), ttl=ttl, proto=112) / Raw(message)
        ((only,), _) = hear([frame(packet)], ours)
        assert only.judgement.verdict == "accepted"
        return only.remarks

    return of


def test_an_ordinary_advert_has_none(remarks):
    assert remarks() == ()


@pytest.mark.parametrize(
    ("priority", "said"),
    [
        (0, "goodbye: it ends being MASTER, and the others take over now"),
        (255, "the address owner: it always preempts"),
        (1, "priority 1: the last resort of a hafw whose checks fail, or its one reminder after it gave way"),
    ],
)
def test_priorities_that_mean_something_are_explained(remarks, priority, said):
    assert remarks(priority=priority) == (said,)


def test_c_pkt_08_the_checksum_that_keepalived_refuses_is_told(remarks):
    said = "its checksum has no pseudo-header, as RFC 9568 wants it: keepalived and FRR refuse such adverts"
    assert remarks(form="rfc9568") == (said,)


def test_c_pkt_18_the_own_virtual_mac_is_ordinary_and_another_ones_is_told(remarks):
    assert remarks(mac="00:00:5e:00:01:33") == ()
    assert remarks(mac="00:00:5e:00:01:34") == ("from the virtual MAC of VRID 52 over IPv4, 00:00:5e:00:01:34",)
    assert remarks(mac="00:00:5e:00:02:33") == ("from the virtual MAC of VRID 51 over IPv6, 00:00:5e:00:02:33",)


def test_a_group_that_comes_as_unicast_is_told(remarks):
    said = "sent to 02:00:00:00:77:02, not to the group's 01:00:5e:00:00:12: changed on the way?"
    assert remarks(to_mac="02:00:00:00:77:02") == (said,)


def test_a_routed_advert_that_min_ttl_lets_in_is_told(remarks):
    here = ip_address("10.77.0.2")
    ours = replace(OURS, unicast_peers=(R1,), min_ttl=250)
    assert remarks(ours=ours, to=here, to_mac="02:00:00:00:77:02", ttl=253) == (
        "TTL 253: it was routed, as min_ttl allows",
    )
