"""C-RX: which datagrams are refused, for which reason and in which words, and which pass with a remark.

Datagrams are built here from their fields, independently of ``encode``.
"""

import struct
from dataclasses import dataclass, replace
from ipaddress import ip_address

import pytest

from hafw.vrrp.packet import REASONS, Advertisement, BadPacket, Datagram, decode_untrusted
from hafw.vrrp.settings import Checksum, RouterSettings

R1, R2, R3 = (ip_address(f"10.77.0.{n}") for n in (1, 2, 3))
GROUP, GROUP6 = ip_address("224.0.0.18"), ip_address("ff02::12")
R1_LINK_LOCAL = ip_address("fe80::ff:fe00:7701")
VIP = ip_address("10.77.0.250")
VIPS6 = (ip_address("fe80::77:250"), ip_address("fd77::250"))


def ones_complement_sum(data):
    """RFC 1071, as a loop."""
    total = 0
    for (word,) in struct.iter_unpack("!H", data + b"\0" * (len(data) % 2)):
        total += word
        total = (total & 0xFFFF) + (total >> 16)
    return total


@dataclass(frozen=True)
class Wire:
    """An advert, field by field; sealed with a right checksum."""

    version: int = 3
    type: int = 1
    vrid: int = 51
    priority: int = 200
    count: int | None = None
    timing: int = 100
    """Octets 4 and 5."""
    addresses: tuple = (VIP,)
    tail: bytes = b""
    """After the addresses."""
    source: object = R1
    destination: object = GROUP
    ttl: int | None = 255
    pseudo_destination: object = None
    """The one summed, when another than the real one; ``False``: no pseudo-header."""
    corrupt: int = 0
    """Added to the checksum."""

    def payload(self):
        count = len(self.addresses) if self.count is None else self.count
        head = struct.pack("!BBBBH", self.version << 4 | self.type, self.vrid, self.priority, count, self.timing)
        body = b"".join(address.packed for address in self.addresses) + self.tail
        checksum = 0xFFFF - ones_complement_sum(self._pseudo_header(len(head) + 2 + len(body)) + head + body)
        return head + struct.pack("!H", (checksum + self.corrupt) & 0xFFFF) + body

    def _pseudo_header(self, length):
        if self.version == 2 or self.pseudo_destination is False:
            return b""
        destination = self.pseudo_destination or self.destination
        return self.source.packed + destination.packed + struct.pack("!II", length, 112)

    def datagram(self):
        return Datagram(payload=self.payload(), source=self.source, destination=self.destination, ttl=self.ttl)


V3 = Wire()
V6 = Wire(source=R1_LINK_LOCAL, destination=GROUP6, addresses=VIPS6)
V2 = Wire(version=2, timing=0x0001, tail=bytes(8))
V2_PASS = Wire(version=2, timing=0x0101, tail=b"secret\0\0")


def settings(**changes):
    return RouterSettings(**{"name": "VI_1", "interface": "eth0", "vrid": 51, "virtual_addresses": (VIP,)} | changes)


OURS = settings()
OURS6 = settings(virtual_addresses=VIPS6)
OURS_V2 = settings(version=2)
OURS_V2_PASS = settings(version=2, password=b"secret")
OURS_UNICAST = settings(unicast_peers=(R1, R3))
UNICAST = Wire(destination=R2)


def accepted(wire, router=OURS, own=()):
    return decode_untrusted(wire.datagram(), router, own)


def refused(wire, router=OURS, own=()):
    with pytest.raises(BadPacket) as caught:
        decode_untrusted(wire.datagram(), router, own)
    assert caught.value.reason in REASONS
    assert str(caught.value) == f"{caught.value.reason}: {caught.value.detail}"
    return caught.value.reason, caught.value.detail


GOOD = [(V3, OURS), (V6, OURS6), (V2, OURS_V2), (V2_PASS, OURS_V2_PASS), (UNICAST, OURS_UNICAST)]


@pytest.mark.parametrize(("wire", "router"), GOOD)
def test_a_good_advert_is_accepted_without_a_word(wire, router):
    advert, differences = accepted(wire, router, own={R2})
    assert advert == Advertisement(
        version=wire.version,
        vrid=51,
        priority=200,
        interval=1.0,
        addresses=wire.addresses,
        checksum=Checksum.PSEUDO_HEADER if router.version == 3 and router.family == 4 else None,
    )
    assert differences == ()


@pytest.mark.requirement("C-SEC-01")
@pytest.mark.parametrize("ttl", [254, 64, 1, 0])
@pytest.mark.parametrize(("wire", "router"), [(V3, OURS), (V2, OURS_V2), (UNICAST, OURS_UNICAST)])
def test_c_rx_01_ttl_other_than_255_is_discarded(wire, router, ttl):
    assert refused(replace(wire, ttl=ttl), router) == (
        "ip-ttl-errors",
        f"TTL {ttl}, must be 255: it was routed or is not VRRP",
    )


@pytest.mark.requirement("C-SEC-01")
@pytest.mark.parametrize(("limit", "said"), [(254, "254"), (64, "64"), (0, "0"), (None, "unknown")])
def test_c_rx_02_hop_limit_other_than_255_or_unknown_is_discarded(limit, said):
    assert refused(replace(V6, ttl=limit), OURS6) == (
        "ip-ttl-errors",
        f"hop limit {said}, must be 255: it was routed or is not VRRP",
    )


@pytest.mark.requirement("C-IOP-07")
@pytest.mark.parametrize("version", [0, 1, 2, 4, 15])
def test_c_rx_03_version_other_than_3_is_discarded(version):
    assert refused(replace(V3, version=version)) == ("version-errors", f"version {version}, ours is 3")
    assert refused(replace(V6, version=version), OURS6) == ("version-errors", f"version {version}, ours is 3")


@pytest.mark.requirement("C-IOP-07")
@pytest.mark.parametrize("version", [0, 1, 3, 4, 15])
def test_c_rx_03_version_other_than_2_is_discarded(version):
    assert refused(replace(V2, version=version), OURS_V2) == ("version-errors", f"version {version}, ours is 2")


@pytest.mark.parametrize("kind", [0, 2, 15])
@pytest.mark.parametrize(("wire", "router"), GOOD)
def test_c_rx_04_unknown_type_is_discarded(wire, router, kind):
    assert refused(replace(wire, type=kind), router) == (
        "invalid-type-pkts-rcvd",
        f"type {kind}, only 1 (advertisement) is known",
    )


@pytest.mark.parametrize(("wire", "router"), GOOD)
def test_c_rx_05_every_truncation_is_discarded(wire, router):
    datagram = wire.datagram()
    for length in range(len(datagram.payload)):
        with pytest.raises(BadPacket) as caught:
            decode_untrusted(replace(datagram, payload=datagram.payload[:length]), router, own=())
        assert caught.value.reason == "packet-length-errors"
        header = "a VRRP header has 8" if length < 8 else "a count of "
        assert caught.value.detail.startswith(f"{length} octets, {header}")


@pytest.mark.parametrize("surplus", [1, 2, 3, 4, 8, 16, 27, 29, 1000])
@pytest.mark.parametrize(("wire", "router"), GOOD)
def test_c_rx_06_more_octets_than_the_count_says_are_discarded(wire, router, surplus):
    reason, detail = refused(replace(wire, tail=wire.tail + bytes(surplus)), router)
    length = len(wire.payload())
    assert (reason, detail) == (
        "packet-length-errors",
        f"{length + surplus} octets, a count of {len(wire.addresses)} makes {length}",
    )


@pytest.mark.parametrize(("wire", "router"), GOOD)
def test_c_rx_06_a_surplus_of_28_octets_is_named(wire, router):
    reason, detail = refused(replace(wire, tail=wire.tail + bytes(28)), router)
    assert reason == "packet-length-errors"
    assert ": the other 28 look like an HMAC trailer" in detail


@pytest.mark.parametrize(("wire", "router"), GOOD)
@pytest.mark.parametrize("corrupt", [1, 0x100, 0x8000, 0xFFFE])
def test_c_rx_07_wrong_checksum_is_discarded(wire, router, corrupt):
    sent = (wire.payload()[6] << 8 | wire.payload()[7]) + corrupt & 0xFFFF
    assert refused(replace(wire, corrupt=corrupt), router) == (
        "checksum-errors",
        f"checksum 0x{sent:04x} is wrong in every known form",
    )


def test_c_rx_07_ipv6_without_pseudo_header_is_discarded():
    assert refused(replace(V6, pseudo_destination=False), OURS6)[0] == "checksum-errors"


def test_c_rx_07_another_destination_in_the_pseudo_header_is_discarded():
    assert refused(replace(V3, pseudo_destination=R3))[0] == "checksum-errors"
    assert refused(replace(V6, pseudo_destination=ip_address("ff02::1")), OURS6)[0] == "checksum-errors"


def test_c_pkt_09_both_forms_over_ipv4_are_accepted_and_told_apart():
    assert accepted(V3)[0].checksum is Checksum.PSEUDO_HEADER
    assert accepted(replace(V3, pseudo_destination=False))[0].checksum is Checksum.RFC9568


def test_c_pkt_09_all_three_forms_over_unicast_are_accepted():
    forms = [
        accepted(replace(UNICAST, pseudo_destination=summed), OURS_UNICAST)[0].checksum for summed in (R2, GROUP, False)
    ]
    assert forms == [Checksum.PSEUDO_HEADER, Checksum.PSEUDO_HEADER, Checksum.RFC9568]


def test_c_pkt_05_reserve_is_ignored_on_receive():
    advert, differences = accepted(replace(V3, timing=0xF064))
    assert advert.interval == 1.0
    assert differences == ()


def test_c_pkt_15_authentication_data_is_ignored_with_type_0():
    assert accepted(replace(V2, tail=b"anything"), OURS_V2) == accepted(V2, OURS_V2)


@pytest.mark.parametrize(("wire", "router"), GOOD)
@pytest.mark.parametrize("vrid", [0, 50, 255])
def test_c_rx_08_another_vrid_is_discarded(wire, router, vrid):
    assert refused(replace(wire, vrid=vrid), router) == ("vrid-errors", f"VRID {vrid}, ours is 51")


def test_c_rx_08_c_rx_21_the_same_vrid_of_the_other_family_is_discarded():
    assert refused(V6, OURS) == ("vrid-errors", "VRID 51 over IPv6, ours is over IPv4")
    assert refused(V3, OURS6) == ("vrid-errors", "VRID 51 over IPv4, ours is over IPv6")


def test_c_rx_21_ipv4_addresses_over_ipv6_are_discarded():
    assert refused(replace(V6, addresses=(VIP,)), OURS6)[0] == "packet-length-errors"
    assert refused(replace(V3, addresses=VIPS6))[0] == "packet-length-errors"


@pytest.mark.parametrize(("wire", "router"), GOOD)
def test_c_rx_09_an_owner_hears_others_and_says_so(wire, router):
    owner = replace(router, owner=True, priority=255)
    advert, differences = accepted(wire, owner)
    assert advert.priority == 200
    assert differences == (f"{wire.source} advertises priority 200, and we are the address owner (255)",)


@pytest.mark.parametrize(
    ("wire", "router"), [(V3, OURS), (V6, OURS6), (replace(V2, tail=b""), OURS_V2), (UNICAST, OURS_UNICAST)]
)
def test_c_rx_10_count_zero_is_discarded(wire, router):
    empty = replace(wire, addresses=(), tail=bytes(8) if wire.version == 2 else b"")
    assert refused(empty, router) == ("count-zero", "it carries no address, at least 1 is required")


def test_c_rx_11_interval_zero_is_discarded():
    for timing in (0x0000, 0xF000):
        said = ("interval-zero", "interval 0, at least 1 centisecond is required")
        assert refused(replace(V3, timing=timing)) == said
        assert refused(replace(V6, timing=timing), OURS6) == said


@pytest.mark.parametrize("first", ["2001:db8::1", "fd77::1", "fec0::1", "ff02::1", "::", "fe7f:ffff::1"])
def test_c_rx_12_first_ipv6_address_not_link_local_is_discarded(first):
    assert refused(replace(V6, addresses=(ip_address(first), *VIPS6)), OURS6) == (
        "first-not-link-local",
        f"first address {first} must be link-local",
    )


@pytest.mark.parametrize("first", ["fe80::", "fe80::1", "febf:ffff::1"])
def test_c_rx_12_every_link_local_address_may_be_first(first):
    assert accepted(replace(V6, addresses=(ip_address(first),)), OURS6)[0].addresses == (ip_address(first),)


@pytest.mark.parametrize(("timing", "seconds", "said"), [(1, 0.01, "0.01s"), (200, 2.0, "2s"), (4095, 40.95, "40.95s")])
def test_c_rx_13_another_interval_in_version_3_is_reported_and_adopted(timing, seconds, said):
    advert, differences = accepted(replace(V3, timing=timing))
    assert advert.interval == seconds
    assert differences == (f"interval {said}, ours is 1s",)


@pytest.mark.parametrize("seconds", [0, 2, 255])
def test_c_rx_14_another_interval_in_version_2_is_discarded(seconds):
    assert refused(replace(V2, timing=seconds), OURS_V2) == ("interval-errors", f"interval {seconds}s, ours is 1s")


def test_c_rx_15_other_addresses_in_version_3_are_reported():
    assert accepted(replace(V3, addresses=(R3, VIP)))[1] == ("addresses 10.77.0.3, 10.77.0.250, ours are 10.77.0.250",)
    assert accepted(replace(V6, addresses=VIPS6[:1]), OURS6)[1] == (
        "addresses fe80::77:250, ours are fd77::250, fe80::77:250",
    )
    assert accepted(replace(V3, addresses=(VIP, VIP)))[1] == (
        "addresses 10.77.0.250, 10.77.0.250, ours are 10.77.0.250",
    )


def test_c_rx_15_another_order_of_the_same_addresses_is_no_difference():
    assert accepted(replace(V3, addresses=(R3, VIP)), settings(virtual_addresses=(VIP, R3)))[1] == ()


@pytest.mark.parametrize(("count", "more"), [(3, ""), (4, " and 1 more"), (200, " and 197 more")])
def test_c_rx_15_a_long_list_is_cut_and_shows_first_what_differs(count, more):
    many = tuple(VIP - n for n in range(count))
    _, differences = accepted(replace(V3, addresses=(*many, R3)), settings(virtual_addresses=many))
    [said] = differences
    assert said.startswith(f"addresses 10.77.0.3, 10.77.0.250, 10.77.0.249, 10.77.0.248{more}, ours are 10.77.0.250, ")


def test_every_remark_is_reported_at_once():
    wire = replace(V3, addresses=(R3,), timing=200, priority=255)
    assert accepted(wire, settings(owner=True, priority=255))[1] == (
        "10.77.0.1 advertises priority 255, and we are the address owner (255)",
        "addresses 10.77.0.3, ours are 10.77.0.250",
        "interval 2s, ours is 1s",
    )


@pytest.mark.parametrize("priority", [0, 1, 254])
def test_c_rx_16_other_addresses_in_version_2_are_discarded(priority):
    assert refused(replace(V2, addresses=(R3,), priority=priority), OURS_V2) == (
        "address-list-errors",
        "addresses 10.77.0.3, ours are 10.77.0.250",
    )


def test_c_rx_16_other_addresses_in_version_2_from_their_owner_are_reported():
    advert, differences = accepted(replace(V2, addresses=(R3,), priority=255), OURS_V2)
    assert advert.addresses == (R3,)
    assert differences == ("addresses 10.77.0.3, ours are 10.77.0.250",)


@pytest.mark.parametrize(("auth_type", "said"), [(2, "2 (AH)"), (3, "3"), (254, "254 (Cisco MD5)"), (255, "255")])
@pytest.mark.parametrize(("wire", "router"), [(V2, OURS_V2), (V2_PASS, OURS_V2_PASS)])
def test_c_rx_17_unknown_authentication_type_is_discarded(wire, router, auth_type, said):
    assert refused(replace(wire, timing=auth_type << 8 | 1), router) == (
        "invalid-auth-type",
        f"authentication type {said}: only 0 (none) and 1 (PASS) are known",
    )


def test_c_rx_17_unconfigured_authentication_type_is_discarded():
    assert refused(V2_PASS, OURS_V2) == ("auth-type-mismatch", "authentication type 1 (PASS), ours is 0 (none)")
    assert refused(V2, OURS_V2_PASS) == ("auth-type-mismatch", "authentication type 0 (none), ours is 1 (PASS)")


@pytest.mark.parametrize(
    "data", [b"Secret\0\0", b"secret\0x", b"secret  ", b"secre\0\0\0", bytes(8), b"secretly", b"\0secret\0"]
)
def test_c_rx_18_another_password_is_discarded_and_never_shown(data):
    reason, detail = refused(replace(V2_PASS, tail=data), OURS_V2_PASS)
    assert (reason, detail) == ("auth-failures", "the password differs from ours")


def test_c_rx_18_a_password_of_8_octets_is_compared_whole():
    router = settings(version=2, password=b"12345678")
    assert accepted(replace(V2_PASS, tail=b"12345678"), router)[1] == ()
    assert refused(replace(V2_PASS, tail=b"12345679"), router)[0] == "auth-failures"


@pytest.mark.parametrize(("wire", "router"), GOOD)
def test_c_rx_22_our_own_source_is_discarded(wire, router):
    said = f"source {wire.source} is our own address: a loop, or another host uses it"
    assert refused(wire, router, own=[R2, wire.source]) == ("own-source", said)


def test_c_rx_23_a_multicast_router_discards_unicast():
    assert refused(UNICAST) == ("mode-mismatch-errors", "unicast to 10.77.0.2, ours is multicast")


def test_c_rx_23_a_unicast_router_discards_multicast():
    assert refused(V3, OURS_UNICAST) == ("mode-mismatch-errors", "multicast to 224.0.0.18, ours is unicast")


def test_c_rx_23_another_multicast_group_is_multicast():
    group = ip_address("239.1.2.3")
    assert accepted(replace(V3, destination=group), settings(multicast_group=group))[1] == ()


@pytest.mark.parametrize("router", [OURS, OURS_UNICAST])
def test_c_rx_23_an_unknown_destination_is_discarded(router):
    datagram = replace(V3.datagram(), destination=None)
    with pytest.raises(BadPacket) as caught:
        decode_untrusted(datagram, router, own=())
    assert (caught.value.reason, caught.value.detail) == (
        "mode-mismatch-errors",
        "destination unknown: the kernel did not report it",
    )


@pytest.mark.parametrize("ttl", [250, 254, 255])
def test_a_unicast_advert_may_be_routed_as_far_as_min_ttl_allows(ttl):
    assert accepted(replace(UNICAST, ttl=ttl), replace(OURS_UNICAST, min_ttl=250))


@pytest.mark.parametrize("ttl", [1, 249, 0])
def test_and_no_further(ttl):
    assert refused(replace(UNICAST, ttl=ttl), replace(OURS_UNICAST, min_ttl=250)) == (
        "ip-ttl-errors",
        f"TTL {ttl}, must be 250 or more: it was routed or is not VRRP",
    )


@pytest.mark.parametrize(("ttl", "said"), [(0, "0"), (None, "unknown")])
def test_a_ttl_that_is_unknown_is_too_low_also_where_any_is_high_enough(ttl, said):
    assert refused(replace(UNICAST, ttl=ttl), replace(OURS_UNICAST, min_ttl=1)) == (
        "ip-ttl-errors",
        f"TTL {said}, must be 1 or more: it was routed or is not VRRP",
    )


def test_min_ttl_is_nothing_to_multicast():
    assert refused(replace(V3, ttl=254), replace(OURS, min_ttl=1))[0] == "ip-ttl-errors"


def test_c_sec_03_a_unicast_source_that_is_no_peer_is_discarded():
    stranger = replace(UNICAST, source=ip_address("10.77.0.66"))
    assert refused(stranger, OURS_UNICAST) == ("peer-source-errors", "source 10.77.0.66 is not among unicast_peers")
    assert accepted(replace(UNICAST, source=R3), OURS_UNICAST)[1] == ()
