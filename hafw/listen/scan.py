"""Which VRIDs are in use, by adverts and by the virtual MACs that other protocols share, and which one is free."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final

from hafw.listen.link import ARP, IPV6, link_untrusted

if TYPE_CHECKING:
    from collections.abc import Collection

    from hafw.listen.capture import Frame
    from hafw.vrrp.settings import IPAddress

_VIRTUAL: Final = {b"\x00\x00\x5e\x00\x01": 4, b"\x00\x00\x5e\x00\x02": 6}
"""RFC 9568 section 7.3: what comes before the VRID, and for which family."""
_FIRST: Final = 10
"""Lower ones are what examples, routers and appliances come with."""
_USUAL: Final = frozenset({50, 51, 100, 200})
"""keepalived's examples: the next one that is copied onto this segment has them."""
_ICMPV6, _NEIGHBOUR_ADVERTISEMENT = 58, 136
_MAC_LENGTH: Final = 6


def virtual_mac_untrusted(mac: bytes) -> tuple[int, int] | None:
    """Family and VRID of a virtual router's MAC; ``None``: it is an ordinary one."""
    family = _VIRTUAL.get(mac[:5])
    return None if family is None or len(mac) != _MAC_LENGTH or mac[5] == 0 else (family, mac[5])


def claim_untrusted(frame: Frame) -> tuple[int, int, IPAddress] | None:
    """Family, VRID and address of an ARP packet or NA from a virtual MAC: a VRID in use, whatever protocol it is."""
    link = link_untrusted(frame)
    if link is None or link.outgoing:
        return None
    try:
        if link.ethertype == ARP:
            mac, address = struct.unpack_from("!8x6s4s", link.payload)
            found = virtual_mac_untrusted(mac)
            return None if found is None else (*found, IPv4Address(address))
        following, kind, target = struct.unpack_from("!6xB33xB7x16s", link.payload)
    except struct.error:
        return None
    found = virtual_mac_untrusted(link.source)
    if found is None or (link.ethertype, following, kind) != (IPV6, _ICMPV6, _NEIGHBOUR_ADVERTISEMENT):
        return None
    return (*found, IPv6Address(target))


def free_vrid(used: Collection[int]) -> int | None:
    """A VRID that nobody uses and nobody is likely to; ``None``: all 255 are taken."""
    likely = [*range(_FIRST, 256), *range(1, _FIRST)]
    ranked = sorted(likely, key=_USUAL.__contains__)
    return next((vrid for vrid in ranked if vrid not in used), None)
