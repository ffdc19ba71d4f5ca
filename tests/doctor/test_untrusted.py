"""Whatever is on the wire, the doctor reads it or leaves it, and no probe ends of it."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hafw.config.file import loads
from hafw.doctor import diagnose
from hafw.doctor.collect.segment import datagram_untrusted
from hafw.doctor.facts import Bound, Facts, Heard, Interface
from hafw.vrrp.packet import Datagram

TEXT = '[instance.VI_1]\ninterface = "eth0"\nvrid = 51\nvirtual_addresses = ["{}"]\n'
SOURCES = {4: ("192.0.2.2", "224.0.0.18", "192.0.2.250"), 6: ("fe80::2", "ff02::12", "fe80::250")}
CONFIGS = {family: loads(TEXT.format(words[2]), "c", "lb1")[0] for family, words in SOURCES.items()}
OWN = (Bound(ip=ip_address("192.0.2.1"), prefixlen=24), Bound(ip=ip_address("fe80::1"), prefixlen=64))
ETH0 = Interface(name="eth0", mac="02:00:00:00:00:01", addresses=OWN)


@pytest.mark.parametrize("family", [4, 6])
@given(payload=st.binary(max_size=80), version=st.sampled_from([0x21, 0x31, 0x41]))
@example(payload=b"", version=0x31)
def test_an_advert_of_any_octets_is_judged(family: int, payload: bytes, version: int):
    source, group, _ = SOURCES[family]
    whole = bytes([version, 51]) + payload
    datagram = Datagram(payload=whole, source=ip_address(source), destination=ip_address(group), ttl=255)
    heard = Heard(interface="eth0", mac="02:00:00:00:00:02", datagram=datagram, time=0.0)
    findings, unseen = diagnose(CONFIGS[family], Facts(interfaces={"eth0": ETH0}, heard=(heard,)))
    assert unseen == []
    assert {each.id for each in findings} <= {"vrid-collision", "peer-refused", "peer-disagrees"}


@given(frame=st.binary(max_size=120), family=st.sampled_from([4, 6]))
def test_a_frame_of_any_octets_is_an_advert_or_none(frame: bytes, family: int):
    datagram = datagram_untrusted(frame, family)
    assert datagram is None or len(datagram.payload) > 1


def test_an_advert_over_ipv6_is_taken_from_its_frame():
    head = bytes.fromhex("60000000000a70ff") + ip_address("fe80::2").packed + ip_address("ff02::12").packed
    datagram = datagram_untrusted(bytes(14) + head + bytes(range(10)) + b"padding", 6)
    assert datagram is not None
    assert (datagram.payload, str(datagram.source), datagram.ttl) == (bytes(range(10)), "fe80::2", 255)
