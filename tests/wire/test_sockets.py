"""VRRP sockets on a real wire: what leaves is captured at the far end, what arrives is made there by scapy."""

from __future__ import annotations

import socket
import time
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from scapy.layers.inet import IP, IPOption_Router_Alert
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from hafw.vrrp.packet import MULTICAST_GROUP
from hafw.wire.sockets import VrrpSocket, vrid_filter

pytestmark = pytest.mark.wire

OURS = {4: IPv4Address("192.0.2.1"), 6: IPv6Address("fe80::1")}
PEER = {4: IPv4Address("192.0.2.2"), 6: IPv6Address("fe80::2")}
GROUP_MAC = {4: "01:00:5e:00:00:12", 6: "33:33:00:00:00:12"}
MAC = {family: bytes.fromhex(text.replace(":", "")) for family, text in GROUP_MAC.items()}
NEAR_MAC = bytes.fromhex("020000000001")
FAMILIES = pytest.mark.parametrize("family", [4, 6])


@pytest.fixture
def opened(segment):
    """Opens sockets that are closed when the test ends."""
    sockets = []

    def open_one(family: int, group: object = "default") -> VrrpSocket:
        group = MULTICAST_GROUP[family] if group == "default" else group
        sockets.append(VrrpSocket.open("near", segment.near, family, group))
        return sockets[-1]

    yield open_one
    for each in sockets:
        each.close()


def message(vrid: int, checksum: int = 0) -> bytes:
    """Not an advert that anybody would accept: sockets carry, they do not judge."""
    return bytes([0x31, vrid, 100, 1, 0, 100]) + checksum.to_bytes(2, "big") + bytes(4)


def frame(family: int, payload: bytes, **header: object) -> bytes:
    """An advert of the peer's, with what differs from a good one."""
    fields = {"src": str(PEER[family]), "dst": str(MULTICAST_GROUP[family])} | header
    if family == 4:
        packet = IP(**({"ttl": 255, "proto": 112} | fields)) / payload
    else:
        packet = IPv6(**({"hlim": 255, "nh": 112} | fields)) / payload
    return bytes(Ether(src="02:00:00:00:00:02", dst=GROUP_MAC[family]) / packet)


def is_vrrp(data: bytes) -> bool:
    packet = Ether(data)
    return (IP in packet and packet[IP].proto == 112) or (IPv6 in packet and packet[IPv6].nh == 112)


@pytest.mark.requirement("C-PKT-18", "C-IO-05", "C-SEC-01")
def test_c_pkt_16_c_pkt_21_an_ipv4_advert_leaves_with_the_right_header(segment, opened):
    segment.ip("address add 192.0.2.100/24 dev near")
    opened(4).send(message(7), OURS[4], MULTICAST_GROUP[4])
    sent = Ether(segment.hear(is_vrrp))
    ip = sent[IP]
    assert (ip.src, ip.dst, ip.proto, ip.ttl, ip.tos) == ("192.0.2.1", "224.0.0.18", 112, 255, 0xC0)
    assert (sent.src, sent.dst) == (segment.near_mac, GROUP_MAC[4])
    assert bytes(ip.payload)[: len(message(7))] == message(7)


@pytest.mark.requirement("C-PKT-18", "C-IO-05", "C-SEC-01")
def test_c_pkt_17_c_pkt_21_an_ipv6_advert_leaves_with_the_right_header(segment, opened):
    segment.ip("address add fe80::100/64 dev near nodad")
    opened(6).send(message(7, checksum=0x1234), OURS[6], MULTICAST_GROUP[6])
    sent = Ether(segment.hear(is_vrrp))
    ip = sent[IPv6]
    assert (ip.src, ip.dst, ip.nh, ip.hlim, ip.tc) == ("fe80::1", "ff02::12", 112, 255, 0xC0)
    assert (sent.src, sent.dst) == (segment.near_mac, GROUP_MAC[6])
    assert bytes(ip.payload) == message(7, checksum=0x1234), "the kernel fills in no checksum"


@FAMILIES
def test_a_chosen_source_is_used_and_not_the_kernels_own_choice(segment, opened, family: int):
    second = ip_address({4: "192.0.2.50", 6: "fe80::50"}[family])
    segment.ip(f"address add {second}/{24 if family == 4 else 64} dev near nodad")
    opened(family).send(message(7), second, MULTICAST_GROUP[family])
    packet = Ether(segment.hear(is_vrrp))
    assert packet.payload.src == str(second)


def test_c_pkt_16_a_unicast_advert_has_ttl_255_too(segment, opened):
    segment.ip("neighbour add 192.0.2.2 lladdr 02:00:00:00:00:02 dev near")
    opened(4, None).send(message(7), OURS[4], PEER[4])
    ip = Ether(segment.hear(is_vrrp))[IP]
    assert (ip.dst, ip.ttl, ip.tos) == ("192.0.2.2", 255, 0xC0)


@FAMILIES
def test_an_address_that_is_not_ours_cannot_be_the_source(opened, family: int):
    with pytest.raises(OSError):  # noqa: PT011 - which errno is the kernel's affair
        opened(family).send(message(7), PEER[family], MULTICAST_GROUP[family])


@FAMILIES
def test_sending_over_a_link_that_is_down_is_an_error_at_once(segment, opened, family: int):
    ours = opened(family)
    segment.ip("link set near down")
    with pytest.raises(OSError):  # noqa: PT011 - which errno is the kernel's affair
        ours.send(message(7), OURS[family], MULTICAST_GROUP[family])


@FAMILIES
def test_c_io_03_c_rx_22_what_we_send_does_not_come_back(segment, opened, family: int):
    ours, beside = opened(family), opened(family)
    ours.send(message(7), OURS[family], MULTICAST_GROUP[family])
    segment.hear(is_vrrp)
    assert ours.receive() == beside.receive() == []


@FAMILIES
def test_a_peers_advert_arrives_with_what_its_header_said(segment, opened, family: int):
    ours = opened(family)
    segment.inject(frame(family, message(7)))
    segment.wait_readable(ours)
    (datagram,) = ours.receive()
    assert (datagram.payload, datagram.source) == (message(7), PEER[family])
    assert (datagram.destination, datagram.ttl) == (MULTICAST_GROUP[family], 255)


@pytest.mark.parametrize(("family", "field"), [(4, "ttl"), (6, "hlim")])
def test_c_rx_01_c_rx_02_the_ttl_is_told_and_left_to_the_decoder(segment, opened, family: int, field: str):
    ours = opened(family)
    segment.inject(frame(family, message(7), **{field: 254}))
    segment.wait_readable(ours)
    assert [each.ttl for each in ours.receive()] == [254]


def test_a_wrong_ipv6_checksum_reaches_us_so_that_it_is_counted(segment, opened):
    ours = opened(6)
    segment.inject(frame(6, message(7, checksum=0xBAD1)))
    segment.wait_readable(ours)
    assert [each.payload for each in ours.receive()] == [message(7, checksum=0xBAD1)]


@FAMILIES
def test_two_hundred_foreign_vrids_cost_nothing(segment, opened, family: int):
    ours = opened(family)
    ours.limit_to({7, 255})
    segment.inject(*(frame(family, message(vrid)) for vrid in range(20, 220)))
    segment.inject(*(frame(family, message(vrid)) for vrid in (7, 255)))
    segment.wait_readable(ours)
    assert [each.payload[1] for each in ours.receive(limit=300)] == [7, 255]


@FAMILIES
def test_all_vrids_fit_the_filter_and_it_can_be_replaced(segment, opened, family: int):
    ours = opened(family)
    ours.limit_to(range(1, 256))
    segment.inject(*(frame(family, message(vrid)) for vrid in range(256)))
    assert [each.payload[1] for each in ours.receive(limit=300)] == list(range(1, 256))
    ours.limit_to([])
    segment.inject(frame(family, message(7)))
    ours.limit_to([8])
    segment.inject(frame(family, message(8)))
    assert [each.payload[1] for each in ours.receive()] == [8]


def test_c_rx_24_ip_options_do_not_hide_the_vrid_from_the_filter(segment, opened):
    ours = opened(4)
    ours.limit_to([7])
    for vrid in (8, 7):
        segment.inject(frame(4, message(vrid), options=[IPOption_Router_Alert()]))
    segment.wait_readable(ours)
    assert [each.payload for each in ours.receive()] == [message(7)]


@FAMILIES
def test_a_message_that_is_sent_again_is_the_same(segment, opened, family: int):
    ours = opened(family)
    letter = ours.letter(message(7), OURS[family], MULTICAST_GROUP[family])
    ours.post(letter)
    first = Ether(segment.hear(is_vrrp))
    ours.post(letter)
    again = Ether(segment.hear(is_vrrp))
    assert bytes(first.payload.payload) == bytes(again.payload.payload)
    assert (first.payload.src, first.payload.dst) == (again.payload.src, again.payload.dst)


@FAMILIES
def test_a_datagram_is_known_again_by_all_that_anybody_looks_at(segment, opened, family: int):
    ours = opened(family)
    ttl, number = ("ttl", "id") if family == 4 else ("hlim", "fl")
    other = str(PEER[family] + 1)
    sent = [{number: 1}, {number: 2}, {ttl: 254}, {"src": other}]
    before = time.time()
    segment.inject(*(frame(family, message(7), **header) for header in sent), frame(family, message(8)))
    segment.wait_readable(ours)
    first, again, *others = ours.arrivals()
    assert first.identity == again.identity
    assert len({first.identity, *(each.identity for each in others)}) == 4
    assert before <= first.stamp <= again.stamp <= time.time()
    assert ours.datagram_untrusted(first) == ours.datagram_untrusted(again)


@FAMILIES
def test_the_bell_rings_for_goodbyes_and_for_whom_we_serve_and_is_silent_afterwards(segment, opened, family: int):
    bell, beside = opened(family), opened(family)
    goodbye = message(9)[:2] + bytes(1) + message(9)[3:]
    bell.ring_for([7, 255])
    for payload in (message(6), message(7), message(255), goodbye, message(8)):
        segment.inject(frame(family, payload))
    segment.wait_readable(bell)
    assert [each.packet[-len(goodbye) :][1] for each in bell.arrivals()] == [7, 255, 9]
    bell.ring_for([])
    segment.inject(frame(family, message(7)), frame(family, goodbye), frame(family, goodbye))
    segment.wait_readable(bell)
    bell.discard()
    assert bell.arrivals() == []
    assert len(beside.arrivals()) == 8, "the bell is a copy: whoever reads the other socket misses nothing"


@FAMILIES
def test_a_drain_is_bounded_and_goes_on_where_it_stopped(segment, opened, family: int):
    ours = opened(family)
    segment.inject(*(frame(family, message(vrid)) for vrid in (1, 2, 3)))
    segment.wait_readable(ours)
    assert [each.payload[1] for each in ours.receive(limit=2)] == [1, 2]
    assert [each.payload[1] for each in ours.receive()] == [3]


@FAMILIES
def test_another_group_on_the_same_interface_is_not_heard(segment, opened, family: int):
    elsewhere = ip_address({4: "224.0.0.77", 6: "ff02::77"}[family])
    ours, theirs = opened(family), opened(family, elsewhere)
    segment.inject(frame(family, message(7), dst=str(elsewhere)), frame(family, message(8)))
    segment.wait_readable(theirs)
    assert [each.payload[1] for each in theirs.receive()] == [7]
    assert [each.payload[1] for each in ours.receive()] == [8]


@FAMILIES
def test_a_unicast_socket_hears_unicast_only(segment, opened, family: int):
    group, unicast = opened(family), opened(family, None)
    segment.inject(frame(family, message(7)))
    segment.inject(frame(family, message(8), dst=str(OURS[family])).replace(MAC[family], NEAR_MAC))
    segment.wait_readable(unicast)
    assert [each.payload[1] for each in unicast.receive()] == [8]
    assert [each.payload[1] for each in group.receive()] == [7, 8], "how it came is for the decoder to judge"


@FAMILIES
def test_c_io_01_another_interface_is_not_heard(segment, opened, family: int):
    ours = opened(family)
    far = VrrpSocket.open("far", segment.far, family, MULTICAST_GROUP[family])
    segment.inject(frame(family, message(7)))
    segment.wait_readable(ours)
    assert far.receive() == []
    far.close()


@FAMILIES
def test_c_io_02_the_group_is_reported_to_switches_when_the_socket_opens(segment, opened, family: int):
    """To all that snoop: an IGMPv3 or an MLDv2 report that names the group."""
    everybody = {4: "224.0.0.22", 6: "ff02::16"}[family]
    opened(family)
    report = segment.hear(
        lambda data: Ether(data).payload.dst == everybody and MULTICAST_GROUP[family].packed in data[34:]
    )
    assert report[:6].hex(":") == {4: "01:00:5e:00:00:16", 6: "33:33:00:00:00:16"}[family]


@FAMILIES
def test_c_fwd_08_c_io_01_neither_ours_nor_others_adverts_get_to_another_interface(segment, opened, family: int):
    """The kernel forwards: the last packet, which is for somebody there, does arrive. Others' adverts have any TTL."""
    ours = {4: "203.0.113.1/24", 6: "2001:db8:1::1/64"}[family]
    there = {4: "198.51.100.2", 6: "2001:db8:2::2"}[family]
    segment.ip("link add left address 02:00:00:00:00:03 type veth peer name right address 02:00:00:00:00:04")
    for name in ("left", "right"):
        segment.ip(f"link set {name} addrgenmode none up")
    segment.ip(f"address add {there[:-1]}1/{24 if family == 4 else 64} dev left nodad")
    segment.ip(f"neighbour add {there} lladdr 02:00:00:00:00:04 dev left")
    segment.ip(f"address add {ours} dev near nodad")
    segment.set("net/ipv4/ip_forward", "1")
    segment.set("net/ipv6/conf/all/forwarding", "1")
    near = opened(family)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as right:
        right.bind(("right", 3))
        right.settimeout(10)
        limit = "ttl" if family == 4 else "hlim"
        near.send(message(9), OURS[family], MULTICAST_GROUP[family])
        segment.inject(*(frame(family, message(7), **{limit: each}) for each in (255, 64, 2)))
        source = {4: "203.0.113.9", 6: "2001:db8:1::9"}[family]
        segment.inject(frame(family, message(8), src=source, dst=there).replace(MAC[family], NEAR_MAC))
        heard = []
        while not heard or heard[-1][1] != 8:
            data = right.recv(65536)
            heard += [(data, bytes(Ether(data).payload.payload)[1])] if is_vrrp(data) else []
    assert len(heard) == 1


def test_opening_on_no_interface_is_an_error_and_leaves_nothing_open(segment):
    with pytest.raises(OSError):  # noqa: PT011 - which errno is the kernel's affair
        VrrpSocket.open("nowhere", segment.near, 4, None)


@pytest.mark.parametrize("family", [4, 6])
def test_every_jump_of_the_filter_is_in_reach(family: int):
    program = vrid_filter(family, range(1, 256))
    assert all(0 <= jump <= 255 for _, jump, _, _ in program)
