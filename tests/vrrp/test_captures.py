"""Every VRRP packet that real keepalived and FRR sent decodes to what they were configured to say."""

import struct
from collections import Counter
from ipaddress import IPv6Address, ip_address
from pathlib import Path

import pytest

from hafw.vrrp.packet import BadPacket, Datagram, decode_untrusted, encode, strip_ipv4_untrusted
from hafw.vrrp.settings import Checksum, RouterSettings

CAPTURES = Path(__file__).parent.parent / "captures"
R1, R2 = ip_address("10.77.0.1"), ip_address("10.77.0.2")
R1_LINK_LOCAL = ip_address("fe80::ff:fe00:7701")
VIP = ip_address("10.77.0.250")
VIPS6 = (ip_address("fe80::77:250"), ip_address("fd77::250"))
ETHERTYPE_IPV4, ETHERTYPE_IPV6 = b"\x08\x00", b"\x86\xdd"


def frames(name):
    """The Ethernet frames of a little-endian pcap file."""
    data = (CAPTURES / f"{name}.pcap").read_bytes()
    at = 24
    while at < len(data):
        (captured,) = struct.unpack_from("<I", data, at + 8)
        yield data[at + 16 : at + 16 + captured]
        at += 16 + captured


def datagrams(name):
    """What sockets would have given of them."""
    for frame in frames(name):
        ethertype, packet = frame[12:14], frame[14:]
        if ethertype == ETHERTYPE_IPV4 and packet[9] == 112:
            yield strip_ipv4_untrusted(packet)
        elif ethertype == ETHERTYPE_IPV6 and packet[6] == 112:
            yield Datagram(
                payload=packet[40:],
                source=IPv6Address(packet[8:24]),
                destination=IPv6Address(packet[24:40]),
                ttl=packet[7],
            )


def settings(**changes):
    return RouterSettings(**{"name": "VI_1", "interface": "eth0", "vrid": 51, "virtual_addresses": (VIP,)} | changes)


CASES = [
    ("keepalived-v3-ipv4", settings(), {(R1, 200): 6}),
    ("keepalived-v3-stop", settings(), {(R1, 200): 2, (R1, 0): 1, (R2, 100): 3}),
    ("keepalived-v3-split", settings(advertisement_interval=0.1), {(R1, 200): 21, (R2, 100): 3}),
    ("keepalived-v3-unicast", settings(unicast_peers=(R1,)), {(R1, 200): 6}),
    ("keepalived-v3-ipv6", settings(virtual_addresses=VIPS6), {(R1_LINK_LOCAL, 200): 6}),
    ("keepalived-v2-pass", settings(version=2, password=b"secret"), {(R1, 200): 6}),
    ("frr-v3-ipv4", settings(), {(R1, 200): 6}),
    ("frr-v3-failover", settings(), {(R1, 200): 2, (R2, 100): 8}),
]


@pytest.mark.parametrize(("name", "router", "expected"), CASES, ids=[case[0] for case in CASES])
def test_every_captured_advert_decodes_and_encodes_to_the_same_octets(name, router, expected):
    heard = Counter()
    for datagram in datagrams(name):
        advert, differences = decode_untrusted(datagram, router, own=())
        assert differences == ()
        assert advert.checksum is (Checksum.PSEUDO_HEADER if (router.version, router.family) == (3, 4) else None)
        again = encode(router, advert.priority, datagram.source, datagram.destination, Checksum.AUTO)
        assert again == datagram.payload
        heard[datagram.source, advert.priority] += 1
    assert heard == expected


def test_c_rx_19_every_captured_authentication_header_is_refused_by_name():
    headers = [frame[14:] for frame in frames("keepalived-v2-ah") if frame[12:14] == ETHERTYPE_IPV4 and frame[23] == 51]
    assert len(headers) == 6
    for packet in headers:
        with pytest.raises(BadPacket, match="IP protocol 51") as refused:
            strip_ipv4_untrusted(packet)
        assert refused.value.reason == "invalid-auth-type"


def test_c_rx_19_the_message_inside_an_authentication_header_is_refused_by_name():
    [packet] = {frame[14:][20 + 24 :] for frame in frames("keepalived-v2-ah") if frame[23] == 51}
    inside = Datagram(payload=packet, source=R1, destination=ip_address("224.0.0.18"), ttl=255)
    with pytest.raises(BadPacket, match=r"2 \(AH\)") as refused:
        decode_untrusted(inside, settings(version=2), own=())
    assert refused.value.reason == "invalid-auth-type"
