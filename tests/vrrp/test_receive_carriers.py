"""What a raw IPv4 socket gives, and CARP, the other protocol with number 112."""

from ipaddress import ip_address

import pytest
from scapy.layers.inet import IP, IPOption

from hafw.vrrp.packet import BadPacket, Datagram, decode_untrusted, strip_ipv4_untrusted
from hafw.vrrp.settings import RouterSettings

R1, GROUP = ip_address("10.77.0.1"), ip_address("224.0.0.18")
ADVERT = bytes.fromhex("3133c801 00641043 0a4d00fa")
HEADER = bytes.fromhex("45c00020 00010000 ff700000 0a4d0001 e0000012")
EXPECTED = Datagram(payload=ADVERT, source=R1, destination=GROUP, ttl=255)


def with_octets(packet, changes):
    changed = bytearray(packet)
    for at, octet in changes.items():
        changed[at] = octet
    return bytes(changed)


def refused(packet):
    with pytest.raises(BadPacket) as caught:
        strip_ipv4_untrusted(packet)
    return caught.value.reason, caught.value.detail


def test_an_ipv4_header_is_taken_apart():
    assert strip_ipv4_untrusted(HEADER + ADVERT) == EXPECTED


def test_a_header_alone_is_an_empty_message():
    assert strip_ipv4_untrusted(with_octets(HEADER, {3: 20})).payload == b""


@pytest.mark.parametrize("option_octets", [0, 4, 40])
def test_c_rx_24_ip_options_are_skipped(option_octets):
    options = [IPOption(b"\x01")] * option_octets
    packet = bytes(IP(src=str(R1), dst=str(GROUP), proto=112, ttl=255, options=options) / ADVERT)
    assert packet[0] & 0x0F == 5 + option_octets // 4
    assert strip_ipv4_untrusted(packet) == EXPECTED


@pytest.mark.parametrize("words", range(5))
def test_c_rx_24_a_header_length_under_20_octets_is_refused(words):
    assert refused(with_octets(HEADER + ADVERT, {0: 0x40 | words})) == (
        "ip-header-errors",
        f"IP version 4, header length {words * 4}, total length 32 in 32 octets",
    )


def test_c_rx_24_a_header_longer_than_the_packet_is_refused():
    assert refused(with_octets(HEADER + ADVERT, {0: 0x4F}))[0] == "ip-header-errors"


@pytest.mark.parametrize("padding", [1, 4, 6, 10, 14, 1000])
def test_c_rx_06_ethernet_padding_is_cut(padding):
    assert strip_ipv4_untrusted(HEADER + ADVERT + b"\xaa" * padding) == EXPECTED


def test_c_rx_05_every_truncation_of_the_packet_is_refused():
    packet = HEADER + ADVERT
    for length in range(len(packet)):
        reason, said = refused(packet[:length])
        assert reason == "ip-header-errors"
        assert f"{length} octets" in said


@pytest.mark.parametrize("version", [0, 5, 6, 15])
def test_another_ip_version_is_refused(version):
    assert refused(with_octets(HEADER + ADVERT, {0: version << 4 | 5}))[0] == "ip-header-errors"


@pytest.mark.parametrize("fragment", [{6: 0x20}, {7: 0x01}, {6: 0x1F, 7: 0xFF}])
def test_a_fragment_is_refused_as_such(fragment):
    said = "a fragment: the sender's message exceeds its MTU"
    assert refused(with_octets(HEADER + ADVERT, fragment)) == ("ip-header-errors", said)


def test_do_not_fragment_is_no_fragment():
    assert strip_ipv4_untrusted(with_octets(HEADER + ADVERT, {6: 0x40})) == EXPECTED


def test_another_protocol_is_refused():
    assert refused(with_octets(HEADER + ADVERT, {9: 17})) == ("ip-header-errors", "IP protocol 17, VRRP is 112")


def test_c_rx_19_an_authentication_header_is_refused_with_the_way_out():
    said = "AH (IP protocol 51) is not supported: use PASS or version 3 on the peer"
    assert refused(with_octets(HEADER + ADVERT, {9: 51})) == ("invalid-auth-type", said)


CARP = bytes.fromhex("21330007 00010bc4 0123456789abcdef fedcba9876543210 0011223344556677 8899aabb")
"""vhid 51, advskew 0, 7 words to come, demotion 0, advbase 1, checksum, counter, HMAC."""
CARP_NAMED = "this is CARP, not VRRP, with the same protocol number and virtual MAC: give it another VHID than our VRID"


@pytest.mark.parametrize(
    ("version", "reason", "differs"),
    [
        (3, "version-errors", "version 2, ours is 3"),
        (2, "packet-length-errors", "36 octets, a count of 7 makes 44"),
    ],
)
def test_carp_is_refused_by_name(version, reason, differs):
    router = RouterSettings(
        name="VI_1", interface="eth0", vrid=51, version=version, virtual_addresses=(ip_address("10.77.0.250"),)
    )
    with pytest.raises(BadPacket) as caught:
        decode_untrusted(Datagram(payload=CARP, source=R1, destination=GROUP, ttl=255), router, own=())
    assert (caught.value.reason, caught.value.detail) == (reason, f"{differs}: {CARP_NAMED}")
