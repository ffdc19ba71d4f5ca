"""What a neighbour on the link gets for an answer, with the interfaces' own MAC addresses (no virtual MAC)."""

from __future__ import annotations

import socket
import time
from ipaddress import IPv6Address

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether

from hafw.lab import namespaces
from hafw.lab.network import INTERFACE

pytestmark = pytest.mark.wire

VIP, VIP6 = "10.77.0.250", "fe80::77:250"
OWN, OWN6 = "10.77.0.3", "fe80::3"
"""Of the neighbour."""
BEST, OTHER = "02:00:00:00:00:01", "02:00:00:00:00:02"
"""The MAC addresses of lb1, MASTER, and of lb2, BACKUP."""
ROUTERS = {4: {"10.77.0.1": BEST, "10.77.0.2": OTHER}, 6: {"fe80::1": BEST, "fe80::2": OTHER}}
"""By family, their own addresses."""
NEIGHBOUR = "02:00:00:00:00:03"
GROUPS = bytes.fromhex("ff0200000000000000000001ff")
"""All solicited-node groups begin like this."""
PATIENCE = 10.0


class Neighbour:
    """A third host, with a socket for whole frames. Its own kernel answers nothing that matters here."""

    def __init__(self, lab):
        lab.add_host("neighbour", f"{OWN}/24", f"{OWN6}/64")
        with namespaces.inside(lab._hosts["neighbour"].network):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self._socket.bind((INTERFACE, 3))
        self._socket.settimeout(PATIENCE)

    def close(self):
        self._socket.close()

    def answers(self, wanted, question, last_questions):
        """What is answered to ``question``. The last ones ask lb1 and lb2 for their own addresses.

        Each takes frames in the order in which they come, so who has not answered before that does not answer.
        """
        for frame in (question, *last_questions.values()):
            self._socket.send(bytes(frame))
        found, missing = [], set(last_questions)
        deadline = time.monotonic() + PATIENCE
        while missing:
            assert time.monotonic() < deadline, f"{missing} are silent, heard was {found}"
            frame = Ether(self._socket.recv(65536))
            if frame.dst != NEIGHBOUR or (answer := wanted(frame)) is None:
                continue
            if answer[0] in missing:
                missing.remove(answer[0])
            else:
                found.append((*answer, frame.src))
        return found


def who_has(address):
    return Ether(src=NEIGHBOUR, dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, hwsrc=NEIGHBOUR, psrc=OWN, pdst=address)


def is_at(frame):
    return (frame[ARP].psrc, frame[ARP].hwsrc) if ARP in frame and frame[ARP].op == 2 else None


def solicitation(address):
    last = IPv6Address(address).packed[-3:]
    group, mac = IPv6Address(GROUPS + last), (b"\x33\x33\xff" + last).hex(":")
    asked = ICMPv6ND_NS(tgt=address) / ICMPv6NDOptSrcLLAddr(lladdr=NEIGHBOUR)
    return Ether(src=NEIGHBOUR, dst=mac) / IPv6(src=OWN6, dst=str(group), hlim=255) / asked


def advertisement(frame):
    return (frame[ICMPv6ND_NA].tgt, frame[ICMPv6ND_NA].S) if ICMPv6ND_NA in frame else None


def ping(address, mac):
    frame = Ether(src=NEIGHBOUR, dst=mac)
    if ":" in address:
        return frame / IPv6(src=OWN6, dst=address) / ICMPv6EchoRequest()
    return frame / IP(src=OWN, dst=address) / ICMP()


def pong(frame):
    if ICMP in frame and frame[ICMP].type == 0:
        return (frame[IP].src,)
    return (frame[IPv6].src,) if ICMPv6EchoReply in frame else None


@pytest.fixture(scope="module")
def neighbour(tools):
    """Beside lb1, MASTER of an address of each family, and lb2, their BACKUP."""
    with tools.two_routers() as (lb1, lb2):
        made = Neighbour(lb1.lab)
        second = tools.instance("VI_2", vrid=52, virtual_addresses=[VIP6])
        tools.elect(lb1, lb2, tools.instance(), second)
        lb1.wait_until_it_serves("VI_2")
        lb2.wait_until_it_follows("VI_2")
        made.lb1, made.lb2 = lb1, lb2
        yield made
        made.close()


@pytest.mark.requirement("C-ARP-01", "C-ARP-02")
def test_c_arp_04_the_master_alone_answers_arp_requests_with_its_own_mac(neighbour):
    assert neighbour.answers(is_at, who_has(VIP), {each: who_has(each) for each in ROUTERS[4]}) == [(VIP, BEST, BEST)]


@pytest.mark.requirement("C-ND-02", "C-ND-03")
def test_c_nd_04_the_master_alone_answers_neighbour_solicitations_from_its_own_mac(neighbour):
    last = {each: solicitation(each) for each in ROUTERS[6]}
    assert neighbour.answers(advertisement, solicitation(VIP6), last) == [(VIP6, 1, BEST)]


def test_c_nd_01_the_master_alone_is_in_the_solicited_node_group(neighbour):
    groups = [router.ip("maddress", "show", "dev", INTERFACE).split() for router in (neighbour.lb1, neighbour.lb2)]
    assert ["ff02::1:ff77:250" in each for each in groups] == [True, False]


@pytest.mark.requirement("C-FWD-04", "C-FWD-07")
@pytest.mark.parametrize(("family", "address"), [(4, VIP), (6, VIP6)])
def test_c_fwd_03_the_master_accepts_what_is_sent_to_its_addresses(neighbour, family, address):
    last = {own: ping(own, mac) for own, mac in ROUTERS[family].items()}
    assert neighbour.answers(pong, ping(address, BEST), last) == [(address, BEST)]


@pytest.mark.parametrize(("family", "address"), [(4, VIP), (6, VIP6)])
def test_c_fwd_05_a_backup_does_not(neighbour, family, address):
    last = {own: ping(own, mac) for own, mac in ROUTERS[family].items()}
    assert neighbour.answers(pong, ping(address, OTHER), last) == []
