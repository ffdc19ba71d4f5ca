"""The will, carried out on a real kernel; iproute2 says what is left."""

from __future__ import annotations

import os
import resource
import time
from ipaddress import IPv4Address, ip_address

import pytest
from scapy.layers.l2 import ARP, Ether

from hafw import will as last_will
from hafw.guard.execution import Estate, execute_leftover
from hafw.vrrp.packet import encode
from hafw.vrrp.settings import Checksum, RouterSettings
from hafw.will import Bequest, BoundAddress, Will
from hafw.wire.claims import FrameSender

pytestmark = pytest.mark.wire

VIP, BOTH = "192.0.2.100", "fe80::100"
OWN = ["192.0.2.1/24", "fe80::1/64"]
LONG = 3600.0


def bequest(*addresses: BoundAddress, hold: float = 0.05, links: dict[str, int] | None = None) -> Bequest:
    settings = RouterSettings(name="VI_1", interface="near", vrid=7, virtual_addresses=(ip_address(VIP),))
    group = IPv4Address("224.0.0.18")
    goodbye = encode(settings, 0, IPv4Address("192.0.2.1"), group, Checksum.AUTO).hex()
    return Bequest("VI_1", "near", 4, "192.0.2.1", {str(group): goodbye}, hold, addresses, links=links or {})


def execute(left: Bequest) -> None:
    with Estate() as estate:
        estate.take([(left, time.monotonic())])
        estate.settle()


@pytest.fixture
def twice(segment):
    """One address on two interfaces, as link-local ones are on VLANs."""
    for interface in ("near", "far"):
        segment.ip(f"address add {BOTH}/128 dev {interface} nodad")
    return bequest(BoundAddress(BOTH, 128, "near"), BoundAddress(BOTH, 128, "far"))


def test_an_address_that_is_on_two_interfaces_goes_from_both(segment, twice):
    execute(twice)
    assert segment.addresses("near") == OWN
    assert segment.addresses("far") == []


def test_a_claim_releases_the_address_where_it_was_heard(segment):
    for interface in ("near", "far"):
        segment.ip(f"address add {VIP}/32 dev {interface}")
    claim = Ether(src="02:00:00:00:00:99") / ARP(op=2, hwsrc="02:00:00:00:00:99", psrc=VIP, pdst=VIP)
    with Estate() as estate:
        left = bequest(BoundAddress(VIP, 32, "near"), BoundAddress(VIP, 32, "far"))
        estate.take([(left, time.monotonic() + LONG)])
        segment.inject(bytes(claim))
        segment.wait_readable(next(iter(estate.claims)))
        estate.step()
        assert not estate.settled
    assert segment.addresses("near") == OWN
    assert segment.addresses("far") == [f"{VIP}/32"]


def test_an_interface_that_has_another_name_meanwhile_is_found_by_its_index(segment):
    segment.ip(f"address add {VIP}/32 dev near")
    for words in ("set near down", "set near name renamed", "set renamed up"):
        segment.ip(f"link {words}")
    execute(bequest(BoundAddress(VIP, 32, "near"), links={"near": segment.near}))
    assert f"{VIP}/32" not in segment.addresses("renamed")


def test_an_interface_that_was_made_anew_is_found_by_its_name(segment):
    segment.ip(f"address add {VIP}/32 dev near")
    execute(bequest(BoundAddress(VIP, 32, "near"), links={"near": 4711}))
    assert segment.addresses() == OWN


def test_the_will_is_carried_out_beside_a_thousand_open_files(segment):
    segment.ip(f"address add {VIP}/32 dev near")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], 2048), before[1]))
    opened = [os.open("/dev/null", os.O_RDONLY)]
    try:
        while opened[-1] < 1024:
            opened.append(os.dup(opened[0]))
        with Estate() as estate:
            estate.take([(bequest(BoundAddress(VIP, 32, "near")), time.monotonic() + 0.02)])
            estate.settle()
    finally:
        for each in opened:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert segment.addresses() == OWN


@pytest.mark.parametrize("age", [0.0, 60.0])
def test_a_goodbye_is_said_only_while_the_peers_still_wait(segment, tmp_path, monkeypatch, age):
    monkeypatch.setenv("HAFW_RUN_DIR", str(tmp_path))
    segment.ip(f"address add {VIP}/32 dev near")
    last_will.write(Will(1, (bequest(BoundAddress(VIP, 32, "near")),)))
    os.utime(last_will.will_path(), (time.time() - age,) * 2)
    assert execute_leftover()
    end = bytes(Ether(dst="ff:ff:ff:ff:ff:ff", type=0x88B5) / b"end of the will")
    with FrameSender(segment.near) as sender:
        assert sender.send_some([end], 1) == 1
    first = segment.hear(lambda frame: frame == end or frame[23:24] == bytes([112]))
    assert (first == end) == bool(age)
    assert segment.addresses() == OWN
