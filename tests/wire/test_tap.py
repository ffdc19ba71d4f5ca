"""The ear of `hafw listen` on a real wire: what it hears, what the kernel keeps away, and no trace is left."""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address
from pathlib import Path

import pytest
from scapy.layers.inet import IP, UDP, IPOption_Router_Alert
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, IPv6, IPv6ExtHdrHopByHop, RouterAlert
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.packet import Raw

from hafw.vrrp.packet import MULTICAST_GROUP
from hafw.wire.options import attach_filter
from hafw.wire.sockets import VrrpSocket
from hafw.wire.tap import IP_FILTER, Tap

pytestmark = pytest.mark.wire

GROUPS = tuple(MULTICAST_GROUP.values())
VIRTUAL, VIRTUAL6 = "00:00:5e:00:01:46", "00:00:5e:00:02:47"
MESSAGE = bytes.fromhex("3133c80100640000c0000264")


def ether(mac="02:00:00:00:00:02"):
    return Ether(src=mac, dst="01:00:5e:00:00:12")


def advert(**fields):
    return IP(**{"src": "192.0.2.2", "dst": "224.0.0.18", "ttl": 255, "proto": 112} | fields) / Raw(MESSAGE)


def advert6(*headers):
    packet = IPv6(src="fe80::2", dst="ff02::12", hlim=255)
    for each in headers:
        packet /= each
    if not headers:
        packet.nh = 112
    return packet / Raw(MESSAGE)


@pytest.fixture
def tap(segment):
    with Tap.open("near", GROUPS) as opened:
        yield opened


def heard_until_marked(tap, segment, *frames):
    """What the tap hears of these, in order: the last one is always heard."""
    mark = bytes(ether() / advert(src="192.0.2.99"))
    segment.inject(*map(bytes, frames), mark)
    heard = []
    while True:
        segment.wait_readable(tap)
        for each in tap.frames():
            if each.data == mark:
                return heard
            if not each.outgoing:
                heard.append(each)


WANTED = (
    advert(),
    advert(options=[IPOption_Router_Alert()]),
    advert(frag=4, flags="MF"),
    advert(proto=51),
    advert6(),
    advert6(IPv6ExtHdrHopByHop(nh=112, options=[RouterAlert()])),
    ARP(op=2, hwsrc=VIRTUAL, psrc="192.0.2.7"),
)


@pytest.mark.parametrize("tags", [(), (10,), (10, 20), (10, 20, 30)])
def test_vrrp_and_its_virtual_macs_are_heard_behind_any_tags(tap, segment, tags):
    framed = ether()
    for tag in tags:
        framed /= Dot1Q(vlan=tag)
    sent = [bytes(framed / packet) for packet in WANTED]
    heard = heard_until_marked(tap, segment, *sent)
    # The kernel has taken the outer tag out of the frame.
    assert [each.data for each in heard] == [each[:12] + each[16:] if tags else each for each in sent]
    assert {(each.vlans, each.ethernet, each.length - len(each.data)) for each in heard} == {(tags[:1], True, 0)}
    assert min(each.time for each in heard) > 1.6e9


def test_an_advertisement_of_a_virtual_mac_is_heard_over_ipv6(tap, segment):
    claim = IPv6(src="fe80::7", dst="ff02::1", hlim=255) / ICMPv6ND_NA(tgt="fd77::7")
    question = IPv6(src="fe80::7", dst="ff02::1", hlim=255) / ICMPv6ND_NS(tgt="fd77::7")
    heard = heard_until_marked(tap, segment, ether(VIRTUAL6) / claim, ether(VIRTUAL6) / question, ether() / claim)
    assert [each.data for each in heard] == [bytes(ether(VIRTUAL6) / claim)]


def test_a_provider_tag_is_told_as_the_outer_one(tap, segment):
    (only,) = heard_until_marked(tap, segment, ether() / Dot1AD(vlan=200) / Dot1Q(vlan=10) / advert())
    assert only.vlans == (200,)
    assert only.data[12:16] == bytes.fromhex("8100000a")


def test_the_kernel_keeps_all_else_away(tap, segment):
    others = [
        ether() / IP(dst="224.0.0.251") / UDP(),
        ether() / ARP(op=2, hwsrc="02:00:00:00:00:02", psrc="192.0.2.2"),
        ether() / IPv6(dst="ff02::fb") / UDP(),
        ether() / Dot1Q(vlan=10) / IP() / UDP(),
        Ether(type=0x88CC, dst="01:80:c2:00:00:0e") / Raw(bytes(64)),
        Ether(type=0x8100, dst="01:00:5e:00:00:12") / Raw(b"\0"),
    ]
    assert heard_until_marked(tap, segment, *others) == []


def test_what_this_machine_sends_is_heard_and_told_apart(tap, segment):
    sender = VrrpSocket.open("near", segment.near, 4, GROUPS[0])
    sender.send(MESSAGE, ip_address("192.0.2.1"), GROUPS[0])
    segment.wait_readable(tap)
    assert [each.outgoing for each in tap.frames() if each.data.endswith(MESSAGE)] == [True]
    sender.close()


def memberships() -> tuple[bool, bool]:
    """Whether this machine asks for VRRP's groups, by IGMP and by MLD."""
    igmp = Path("/proc/thread-self/net/igmp").read_text("ascii")
    mld = Path("/proc/thread-self/net/igmp6").read_text("ascii")
    return "120000E0" in igmp, "ff020000000000000000000000000012" in mld


def test_the_groups_are_joined_and_left_and_a_daemons_membership_stays(segment):
    assert memberships() == (False, False)
    tap = Tap.open("near", GROUPS)
    assert (memberships(), tap.outside) == ((True, True), [])
    tap.close()
    assert memberships() == (False, False)
    daemon = [VrrpSocket.open("near", segment.near, group.version, group) for group in GROUPS]
    Tap.open("near", GROUPS).close()
    assert memberships() == (True, True)
    for each in daemon:
        each.close()


def test_the_interface_is_not_made_promiscuous(tap, segment):
    assert "PROMISC" not in segment.ip("link show near")
    assert "promiscuity 0" in segment.ip("-details link show near")


def test_a_daemon_hears_the_same_as_without_a_listener(tap, segment):
    daemon = VrrpSocket.open("near", segment.near, 4, GROUPS[0])
    heard_until_marked(tap, segment, ether() / advert())
    segment.wait_readable(daemon)
    assert [str(each.source) for each in daemon.receive()] == ["192.0.2.2", "192.0.2.99"]
    daemon.close()


def test_a_link_that_goes_and_comes_back_is_heard_again_and_one_that_is_gone_is_an_error(tap, segment):
    segment.ip("link set near down")
    segment.wait_readable(tap)
    assert [each for each in tap.frames() if not each.outgoing] == []  # it reports its own IPv6 groups
    segment.up()
    assert len(heard_until_marked(tap, segment, ether() / advert())) == 1
    segment.ip("link del near")
    segment.wait_readable(tap)
    with pytest.raises(OSError, match="no interface with this name"):
        tap.frames()


def test_a_tunnel_without_ethernet_is_heard_from_its_ip_header_on(segment):
    """Its filter alone: which packets of raw IP pass it."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    attach_filter(other, IP_FILTER)
    other.setblocking(False)
    wanted = [bytes(advert()), bytes(advert6()), bytes(advert(proto=51))]
    for each in (*wanted, bytes(IP() / UDP()), bytes(IPv6() / UDP()), b"\x10" + bytes(40)):
        one.send(each)
    assert [other.recv(1000) for _ in wanted] == wanted
    with pytest.raises(BlockingIOError):
        other.recv(1000)
    one.close()
    other.close()


def test_nothing_was_dropped(tap):
    assert tap.count_drops() == 0
    assert struct.calcsize("@II") == 8
