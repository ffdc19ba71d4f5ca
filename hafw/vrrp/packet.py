"""Adverts on the wire: version 2 (RFC 3768, RFC 2338) and version 3 (RFC 9568), over IPv4 and IPv6.

Octets and centiseconds appear here and nowhere else. What comes from the network enters through a function named
``_untrusted``: on any bytes it answers, or raises ``BadPacket`` with a stable reason.

A datagram is checked from the outside in, and the first failure is its reason: whose it is (our own), what its IP
header says (TTL, multicast or unicast, peer), what its first octet says (version, type), whether it is whole (length,
checksum), whether it is for us (VRID), whether it means anything (count, interval, first address), and in version 2
whether it agrees with us (authentication, addresses, interval). Version 3 only reports such disagreement.

Checksums use 2**16 = 1 (mod 65535): the one's complement sum of RFC 1071 is the remainder of the whole message read
as one number, in which an address of any length counts as that many 16-bit words. So one formula serves both
pseudo-headers.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final, Literal, get_args

from hafw.vrrp.auth import DATA_LENGTH, authentication, refusal_untrusted
from hafw.vrrp.settings import Checksum

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from hafw.vrrp.settings import IPAddress, RouterSettings

PROTOCOL: Final = 112
TTL: Final = 255
MULTICAST_GROUP: Final[dict[int, IPAddress]] = {4: IPv4Address("224.0.0.18"), 6: IPv6Address("ff02::12")}

Reason = Literal[
    "own-source",
    "ip-header-errors",
    "ip-ttl-errors",
    "mode-mismatch-errors",
    "peer-source-errors",
    "version-errors",
    "invalid-type-pkts-rcvd",
    "packet-length-errors",
    "checksum-errors",
    "vrid-errors",
    "hmac-malformed",
    "hmac-stale",
    "hmac-unknown-key",
    "hmac-invalid",
    "hmac-missing",
    "hmac-replayed",
    "goodbye-unexpected",
    "count-zero",
    "interval-zero",
    "first-not-link-local",
    "invalid-auth-type",
    "auth-type-mismatch",
    "auth-failures",
    "address-list-errors",
    "interval-errors",
]
REASONS: Final[tuple[Reason, ...]] = get_args(Reason)
"""In the order of the checks. The names are those of RFC 8347, then RFC 2787, then our own."""

TRAILER_LENGTH: Final = 28
"""Octets of the HMAC trailer, after the message."""

_ADVERTISEMENT = 1
_HEADER = struct.Struct("!BBBBHH")
_IPV4_HEADER = struct.Struct("!BBHHHBBH4s4s")
_ADDRESS_LENGTH = {4: 4, 6: 16}
_IP_HEADER_LENGTH = {4: 20, 6: 40}
_MAX_COUNT = 255
_MAX_INTERVAL_CS = 0x0FFF
_AH_PROTOCOL = 51
_FRAGMENT = 0x3FFF
_CARP_LENGTH = 36
_CARP_AUTH_WORDS = 7
_LISTED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Datagram:
    """What a socket gives: the VRRP message without its IP header. Addresses carry no scope (no ``%eth0``).

    ``ttl`` or ``destination`` is ``None`` when the kernel did not tell it; such a datagram is refused (C-RX-02).
    """

    payload: bytes
    source: IPAddress
    destination: IPAddress | None
    ttl: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Advertisement:
    """One advert that passed every check."""

    version: int
    vrid: int
    priority: int
    interval: float
    """Seconds."""
    addresses: tuple[IPAddress, ...]
    checksum: Checksum | None = None
    """Version 3 over IPv4: the form it carried, ``RFC9568`` or ``PSEUDO_HEADER``; otherwise ``None``."""


class BadPacket(Exception):  # noqa: N818 - the packet is the error, not us
    """A datagram that must be discarded; the only exception that bytes from the network can cause."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: Final = reason
        self.detail: Final = detail
        """What differs from our own configuration or from the rule, in words; never a password."""


def strip_ipv4_untrusted(packet: bytes) -> Datagram:
    """Take apart what a raw IPv4 socket gives: IP options are skipped (C-RX-24), Ethernet padding is cut (C-RX-06)."""
    if len(packet) < _IPV4_HEADER.size:
        raise BadPacket("ip-header-errors", f"{len(packet)} octets, an IPv4 header has at least 20")
    first, _, total, _, fragment, ttl, protocol, _, source, destination = _IPV4_HEADER.unpack_from(packet)
    header = (first & 0x0F) * 4
    if first >> 4 != 4 or not _IPV4_HEADER.size <= header <= total <= len(packet):
        said = f"IP version {first >> 4}, header length {header}, total length {total} in {len(packet)} octets"
        raise BadPacket("ip-header-errors", said)
    if fragment & _FRAGMENT:
        raise BadPacket("ip-header-errors", "a fragment: the sender's message exceeds its MTU")
    if protocol == _AH_PROTOCOL:
        raise BadPacket("invalid-auth-type", "AH (IP protocol 51) is not supported: use PASS or version 3 on the peer")
    if protocol != PROTOCOL:
        raise BadPacket("ip-header-errors", f"IP protocol {protocol}, VRRP is {PROTOCOL}")
    return Datagram(
        payload=packet[header:total], source=IPv4Address(source), destination=IPv4Address(destination), ttl=ttl
    )


def peek_vrid_untrusted(payload: bytes) -> int | None:
    """The VRID it claims, to find the instance to decode it with; ``None`` when it is too short to have one."""
    return payload[1] if len(payload) > 1 else None


def decode_untrusted(
    datagram: Datagram,
    settings: RouterSettings,
    own: Collection[IPAddress],
    authenticate: Callable[[bytes, bytes], None] | None = None,
) -> tuple[Advertisement, tuple[str, ...]]:
    """Check a datagram by RFC 9568 section 7.1 with its errata, or RFC 3768 section 7.1; raise only ``BadPacket``.

    ``own`` are all addresses of this host on the interface (C-RX-22). The second value says in words where the
    sender disagrees with us without being refused for it (C-RX-09, C-RX-13, C-RX-15).

    ``authenticate`` is given message and trailer (empty: there is none) and raises ``BadPacket``; without it a trailer
    is a length error.
    """
    _check_ip_header(datagram, settings, own)
    family = datagram.source.version
    payload, trailer = _split(datagram.payload, settings.version, family) if authenticate else (datagram.payload, b"")
    _check_shape(payload, settings.version, family)
    checksum = _check_checksum(datagram, len(payload), settings.version)
    _, vrid, priority, count, timing, _ = _HEADER.unpack_from(payload)
    if vrid != settings.vrid:
        raise BadPacket("vrid-errors", f"VRID {vrid}, ours is {settings.vrid}")
    if family != settings.family:
        raise BadPacket("vrid-errors", f"VRID {vrid} over IPv{family}, ours is over IPv{settings.family}")
    if authenticate:
        authenticate(payload, trailer)
    if count == 0:
        raise BadPacket("count-zero", "it carries no address, at least 1 is required")
    if settings.version == 2:
        interval = _read_v2(payload, timing, settings.password)
    else:
        interval = _read_v3(payload, timing, family)
    advert = Advertisement(
        version=settings.version,
        vrid=vrid,
        priority=priority,
        interval=interval,
        addresses=_addresses(payload, count, family),
        checksum=checksum,
    )
    return advert, tuple(_disagreements(advert, datagram.source, settings))


def encode(
    settings: RouterSettings, priority: int, source: IPAddress, destination: IPAddress, checksum: Checksum
) -> bytes:
    """Return the message to send, without IP header; ``AUTO`` that the caller left unresolved is ``PSEUDO_HEADER``.

    ``checksum`` matters in version 3 over IPv4 only: IPv6 always has the pseudo-header (C-PKT-07), version 2 never
    (C-PKT-10).
    """
    addresses = settings.virtual_addresses
    assert 1 <= settings.vrid <= 255
    assert 0 <= priority <= 255
    assert 1 <= len(addresses) <= _MAX_COUNT
    if settings.version == 2:
        auth_type, auth_data = authentication(settings.password)
        timing = auth_type << 8 | _in_range(round(settings.advertisement_interval), 255)
    else:
        auth_data = b""
        timing = _in_range(_centiseconds(settings.advertisement_interval), _MAX_INTERVAL_CS)
    first = settings.version << 4 | _ADVERTISEMENT
    header = _HEADER.pack(first, settings.vrid, priority, len(addresses), timing, 0)
    message = header + b"".join([address.packed for address in addresses]) + auth_data
    total = int.from_bytes(message, "big")
    if settings.version == 3 and (settings.family == 6 or checksum is not Checksum.RFC9568):
        total += _pseudo_header(source, destination, len(message))
    return _with_checksum(message, total)


def with_trailer(message: bytes, trailer: bytes, source: IPAddress, destination: IPAddress) -> bytes:
    """Append an HMAC trailer. Over IPv4 the checksum does not cover it, over IPv6 that of the whole payload does."""
    if source.version == 4:
        return message + trailer
    whole = message[:6] + b"\0\0" + message[8:] + trailer
    return _with_checksum(whole, int.from_bytes(whole, "big") + _pseudo_header(source, destination, len(whole)))


def _with_checksum(message: bytes, total: int) -> bytes:
    """``total``: the one's complement sum with a checksum of zero, not yet reduced."""
    return message[:6] + (-total % 0xFFFF).to_bytes(2, "big") + message[8:]


def virtual_mac(vrid: int, family: int) -> bytes:
    """RFC 9568 section 7.3 (C-PKT-18)."""
    return bytes((0x00, 0x00, 0x5E, 0x00, 0x01 if family == 4 else 0x02, vrid))


def max_addresses(version: int, family: int, mtu: int) -> int:
    """How many addresses an advert can carry unfragmented (C-PKT-19)."""
    fixed = _IP_HEADER_LENGTH[family] + _message_length(version, family, 0)
    return max(0, min(_MAX_COUNT, (mtu - fixed) // _ADDRESS_LENGTH[family]))


def _check_ip_header(datagram: Datagram, settings: RouterSettings, own: Collection[IPAddress]) -> None:
    source, destination = datagram.source, datagram.destination
    if source in own:
        raise BadPacket("own-source", f"source {source} is our own address: a loop, or another host uses it")
    if (datagram.ttl or 0) < (least := settings.min_ttl if settings.unicast_peers else TTL):
        name = "TTL" if source.version == 4 else "hop limit"
        said = "unknown" if datagram.ttl is None else datagram.ttl
        wanted = least if least == TTL else f"{least} or more"
        raise BadPacket("ip-ttl-errors", f"{name} {said}, must be {wanted}: it was routed or is not VRRP")
    if destination is None:
        raise BadPacket("mode-mismatch-errors", "destination unknown: the kernel did not report it")
    if not settings.unicast_peers:
        if not destination.is_multicast:
            raise BadPacket("mode-mismatch-errors", f"unicast to {destination}, ours is multicast")
    elif destination.is_multicast:
        raise BadPacket("mode-mismatch-errors", f"multicast to {destination}, ours is unicast")
    elif source not in settings.unicast_peers:
        raise BadPacket("peer-source-errors", f"source {source} is not among unicast_peers")


def _check_shape(payload: bytes, version: int, family: int) -> None:
    """Refuse another version, another type, and a length that is not exactly what the count says (C-RX-03 to 06)."""
    length = len(payload)
    if length == 0:
        raise BadPacket("packet-length-errors", "0 octets, a VRRP header has 8")
    if payload[0] >> 4 != version:
        said = f"version {payload[0] >> 4}, ours is {version}"
        raise BadPacket("version-errors", f"{said}: {_CARP}" if _is_carp(payload) else said)
    if payload[0] & 0x0F != _ADVERTISEMENT:
        said = f"type {payload[0] & 0x0F}, only {_ADVERTISEMENT} (advertisement) is known"
        raise BadPacket("invalid-type-pkts-rcvd", said)
    if length < _HEADER.size:
        raise BadPacket("packet-length-errors", f"{length} octets, a VRRP header has {_HEADER.size}")
    if length != _message_length(version, family, payload[3]):
        raise BadPacket("packet-length-errors", _length_detail(payload, version, family))


def _split(payload: bytes, version: int, family: int) -> tuple[bytes, bytes]:
    """Message and trailer; whatever has not exactly the octets of both is a message, and refused for its length."""
    length = _message_length(version, family, payload[3]) if len(payload) >= _HEADER.size else len(payload)
    return (payload[:length], payload[length:]) if len(payload) == length + TRAILER_LENGTH else (payload, b"")


def _message_length(version: int, family: int, count: int) -> int:
    return _HEADER.size + count * _ADDRESS_LENGTH[family] + (DATA_LENGTH if version == 2 else 0)


def _length_detail(payload: bytes, version: int, family: int) -> str:
    expected = _message_length(version, family, payload[3])
    said = f"{len(payload)} octets, a count of {payload[3]} makes {expected}"
    if _is_carp(payload):
        return f"{said}: {_CARP}"
    if len(payload) == expected + TRAILER_LENGTH:
        return f'{said}: the other {TRAILER_LENGTH} look like an HMAC trailer, for auth = {{ type = "hmac", ... }}'
    return said


_CARP = "this is CARP, not VRRP, with the same protocol number and virtual MAC: give it another VHID than our VRID"


def _is_carp(payload: bytes) -> bool:
    """Whether this is CARP's only message, which opens like VRRPv2.

    Octets: version 2 and type 1, VHID, advskew, length of the rest in words (7), demotion, advbase, checksum,
    counter (8), SHA-1 HMAC (20). VRRPv2 with a count of 7 has 44 octets, never 36.
    """
    return len(payload) == _CARP_LENGTH and payload[0] == 0x21 and payload[3] == _CARP_AUTH_WORDS


def _check_checksum(datagram: Datagram, message_length: int, version: int) -> Checksum | None:
    """Verify the checksum, and tell its form where two are in use.

    What comes after the message, an HMAC trailer, counts over IPv6 only.

    Version 3 over IPv4 also passes with 224.0.0.18 in the pseudo-header of a unicast advert, as keepalived sends it
    up to 1.3.6 and with ``old_unicast_checksum``. No form contains the other, so each one accepted costs 1 undetected
    error in 65536.
    """
    source, destination = datagram.source, datagram.destination
    assert destination is not None
    length = len(datagram.payload) if source.version == 6 else message_length
    total = int.from_bytes(datagram.payload[:length], "big")
    if version == 2:
        if total % 0xFFFF == 0:
            return None
    elif source.version == 6:
        if (total + _pseudo_header(source, destination, length)) % 0xFFFF == 0:
            return None
    else:
        for group in (destination, MULTICAST_GROUP[4]):
            if (total + _pseudo_header(source, group, length)) % 0xFFFF == 0:
                return Checksum.PSEUDO_HEADER
        if total % 0xFFFF == 0:
            return Checksum.RFC9568
    raise BadPacket("checksum-errors", f"checksum 0x{datagram.payload[6:8].hex()} is wrong in every known form")


def _pseudo_header(source: IPAddress, destination: IPAddress, length: int) -> int:
    """Return the pseudo-header's one's complement sum, not yet reduced (RFC 8200 section 8.1, and IPv4's alike)."""
    return int(source) + int(destination) + PROTOCOL + length


def _read_v2(payload: bytes, timing: int, password: bytes | None) -> float:
    """Check the authentication; return the interval in seconds."""
    refusal = refusal_untrusted(timing >> 8, payload[-DATA_LENGTH:], password)
    if refusal is not None:
        raise BadPacket(*refusal)
    return float(timing & 0xFF)


def _read_v3(payload: bytes, timing: int, family: int) -> float:
    """Check errata 8301 and 8300; return the interval in seconds. The Reserve nibble is ignored (C-PKT-05)."""
    interval_cs = timing & _MAX_INTERVAL_CS
    if interval_cs == 0:
        raise BadPacket("interval-zero", "interval 0, at least 1 centisecond is required")
    if family == 6 and not (payload[8] == 0xFE and payload[9] & 0xC0 == 0x80):
        raise BadPacket("first-not-link-local", f"first address {IPv6Address(payload[8:24])} must be link-local")
    return interval_cs / 100


def _addresses(payload: bytes, count: int, family: int) -> tuple[IPAddress, ...]:
    if family == 4:
        return tuple(map(IPv4Address, struct.unpack_from(f"!{count}I", payload, _HEADER.size)))
    return tuple([IPv6Address(payload[at : at + 16]) for at in range(_HEADER.size, _HEADER.size + 16 * count, 16)])


def _disagreements(advert: Advertisement, source: IPAddress, settings: RouterSettings) -> list[str]:
    """What differs from our configuration; version 2 refuses what version 3 only reports.

    The order of the addresses is a recommendation (C-PKT-13), so it is no difference. An owner still hears others
    (erratum 8298).
    """
    found = []
    if settings.owner:
        found.append(f"{source} advertises priority {advert.priority}, and we are the address owner (255)")
    ours = settings.virtual_addresses
    if advert.addresses != ours and sorted(map(int, advert.addresses)) != sorted(map(int, ours)):
        said = f"addresses {_listed(advert.addresses, ours)}, ours are {_listed(ours, advert.addresses)}"
        if advert.version == 2 and advert.priority != 255:
            raise BadPacket("address-list-errors", said)
        found.append(said)
    if _centiseconds(advert.interval) != _centiseconds(settings.advertisement_interval):
        said = f"interval {advert.interval:g}s, ours is {settings.advertisement_interval:g}s"
        if advert.version == 2:
            raise BadPacket("interval-errors", said)
        found.append(said)
    return found


def _listed(addresses: Sequence[IPAddress], others: Sequence[IPAddress]) -> str:
    """A few of them, those that the others lack first: a line of 255 addresses would hide the one that matters."""
    ranked = sorted(addresses, key=set(others).__contains__)
    more = len(ranked) - _LISTED
    return ", ".join(map(str, ranked[:_LISTED])) + (f" and {more} more" if more > 0 else "")


def _centiseconds(seconds: float) -> int:
    return round(seconds * 100)


def _in_range(units: int, maximum: int) -> int:
    assert 1 <= units <= maximum
    return units
