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

_ETHERTYPE = {4: b"\x08\x00", 6: b"\x86\xdd"}
_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_VERSION_AND_LENGTH, _DO_NOT_FRAGMENT = 0x45, 0x4000


def advert_frame(message: bytes, source: IPAddress, group: IPAddress, mac: bytes) -> bytes:
    """To a multicast group, in one piece: whoever is to hear it must not need to put it together."""
    if source.version == 4:
        head = _ipv4_header(len(message), source.packed, group.packed)
    else:
        head = _IPV6.pack(6 << 28 | INTERNET_CONTROL << 20, len(message), PROTOCOL, TTL, source.packed, group.packed)
    return multicast_mac(group) + mac + _ETHERTYPE[source.version] + head + message


def multicast_mac(group: IPAddress) -> bytes:
    """RFC 1112 section 6.4, RFC 2464 section 7."""
    if group.version == 4:
        return b"\x01\x00\x5e" + (int(group) & 0x7FFFFF).to_bytes(3, "big")
    return b"\x33\x33" + group.packed[-4:]


def _ipv4_header(length: int, source: bytes, destination: bytes) -> bytes:
    """Without options, and without an identification, which a packet in one piece needs none of (RFC 6864)."""
    length += _IPV4.size
    fields = (_VERSION_AND_LENGTH, INTERNET_CONTROL, length, 0, _DO_NOT_FRAGMENT, TTL, PROTOCOL)
    total = sum(struct.unpack("!10H", _IPV4.pack(*fields, 0, source, destination)))
    return _IPV4.pack(*fields, -total % 0xFFFF, source, destination)
