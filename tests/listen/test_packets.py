"""From frames to adverts: link types, tags, options, fragments, and what is not whole."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from scapy.layers.inet import IP, UDP, IPOption_Router_Alert, fragment
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    RouterAlert,
    fragment6,
)
from scapy.layers.l2 import ARP, CookedLinux, CookedLinuxV2, Dot1AD, Dot1Q, Ether
from scapy.layers.vrrp import VRRP, VRRPv3
from scapy.packet import Raw

from hafw.listen.finding import Verdict
from hafw.listen.fragments import PACKETS_MAX
from hafw.vrrp.packet import Checksum, encode
from hafw.vrrp.settings import RouterSettings

R1, VIP = ip_address("10.77.0.1"), ip_address("10.77.0.250")
MAC = "02:00:00:00:77:01"
VI_1 = RouterSettings(name="VI_1", interface="eth0", vrid=51, priority=100, virtual_addresses=(VIP,))
VIPS6 = (ip_address("fe80::77:250"), ip_address("fd77::250"))
V6 = RouterSettings(name="V6", interface="eth0", vrid=51, priority=100, virtual_addresses=VIPS6)


def ip(**fields):
    return IP(**{"src": "10.77.0.1", "dst": "224.0.0.18", "ttl": 255, "proto": 112} | fields)


def advert():
    return VRRPv3(vrid=51, priority=200, addrlist=["10.77.0.250"])


def advert6() -> bytes:
    source, group = ip_address("fe80::1"), ip_address("ff02::12")
    return encode(V6, 200, source, group, Checksum.AUTO)


def ip6(*headers):
    packet = IPv6(src="fe80::1", dst="ff02::12", hlim=255)
    if not headers:
        packet.nh = 112
    for each in headers:
        packet /= each
    return packet / Raw(advert6())


def ether(**fields):
    return Ether(**{"src": MAC, "dst": "01:00:5e:00:00:12"} | fields)


def the_one(heard):
    (only,) = heard
    return only


LINKS = {
    "ethernet": (1, ether() / ip() / advert(), ()),
    "vlan": (1, ether() / Dot1Q(vlan=10) / ip() / advert(), (10,)),
    "stacked": (1, ether() / Dot1AD(vlan=200) / Dot1Q(vlan=10) / ip() / advert(), (200, 10)),
    "old stacked": (1, ether(type=0x9100) / Dot1Q(vlan=7, type=0x8100) / Dot1Q(vlan=10) / ip() / advert(), (7, 10)),
    "three tags": (1, ether() / Dot1Q(vlan=1) / Dot1Q(vlan=2) / Dot1Q(vlan=3) / ip() / advert(), (1, 2, 3)),
    "padded": (1, ether() / ip() / advert() / Raw(bytes(14)), ()),
    "cooked": (
        113,
        CookedLinux(pkttype=2, lladdrlen=6, src=bytes.fromhex(MAC.replace(":", "")), proto=0x800) / ip() / advert(),
        (),
    ),
    "cooked, tagged": (
        113,
        CookedLinux(pkttype=2, lladdrlen=6, src=bytes.fromhex(MAC.replace(":", "")), proto=0x8100)
        / Dot1Q(vlan=10)
        / ip()
        / advert(),
        (10,),
    ),
    "cooked 2": (
        276,
        CookedLinuxV2(pkttype=2, lladdrlen=6, src=bytes.fromhex(MAC.replace(":", "")), proto=0x800) / ip() / advert(),
        (),
    ),
}


@pytest.mark.parametrize(("link_type", "packet", "vlans"), LINKS.values(), ids=LINKS)
def test_every_link_type_and_any_stack_of_tags_gives_the_same_advert(frame, hear, link_type, packet, vlans):
    each = the_one(hear([frame(packet, link_type=link_type)], VI_1)[0])
    assert each.judgement.verdict is Verdict.ACCEPTED
    assert each.packet.link.vlans == vlans
    assert each.packet.link.source.hex(":") == MAC
    assert (each.packet.source, each.message.vrid, each.message.priority) == (R1, 51, 200)
    assert each.message.addresses == (VIP,)


@pytest.mark.parametrize("link_type", [101, 12, 14, 228])
def test_raw_ip_is_read_and_has_no_mac(frame, hear, link_type):
    each = the_one(hear([frame(ip() / advert(), link_type=link_type)], VI_1)[0])
    assert each.judgement.verdict is Verdict.ACCEPTED
    assert each.packet.link.source == b""


def test_raw_ipv6_is_told_from_ipv4(frame, hear):
    assert the_one(hear([frame(ip6(), link_type=101)], V6)[0]).judgement.verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("link_type", [113, 276])
def test_a_cooked_capture_tells_what_this_machine_sent(frame, hear, link_type):
    cooked = (CookedLinux if link_type == 113 else CookedLinuxV2)(pkttype=4, lladdrlen=6, proto=0x800)
    assert (
        the_one(hear([frame(cooked / ip() / advert(), link_type=link_type)], VI_1)[0]).judgement.verdict is Verdict.SENT
    )


def test_a_tag_that_the_kernel_took_out_counts_as_one_in_the_frame(frame, hear):
    each = the_one(hear([frame(ether() / Dot1Q(vlan=10) / ip() / advert(), vlans=(200,))], VI_1)[0])
    assert each.packet.link.vlans == (200, 10)


def test_a_link_type_that_is_not_read_is_counted_and_named(frame, hear):
    heard, session = hear([frame(b"802.11", link_type=105)] * 3)
    assert (heard, dict(session.unread)) == ([], {105: 3})


def test_c_rx_24_ip_options_are_skipped_and_remarked(frame, hear):
    each = the_one(hear([frame(ether() / ip(options=[IPOption_Router_Alert()]) / advert())], VI_1)[0])
    assert each.judgement.verdict is Verdict.ACCEPTED
    assert each.remarks == ("has IP options",)


def test_an_advert_in_fragments_is_put_together_in_any_order(frame, hear):
    many = tuple(ip_address(f"10.77.1.{number}") for number in range(1, 201))
    router = RouterSettings(name="VI_1", interface="eth0", vrid=51, virtual_addresses=many)
    message = encode(router, 200, R1, ip_address("224.0.0.18"), Checksum.AUTO)
    pieces = [frame(ether() / each) for each in fragment(ip(id=7) / Raw(message), 200)]
    assert len(pieces) == 5
    each = the_one(hear(pieces[::-1], router)[0])
    assert each.judgement.verdict is Verdict.ACCEPTED
    assert each.message.addresses == many
    assert each.remarks == ("came in 5 fragments: more addresses than one frame holds",)


def test_fragments_over_ipv6_are_put_together(frame, hear):
    many = tuple(ip_address(f"fe80::{number:x}") for number in range(0x100, 0x1C8))
    router = RouterSettings(name="V6", interface="eth0", vrid=51, virtual_addresses=many)
    message = encode(router, 200, ip_address("fe80::1"), ip_address("ff02::12"), Checksum.AUTO)
    whole = IPv6(src="fe80::1", dst="ff02::12", hlim=255) / IPv6ExtHdrFragment(nh=112, id=9) / Raw(message)
    pieces = [frame(ether() / each) for each in fragment6(whole, 1280)]
    assert len(pieces) == 3
    each = the_one(hear(pieces, router)[0])
    assert each.judgement.verdict is Verdict.ACCEPTED
    assert each.message.addresses == many


def test_a_piece_that_is_missing_is_no_advert_and_is_counted(frame, hear):
    pieces = [frame(ether() / each) for each in fragment(ip(id=7) / Raw(bytes(76)), 32)]
    heard, session = hear(pieces[:-1], VI_1)
    assert (heard, session.fragments.waiting) == ([], 1)


def test_pieces_that_overlap_are_never_put_together(frame, hear):
    message = bytes(advert()) + bytes(100)
    first = ether() / ip(id=7, flags="MF") / Raw(message[:64])
    second = ether() / ip(id=7, frag=4) / Raw(message[32:])
    assert hear([frame(first), frame(second)], VI_1)[0] == []


def test_one_packet_of_endless_pieces_is_given_up(frame, hear):
    """They overlap, so that it is never whole, and each is as large as a frame can be."""
    flood = [frame(ether() / ip(id=7, flags="MF", frag=number) / Raw(bytes(8000))) for number in range(40)]
    _, session = hear(flood, VI_1)
    assert session.fragments.lost == 4
    assert session.fragments.waiting <= 1


def test_a_flood_of_first_pieces_is_bounded(frame, hear):
    flood = [frame(ether() / ip(id=number, flags="MF") / Raw(bytes(16))) for number in range(PACKETS_MAX + 40)]
    _, session = hear(flood, VI_1)
    assert (session.fragments.waiting, session.fragments.lost) == (PACKETS_MAX, 40)


@pytest.mark.parametrize(
    "headers",
    [
        (IPv6ExtHdrHopByHop(nh=112, options=[RouterAlert()]),),
        (IPv6ExtHdrHopByHop(options=[RouterAlert()]), IPv6ExtHdrDestOpt(nh=112)),
    ],
)
def test_extension_headers_are_skipped_and_remarked(frame, hear, headers):
    each = the_one(hear([frame(ether() / ip6(*headers))], V6)[0])
    assert each.judgement.verdict is Verdict.ACCEPTED
    assert "has IPv6 extension headers" in each.remarks


def test_what_the_capture_has_cut_is_not_judged(frame, hear):
    whole = bytes(ether() / ip() / advert())
    each = the_one(hear([frame(whole[:-2], length=len(whole))], VI_1)[0])
    assert (each.judgement.verdict, each.judgement.reason) == (Verdict.CUT, "")
    assert each.judgement.findings[0].detail == "the capture kept all but 2 octets of it: capture with -s 0"
    whole = bytes(ether() / ip6())
    assert the_one(hear([frame(whole[:-2], length=len(whole))], V6)[0]).judgement.verdict is Verdict.CUT


@pytest.mark.parametrize(("packet", "router"), [(ip() / advert(), VI_1), (ip6(), V6)])
def test_what_came_short_from_the_wire_is_refused_as_the_kernel_would(frame, hear, packet, router):
    each = the_one(hear([frame(bytes(ether() / packet)[:-2])], router)[0])
    assert (each.judgement.verdict, each.judgement.reason) == (Verdict.REFUSED, "ip-header-errors")


def test_a_wrong_checksum_of_the_ip_header_is_the_kernels_to_refuse(frame, hear):
    each = the_one(hear([frame(ether() / ip(chksum=1) / advert())], VI_1)[0])
    assert each.judgement.reason == "ip-header-errors"
    assert each.judgement.findings[0].detail.endswith("0x0001, is wrong: the kernel drops it")


@pytest.mark.parametrize(
    "packet",
    [
        ether() / IP() / UDP() / Raw(b"\x31" * 20),
        ether() / ARP(),
        ether(type=0x88CC) / Raw(b"lldp"),
        ether() / IPv6() / UDP(),
        Raw(b"short"),
        Raw(b""),
        ether(type=0x8100),
        ether() / Raw(b"\x45"),
    ],
)
def test_other_traffic_is_passed_over(frame, hear, packet):
    assert hear([frame(packet)], VI_1)[0] == []


def test_scapys_version_2_reads_as_it_was_meant(frame, hear):
    message = VRRP(version=2, vrid=9, priority=77, adv=3, authtype=0, addrlist=["10.77.0.9", "10.77.0.10"])
    each = the_one(hear([frame(ether() / ip() / message)])[0])
    assert (each.message.version, each.message.vrid, each.message.priority) == (2, 9, 77)
    assert (each.message.interval, each.message.auth_type) == (3.0, 0)
    assert each.message.addresses == (ip_address("10.77.0.9"), ip_address("10.77.0.10"))
