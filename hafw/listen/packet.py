"""Frames to the VRRP messages in them, as a router's socket would get them, or the reason why it would not.

What is checked here is what the kernel checks before a socket sees a packet, and what ``strip_ipv4_untrusted`` refuses.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final

from hafw.listen.link import IPV4, IPV6, Link, link_untrusted
from hafw.vrrp.packet import PROTOCOL, BadPacket, Datagram, strip_ipv4_untrusted

if TYPE_CHECKING:
    from hafw.listen.capture import Frame
    from hafw.listen.fragments import Fragments
    from hafw.vrrp.settings import IPAddress

_AUTHENTICATION_HEADER: Final = 51
_HOP_BY_HOP, _ROUTING, _FRAGMENT, _DESTINATION_OPTIONS = 0, 43, 44, 60
_OPTIONS: Final = (_HOP_BY_HOP, _ROUTING, _DESTINATION_OPTIONS)
_EXTENSIONS_MAX: Final = 8
_IPV4: Final = struct.Struct("!BBHHHBBH4s4s")
_IPV6: Final = struct.Struct("!IHBB16s16s")
_OFFSET, _MORE = 0x1FFF, 0x2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """One packet of protocol 112, or of AH around it."""

    time: float
    interface: str
    link: Link
    source: IPAddress
    destination: IPAddress
    ttl: int
    payload: bytes
    """The message, as much of it as there is."""
    refusal: BadPacket | None = None
    """Why no socket would give it to anybody."""
    cut: int = 0
    """Octets that the capture did not keep: then nothing can be said about it."""
    pieces: int = 1
    """How many fragments it came in."""
    options: bool = False
    """IP options, or IPv6 extension headers."""
    authentication_header: bool = False

    @property
    def datagram(self) -> Datagram:
        """What a socket gives of it."""
        return Datagram(payload=self.payload, source=self.source, destination=self.destination, ttl=self.ttl)


def packet_untrusted(frame: Frame, fragments: Fragments) -> Packet | None:
    """``None``: something else, too short to tell, or a fragment whose other pieces have not come yet."""
    link = link_untrusted(frame)
    if link is None:
        return None
    try:
        if link.ethertype == IPV4:
            return _ipv4(frame, link, fragments)
        return _ipv6(frame, link, fragments) if link.ethertype == IPV6 else None
    except (struct.error, IndexError):
        return None


def _ipv4(frame: Frame, link: Link, fragments: Fragments) -> Packet | None:
    octets = link.payload
    first, _, total, identity, fragment, ttl, protocol, _, source, destination = _IPV4.unpack_from(octets)
    header = (first & 0x0F) * 4
    inner = protocol == _AUTHENTICATION_HEADER and not fragment & _OFFSET and octets[header] == PROTOCOL
    if protocol != PROTOCOL and not inner:
        return None
    before = header + (octets[header + 1] + 2) * 4 if inner else header
    packet = Packet(
        time=frame.time,
        interface=frame.interface,
        link=link,
        source=IPv4Address(source),
        destination=IPv4Address(destination),
        ttl=ttl,
        payload=octets[before:total],
        options=header > _IPV4.size,
        authentication_header=inner,
    )
    if total > len(octets) and frame.length > len(frame.data):
        return replace(packet, cut=total - len(octets))
    if not fragment & (_OFFSET | _MORE) or not _IPV4.size <= header <= total <= len(octets):
        return _stripped(packet, octets, header)
    return _gathered(packet, (source, destination, identity, protocol), fragment, fragments)


def _gathered(packet: Packet, identity: tuple[object, ...], fragment: int, fragments: Fragments) -> Packet | None:
    offset, more = (fragment & _OFFSET) * 8, bool(fragment & _MORE)
    whole = fragments.add(identity, offset, packet.payload, last=not more)
    return None if whole is None else replace(packet, payload=whole[0], pieces=whole[1])


def _stripped(packet: Packet, octets: bytes, header: int) -> Packet:
    """As a raw socket's reader judges it, after the kernel did."""
    try:
        datagram = strip_ipv4_untrusted(octets)
    except BadPacket as bad:
        return replace(packet, refusal=bad)
    if int.from_bytes(octets[:header], "big") % 0xFFFF:
        said = f"the checksum of the IPv4 header, 0x{octets[10:12].hex()}, is wrong: the kernel drops it"
        return replace(packet, refusal=BadPacket("ip-header-errors", said))
    return replace(packet, payload=datagram.payload)


def _ipv6(frame: Frame, link: Link, fragments: Fragments) -> Packet | None:
    first, length, following, hop_limit, source, destination = _IPV6.unpack_from(link.payload)
    packet = Packet(
        time=frame.time,
        interface=frame.interface,
        link=link,
        source=IPv6Address(source),
        destination=IPv6Address(destination),
        ttl=hop_limit,
        payload=link.payload[_IPV6.size : _IPV6.size + length],
    )
    missing = length - len(packet.payload)
    if missing and frame.length > len(frame.data):
        packet = replace(packet, cut=missing)
    elif missing or first >> 28 != 6:
        said = f"IP version {first >> 28}, payload length {length} in {len(packet.payload)} octets"
        packet = replace(packet, refusal=BadPacket("ip-header-errors", said))
    return _beyond_extensions(packet, following, fragments)


def _beyond_extensions(packet: Packet, following: int, fragments: Fragments) -> Packet | None:
    """The message behind any extension headers; ``None`` when something else is there."""
    for _ in range(_EXTENSIONS_MAX):
        payload = packet.payload
        if following == PROTOCOL:
            return packet
        if following in _OPTIONS:
            following, rest = payload[0], payload[(payload[1] + 1) * 8 :]
            packet = replace(packet, payload=rest, options=True)
        elif following == _AUTHENTICATION_HEADER:
            following, rest = payload[0], payload[(payload[1] + 2) * 4 :]
            packet = replace(packet, payload=rest, authentication_header=True)
        elif following == _FRAGMENT and not packet.cut:
            following, _, place, identity = struct.unpack_from("!BBHI", payload)
            offset, more = place >> 3, place & 1
            if following == PROTOCOL or offset == 0:
                packet = replace(packet, payload=payload[8:])
                names = (packet.source, packet.destination, identity)
                whole = _gathered(packet, names, offset | (_MORE if more else 0), fragments)
                if whole is None:
                    return None
                packet = whole
        else:
            return None
    return None
