"""Adverts as whole Ethernet frames, for those that leave with another MAC than the interface's.

The kernel would send from a virtual MAC by the device that has it only: not before it is up, and over IPv6 not with
the address of another interface. So these are built here and sent below it.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from hafw.vrrp.packet import PROTOCOL, TTL

if TYPE_CHECKING:
    from hafw.vrrp.settings import IPAddress

INTERNET_CONTROL: Final = 0xC0
"""TOS and traffic class (C-PKT-21)."""

ETHERNET: Final = struct.Struct("!6s6sH")
"""To, from, type."""
ARP: Final = struct.Struct("!HHBBH6s4s6s4s")
IPV4: Final = struct.Struct("!BBHHHBBH4s4s")
"""Without options."""
IPV6: Final = struct.Struct("!IHBB16s16s")
TYPE_ARP: Final = 0x0806
TYPE_OF_IP: Final = {4: 0x0800, 6: 0x86DD}
ARP_OF_IPV4: Final = (1, 0x0800, 6, 4)
"""Hardware and protocol, and the lengths of their addresses: how each ARP packet that is ours to read begins."""
ICMPV6: Final = 58
NEIGHBOUR_ADVERTISEMENT: Final = 136
_VERSION_AND_LENGTH, _DO_NOT_FRAGMENT = 0x45, 0x4000


def advert_frame(message: bytes, source: IPAddress, group: IPAddress, mac: bytes) -> bytes:
    """To a multicast group, in one piece: whoever is to hear it must not need to put it together."""
    if source.version == 4:
        head = ipv4_header(len(message), (source.packed, group.packed), PROTOCOL, ttl=TTL, tos=INTERNET_CONTROL)
    else:
        head = IPV6.pack(6 << 28 | INTERNET_CONTROL << 20, len(message), PROTOCOL, TTL, source.packed, group.packed)
    return ETHERNET.pack(multicast_mac(group), mac, TYPE_OF_IP[source.version]) + head + message


def multicast_mac(group: IPAddress) -> bytes:
    """RFC 1112 section 6.4, RFC 2464 section 7."""
    if group.version == 4:
        return b"\x01\x00\x5e" + (int(group) & 0x7FFFFF).to_bytes(3, "big")
    return b"\x33\x33" + group.packed[-4:]


def ipv4_header(length: int, ends: tuple[bytes, bytes], protocol: int, *, ttl: int, tos: int = 0) -> bytes:
    """For so many octets from one end to the other, in one piece, which needs no identification (RFC 6864)."""
    fields = (_VERSION_AND_LENGTH, tos, IPV4.size + length, 0, _DO_NOT_FRAGMENT, ttl, protocol)
    checksum = int.from_bytes(internet_checksum(IPV4.pack(*fields, 0, *ends)), "big")
    return IPV4.pack(*fields, checksum, *ends)


def internet_checksum(data: bytes) -> bytes:
    """RFC 1071; of an even number of octets."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    return (-total % 0xFFFF).to_bytes(2, "big")
