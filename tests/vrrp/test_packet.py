"""C-PKT, the codec: golden bytes, scapy as an independent oracle, and round trips.

Golden bytes are captured from keepalived 2.2.7, or summed by hand beside them.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.vrrp import VRRP, VRRPv3

from hafw.vrrp.packet import (
    MULTICAST_GROUP,
    PROTOCOL,
    TTL,
    Advertisement,
    Datagram,
    decode_untrusted,
    encode,
    max_addresses,
    peek_vrid_untrusted,
    virtual_mac,
)
from hafw.vrrp.settings import Checksum, RouterSettings

R1, R2 = ip_address("10.77.0.1"), ip_address("10.77.0.2")
R1_LINK_LOCAL = ip_address("fe80::ff:fe00:7701")
GROUP = MULTICAST_GROUP[4]
VIP = ip_address("10.77.0.250")
VIPS6 = (ip_address("fe80::77:250"), ip_address("fd77::250"))

KEEPALIVED_V3 = bytes.fromhex("3133c801 00641043 0a4d00fa")
KEEPALIVED_V3_UNICAST = bytes.fromhex("3133c801 0064e606 0a4d00fa")
KEEPALIVED_V3_IPV6 = bytes.fromhex(
    "3133c802 00649126 fe800000000000000000000000770250 fd770000000000000000000000000250"
)
KEEPALIVED_V2_PASS = bytes.fromhex("2133c801 0101ce36 0a4d00fa 7365637265740000")


def settings(**changes):
    return RouterSettings(
        **{"name": "VI_1", "interface": "eth0", "vrid": 51, "virtual_addresses": (VIP,), "priority": 200} | changes
    )


def sent(router, *, source=R1, destination=GROUP, checksum=Checksum.PSEUDO_HEADER, priority=200):
    return encode(router, priority, source, destination, checksum)


def received(router, payload, *, source=R1, destination=GROUP):
    return decode_untrusted(Datagram(payload=payload, source=source, destination=destination, ttl=255), router, own=())


def test_the_constants_of_the_protocol():
    assert (PROTOCOL, TTL) == (112, 255)
    assert MULTICAST_GROUP[4] == IPv4Address("224.0.0.18")
    assert MULTICAST_GROUP[6] == IPv6Address("ff02::12")


def test_c_pkt_01_version_3_type_1():
    assert sent(settings())[0] == 0x31


def test_version_2_type_1():
    assert sent(settings(version=2))[0] == 0x21


def test_c_pkt_02_vrid_is_the_second_octet():
    assert sent(settings(vrid=1))[1] == 1
    assert sent(settings(vrid=255))[1] == 255


@pytest.mark.parametrize("vrid", [0, 256])
def test_c_pkt_02_a_vrid_out_of_range_is_never_sent(vrid):
    with pytest.raises(AssertionError):
        sent(settings(vrid=vrid))


@pytest.mark.parametrize("priority", [0, 1, 100, 254, 255])
def test_c_pkt_03_priority_sent_is_the_argument_not_the_configured_one(priority):
    message = sent(settings(), priority=priority)
    assert message[2] == priority
    assert received(settings(), message)[0].priority == priority


@pytest.mark.parametrize("priority", [-1, 256])
def test_c_pkt_03_a_priority_out_of_range_is_never_sent(priority):
    with pytest.raises(AssertionError):
        sent(settings(), priority=priority)


def test_c_pkt_04_count_is_the_number_of_addresses():
    assert sent(settings())[3] == 1
    assert sent(settings(virtual_addresses=tuple(VIP + n for n in range(5))))[3] == 5


def test_c_pkt_04_no_address_is_never_sent():
    with pytest.raises(AssertionError):
        sent(settings(virtual_addresses=()))


def test_c_pkt_05_reserve_is_zero_on_send():
    assert sent(settings(advertisement_interval=40.95))[4] >> 4 == 0x0
    assert sent(settings(advertisement_interval=0.01))[4] >> 4 == 0x0


@pytest.mark.parametrize(("seconds", "octets"), [(0.01, "0001"), (0.29, "001d"), (1.0, "0064"), (40.95, "0fff")])
def test_c_pkt_06_interval_in_centiseconds(seconds, octets):
    message = sent(settings(advertisement_interval=seconds))
    assert message[4:6].hex() == octets
    advert, differences = received(settings(advertisement_interval=seconds), message)
    assert advert.interval == seconds
    assert differences == ()


@pytest.mark.parametrize("seconds", [0.0, 0.004, 40.96])
def test_c_pkt_06_an_interval_out_of_range_is_never_sent(seconds):
    with pytest.raises(AssertionError):
        sent(settings(advertisement_interval=seconds))


@pytest.mark.parametrize(("seconds", "octet"), [(1.0, 1), (10.0, 10), (255.0, 255)])
def test_version_2_interval_in_whole_seconds(seconds, octet):
    router = settings(version=2, advertisement_interval=seconds)
    assert sent(router)[5] == octet
    assert received(router, sent(router))[0].interval == seconds


@pytest.mark.parametrize("seconds", [0.0, 256.0])
def test_version_2_an_interval_out_of_range_is_never_sent(seconds):
    with pytest.raises(AssertionError):
        sent(settings(version=2, advertisement_interval=seconds))


def test_c_pkt_07_ipv6_checksum_covers_the_pseudo_header():
    router = settings(virtual_addresses=VIPS6)
    message = sent(router, source=R1_LINK_LOCAL, destination=MULTICAST_GROUP[6])
    assert message == KEEPALIVED_V3_IPV6
    assert received(router, message, source=R1_LINK_LOCAL, destination=MULTICAST_GROUP[6]) == (
        Advertisement(version=3, vrid=51, priority=200, interval=1.0, addresses=VIPS6),
        (),
    )


def test_c_pkt_07_ipv6_has_the_pseudo_header_whatever_the_setting_says():
    router = settings(virtual_addresses=VIPS6)
    message = sent(router, source=R1_LINK_LOCAL, destination=MULTICAST_GROUP[6], checksum=Checksum.RFC9568)
    assert message == KEEPALIVED_V3_IPV6


def test_c_pkt_08_ipv4_checksum_over_the_message_only():
    """The vector is that of draft-cassen-vrrp-auth-hmac, without its trailer."""
    router = settings(virtual_addresses=(ip_address("192.0.2.100"),))
    source = ip_address("198.51.100.10")
    message = sent(router, source=source, checksum=Checksum.RFC9568)
    assert message == bytes.fromhex("3133c801 00644402 c0000264")
    assert received(router, message, source=source)[0].checksum is Checksum.RFC9568


@pytest.mark.parametrize("checksum", [Checksum.PSEUDO_HEADER, Checksum.AUTO])
def test_c_pkt_09_ipv4_checksum_with_pseudo_header(checksum):
    message = sent(settings(), checksum=checksum)
    assert message == KEEPALIVED_V3
    assert received(settings(), message)[0].checksum is Checksum.PSEUDO_HEADER


def test_c_pkt_09_unicast_puts_the_real_destination_into_the_pseudo_header():
    assert sent(settings(unicast_peers=(R2,)), destination=R2) == KEEPALIVED_V3_UNICAST


@pytest.mark.parametrize("checksum", list(Checksum))
def test_c_pkt_10_version_2_checksum_over_message_and_authentication_data(checksum):
    router = settings(version=2, password=b"secret")
    message = sent(router, checksum=checksum)
    assert message == KEEPALIVED_V2_PASS
    advert = Advertisement(version=2, vrid=51, priority=200, interval=1.0, addresses=(VIP,))
    assert received(router, message) == (advert, ())


def test_c_pkt_11_excluded_addresses_are_never_sent():
    router = settings(excluded_addresses=(ip_address("10.77.0.9"), ip_address("fd77::9")))
    assert sent(router) == KEEPALIVED_V3


def test_c_pkt_12_the_first_configured_ipv6_address_goes_first():
    message = sent(settings(virtual_addresses=VIPS6), source=R1_LINK_LOCAL, destination=MULTICAST_GROUP[6])
    assert message[8:24] == VIPS6[0].packed


def test_c_pkt_13_order_of_addresses_is_kept():
    unsorted = (VIP, VIP - 3, VIP + 2, VIP - 1)
    router = settings(virtual_addresses=unsorted)
    assert received(router, sent(router))[0].addresses == unsorted


@pytest.mark.parametrize("count", [1, 2, 17, 255])
def test_c_pkt_14_length(count):
    ipv4 = tuple(ip_address("10.77.0.1") + n for n in range(count))
    ipv6 = tuple(ip_address("fe80::1") + n for n in range(count))
    assert len(sent(settings(virtual_addresses=ipv4))) == 8 + 4 * count
    assert len(sent(settings(version=2, virtual_addresses=ipv4))) == 16 + 4 * count
    assert len(sent(settings(virtual_addresses=ipv6), source=R1_LINK_LOCAL)) == 8 + 16 * count


def test_c_pkt_15_authentication_data_is_zero_without_password():
    message = sent(settings(version=2))
    assert message == bytes.fromhex("2133c801 00010b83 0a4d00fa 0000000000000000")


def test_c_rx_18_a_full_password_has_no_terminator():
    message = sent(settings(version=2, password=b"12345678"))
    assert message[4] == 1
    assert message[-8:] == b"12345678"


def test_c_pkt_18_virtual_mac():
    assert virtual_mac(51, 4).hex(":") == "00:00:5e:00:01:33"
    assert virtual_mac(255, 6).hex(":") == "00:00:5e:00:02:ff"


@pytest.mark.parametrize(
    ("version", "family", "first", "length"),
    [(3, 4, "10.77.0.0", 1028), (2, 4, "10.77.0.0", 1036), (3, 6, "fe80::", 4088)],
)
def test_c_pkt_19_the_largest_message_survives(version, family, first, length):
    router = settings(version=version, virtual_addresses=tuple(ip_address(first) + n for n in range(255)))
    source = R1 if family == 4 else R1_LINK_LOCAL
    message = sent(router, source=source, destination=MULTICAST_GROUP[family])
    assert len(message) == length
    advert, _ = received(router, message, source=source, destination=MULTICAST_GROUP[family])
    assert advert.addresses == router.virtual_addresses


@pytest.mark.parametrize(
    ("version", "family", "mtu", "count"),
    [
        (3, 6, 1500, 90),
        (3, 6, 1280, 77),
        (3, 6, 9000, 255),
        (3, 4, 1500, 255),
        (2, 4, 1500, 255),
        (3, 4, 576, 137),
        (2, 4, 576, 135),
        (3, 6, 40, 0),
    ],
)
def test_c_pkt_19_addresses_that_fit_the_mtu(version, family, mtu, count):
    assert max_addresses(version, family, mtu) == count


def test_c_pkt_20_checksum_zero_is_sent_as_it_is():
    """0x3133 + 0xc801 + 0x0064 + 0x0a4d + 0xfc19 = 0x1fffe, which folds to 0xffff."""
    router = settings(virtual_addresses=(ip_address("10.77.252.25"),))
    message = sent(router, checksum=Checksum.RFC9568)
    assert message == bytes.fromhex("3133c801 00640000 0a4dfc19")
    assert received(router, message)[0].checksum is Checksum.RFC9568


def test_peek_vrid_tells_the_second_octet_or_nothing():
    assert peek_vrid_untrusted(KEEPALIVED_V3) == 51
    assert peek_vrid_untrusted(b"\x31\x07") == 7
    assert peek_vrid_untrusted(b"\x31") is None
    assert peek_vrid_untrusted(b"") is None


ipv4 = st.ip_addresses(v=4)
ipv6 = st.ip_addresses(v=6)
link_local = st.integers(0, 2**118 - 1).map(lambda n: IPv6Address(0xFE80 << 112 | n))
vrids, priorities, centiseconds = st.integers(1, 255), st.integers(0, 255), st.integers(1, 4095)


@given(ipv4, vrids, priorities, centiseconds, st.lists(ipv4, min_size=1, max_size=20))
def test_scapy_builds_the_same_version_3_over_ipv4(source, vrid, priority, interval_cs, addresses):
    frame = IP(src=str(source), dst="224.0.0.18", proto=112) / VRRPv3(
        vrid=vrid, priority=priority, adv=interval_cs, addrlist=[str(address) for address in addresses]
    )
    router = settings(vrid=vrid, advertisement_interval=interval_cs / 100, virtual_addresses=tuple(addresses))
    assert bytes(frame)[20:] == sent(router, source=source, priority=priority)


@given(link_local, vrids, priorities, centiseconds, st.tuples(link_local, ipv6, ipv6))
def test_scapy_builds_the_same_version_3_over_ipv6(source, vrid, priority, interval_cs, addresses):
    frame = IPv6(src=str(source), dst="ff02::12", nh=112) / VRRPv3(
        vrid=vrid, priority=priority, adv=interval_cs, addrlist=[str(address) for address in addresses]
    )
    router = settings(vrid=vrid, advertisement_interval=interval_cs / 100, virtual_addresses=addresses)
    assert bytes(frame)[40:] == sent(router, source=source, destination=MULTICAST_GROUP[6], priority=priority)


@given(vrids, priorities, st.integers(1, 255), st.lists(ipv4, min_size=1, max_size=20), st.binary(max_size=8))
def test_scapy_builds_the_same_version_2(vrid, priority, seconds, addresses, password):
    padded = password.ljust(8, b"\0")
    frame = IP(src="10.77.0.1", dst="224.0.0.18", proto=112) / VRRP(
        vrid=vrid,
        priority=priority,
        adv=seconds,
        addrlist=[str(address) for address in addresses],
        authtype=1,
        auth1=int.from_bytes(padded[:4], "big"),
        auth2=int.from_bytes(padded[4:], "big"),
    )
    router = settings(
        version=2,
        vrid=vrid,
        advertisement_interval=float(seconds),
        virtual_addresses=tuple(addresses),
        password=password,
    )
    assert bytes(frame)[20:] == sent(router, priority=priority)


@st.composite
def exchanges(draw):
    """A router, and the source and destination it sends between."""
    version, family = draw(st.sampled_from([(2, 4), (3, 4), (3, 6)]))
    any_address, first = (ipv4, ipv4) if family == 4 else (ipv6, link_local)
    addresses = (draw(first), *draw(st.lists(any_address, max_size=30)))
    peers = tuple(draw(st.lists(any_address.filter(lambda address: not address.is_multicast), max_size=2)))
    router = settings(
        version=version,
        vrid=draw(vrids),
        advertisement_interval=draw(st.integers(1, 255)) * 1.0 if version == 2 else draw(centiseconds) / 100,
        virtual_addresses=addresses,
        password=draw(st.none() | st.binary(max_size=8)) if version == 2 else None,
        unicast_peers=peers,
    )
    unicast = any_address.filter(lambda address: not address.is_multicast)
    source = draw(st.sampled_from(peers)) if peers else draw(unicast)
    return router, source, draw(unicast) if peers else MULTICAST_GROUP[family]


@given(exchanges(), priorities, st.sampled_from(Checksum))
def test_what_is_encoded_decodes_to_the_same(exchange, priority, checksum):
    router, source, destination = exchange
    payload = encode(router, priority, source, destination, checksum)
    advert, differences = received(router, payload, source=source, destination=destination)
    forms = {None} if router.version == 2 or router.family == 6 else {Checksum.RFC9568, Checksum.PSEUDO_HEADER}
    assert advert.checksum in forms
    assert advert == Advertisement(
        version=router.version,
        vrid=router.vrid,
        priority=priority,
        interval=router.advertisement_interval,
        addresses=router.virtual_addresses,
        checksum=advert.checksum,
    )
    assert differences == ()
