"""C-RX-07 and C-RX-27: damaged and arbitrary bytes cause ``BadPacket`` and nothing else, and are not misread."""

import random
import struct
from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hafw.vrrp.packet import (
    REASONS,
    Advertisement,
    BadPacket,
    Datagram,
    decode_untrusted,
    encode,
    peek_vrid_untrusted,
    strip_ipv4_untrusted,
)
from hafw.vrrp.settings import Checksum, RouterSettings

R1, R2 = ip_address("10.77.0.1"), ip_address("10.77.0.2")
GROUP, GROUP6 = ip_address("224.0.0.18"), ip_address("ff02::12")
VIP = ip_address("10.77.0.250")
OURS = {"name": "VI_1", "interface": "eth0", "vrid": 51}

V3 = RouterSettings(**OURS, virtual_addresses=(VIP,))
V3_UNICAST = RouterSettings(**OURS, virtual_addresses=(VIP,), unicast_peers=(R1,))
V6 = RouterSettings(**OURS, virtual_addresses=(ip_address("fe80::77:250"), ip_address("fd77::250")))
V2 = RouterSettings(**OURS, version=2, virtual_addresses=(VIP,))
V2_PASS = RouterSettings(**OURS, version=2, virtual_addresses=(VIP,), password=b"secret")
ROUTERS = [V3, V3_UNICAST, V6, V2, V2_PASS]


def advert_for(router, checksum=Checksum.PSEUDO_HEADER, source=None):
    source = source or (R1 if router.family == 4 else ip_address("fe80::ff:fe00:7701"))
    destination = R2 if router.unicast_peers else {4: GROUP, 6: GROUP6}[router.family]
    payload = encode(router, 200, source, destination, checksum)
    return Datagram(payload=payload, source=source, destination=destination, ttl=255)


GOOD = [(router, advert_for(router)) for router in ROUTERS] + [(V3, advert_for(V3, Checksum.RFC9568))]


def outcome(datagram, router):
    """The reason of the refusal, or the advert."""
    try:
        return decode_untrusted(datagram, router, own=())[0]
    except BadPacket as refusal:
        return refusal.reason


def with_bit_flipped(datagram, bit):
    payload = bytearray(datagram.payload)
    payload[bit // 8] ^= 0x80 >> bit % 8
    return replace(datagram, payload=bytes(payload))


SENT = {
    "version": 3,
    "vrid": 51,
    "priority": 100,
    "interval": 1.0,
    "addresses": (VIP,),
    "checksum": Checksum.RFC9568,
}


def expected_refusal(bit):
    if bit < 4:
        return "version-errors"
    if bit < 8:
        return "invalid-type-pkts-rcvd"
    return "packet-length-errors" if bit // 8 == 3 else "checksum-errors"


@pytest.mark.parametrize(("router", "datagram"), GOOD)
def test_c_rx_07_every_single_bit_flip_is_refused(router, datagram):
    """One flip changes the sum by a power of two, which is never 0 modulo 65535: no form collides with itself."""
    bits = range(8 * len(datagram.payload))
    assert [outcome(with_bit_flipped(datagram, bit), router) for bit in bits] == [*map(expected_refusal, bits)]


def test_c_rx_07_a_flip_can_pass_only_as_the_other_form_of_checksum():
    """The price of accepting both forms (C-PKT-09): where the pseudo-header itself sums to a power of two.

    From 10.0.149.113 it does: 0x0a00 + 0x9571 + 0xe000 + 0x0012 + 112 + 12 = 0x17fff, folded 0x8000. Then the first
    bit of a 16-bit word that becomes 1 turns the pseudo-header form into the other one.
    """
    source = ip_address("10.0.149.113")
    datagram = replace(advert_for(V3, source=source), payload=encode(V3, 100, source, GROUP, Checksum.PSEUDO_HEADER))
    adverts = {bit: outcome(with_bit_flipped(datagram, bit), V3) for bit in range(96)}
    passed = {bit: advert for bit, advert in adverts.items() if advert != expected_refusal(bit)}
    assert passed == {
        16: Advertisement(**SENT | {"priority": 100 + 128}),
        32: Advertisement(**SENT),  # the Reserve nibble
        64: Advertisement(**SENT | {"addresses": (ip_address("138.77.0.250"),)}),
        80: Advertisement(**SENT | {"addresses": (ip_address("10.77.128.250"),)}),
    }


@pytest.mark.parametrize(("router", "datagram"), GOOD)
def test_c_rx_05_every_truncation_and_every_extension_is_refused(router, datagram):
    payload = datagram.payload
    cut = [replace(datagram, payload=payload[:length]) for length in range(len(payload))]
    grown = [replace(datagram, payload=payload + bytes(more)) for more in range(1, 64)]
    assert {outcome(changed, router) for changed in cut + grown} == {"packet-length-errors"}


@pytest.mark.parametrize("router", ROUTERS)
@given(payload=st.binary(max_size=64), ttl=st.sampled_from([None, 0, 255]), data=st.data())
def test_c_rx_27_arbitrary_bytes_are_refused(router, payload, ttl, data):
    addresses = st.ip_addresses()
    datagram = Datagram(
        payload=payload, source=data.draw(addresses), destination=data.draw(st.none() | addresses), ttl=ttl
    )
    assert outcome(datagram, router) in REASONS
    assert peek_vrid_untrusted(payload) in {None, *payload[1:2]}


@given(st.binary(max_size=120))
def test_c_rx_27_arbitrary_packets_are_taken_apart_or_refused(packet):
    try:
        taken = strip_ipv4_untrusted(packet).payload
    except BadPacket as refusal:
        taken = refusal.reason
    assert taken in {"ip-header-errors", "invalid-auth-type"} or taken in packet[20:]


def sealed(datagram):
    """With a right checksum: over the message alone in IPv4, with the pseudo-header in IPv6."""
    payload = datagram.payload
    summed = payload[:6] + b"\0\0" + payload[8:] + b"\0" * (len(payload) % 2)
    if datagram.source.version == 6:
        summed += datagram.source.packed + datagram.destination.packed + struct.pack("!II", len(payload), 112)
    total = sum(word for (word,) in struct.iter_unpack("!H", summed))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return replace(datagram, payload=payload[:6] + struct.pack("!H", 0xFFFF - total) + payload[8:])


def mutations(datagram, draw, number):
    """Datagrams with one to four octets replaced, resealed so that the checks behind the checksum are reached."""
    for _ in range(number):
        payload = bytearray(datagram.payload)
        for _ in range(draw.randint(1, 4)):
            payload[draw.randrange(len(payload))] = draw.choice(
                (0, 1, 2, 51, 0x21, 0x31, 100, 254, draw.randrange(256))
            )
        yield sealed(replace(datagram, payload=bytes(payload)))


@pytest.mark.parametrize(("router", "datagram"), GOOD)
def test_c_rx_27_a_sealed_mutation_is_refused_or_decodes_to_exactly_what_it_says(router, datagram):
    seen = set()
    for changed in mutations(datagram, random.Random(9568), 3000):
        result = outcome(changed, router)
        seen.add(result if isinstance(result, str) else Advertisement)
        if isinstance(result, Advertisement):
            says = replace(
                router,
                virtual_addresses=result.addresses,
                advertisement_interval=result.interval,
            )
            again = encode(says, result.priority, changed.source, changed.destination, Checksum.RFC9568)
            assert ignoring_ignored(again) == ignoring_ignored(changed.payload)
    assert seen >= {Advertisement, "version-errors", "invalid-type-pkts-rcvd", "packet-length-errors", "vrid-errors"}


def ignoring_ignored(payload):
    """Without the Reserve nibble, version 2's authentication data (compared elsewhere), and the checksum over both."""
    if payload[0] >> 4 == 2:
        return payload[:6] + payload[8:-8]
    return payload[:4] + bytes((payload[4] & 0x0F, payload[5])) + payload[8:]
