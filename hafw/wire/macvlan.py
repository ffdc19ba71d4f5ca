"""A macvlan: a device on an interface, with a MAC of its own. The requests that make one, and what it needs.

In bridge mode. In private mode the kernel gives a frame that has the MAC of one of its devices as its source to that
device alone: a MASTER would not hear on its interface the adverts of another one, which have the same MAC.

Its interface must not answer for the addresses on it, nor it for those of its interface: ``arp_ignore`` 1 on both.
What its interface asks must not come from them: ``arp_announce`` 2. What comes in by it is answered by its interface,
which strict ``rp_filter`` takes for forged: 2, which outdoes a strict setting for all interfaces.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hafw.wire import rtmessages
from hafw.wire.rtmessages import attribute

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hafw.wire.rtmessages import Link, Request

FORWARDING: Final = 1
RP_FILTER: Final = 8
ARP_ANNOUNCE: Final = 18
ARP_IGNORE: Final = 19
NAMES: Final = {
    FORWARDING: "forwarding",
    RP_FILTER: "rp_filter",
    ARP_ANNOUNCE: "arp_announce",
    ARP_IGNORE: "arp_ignore",
}
"""Of ``net.ipv4.conf``, by the kernel's numbers."""
ON_PARENT: Final = {ARP_IGNORE: 1, ARP_ANNOUNCE: 2}
"""At least."""
ON_DEVICE: Final = {ARP_IGNORE: 1, ARP_ANNOUNCE: 2, RP_FILTER: 2}

_PREFIX = "00:00:5e:00:0"
"""RFC 9568 section 7.3, of both families."""
_INFO_DATA, _MACVLAN_MODE, _BRIDGE = 2, 1, 4
_INET6_ADDR_GEN_MODE, _NONE = 8, 1
_IFALIAS = 20
_U32 = struct.Struct("=I")


_SYS, _ALL = Path("/sys/class/net"), Path("/proc/sys/net/ipv4/conf/all")


def misfit(link: Link) -> str:
    """Why an interface can have no device with another MAC; empty: it can, as far as can be seen."""
    if link.kind in {"macvlan", "macvtap", "ipvlan"}:
        return (
            f"is itself of kind {link.kind}, which has one MAC: the router has to run where the interface below it is"
        )
    if (_SYS / link.name / "wireless").exists() or (_SYS / link.name / "phy80211").exists():
        return "is wireless, and an access point takes one MAC from each station"
    return "" if link.mac.strip("0:") else "is no Ethernet interface"


def deaf_host() -> str:
    """What keeps every device from answering for its IPv4 addresses; empty: nothing."""
    for name, most in {"arp_filter": 0, "arp_ignore": 1}.items():
        with contextlib.suppress(OSError, ValueError):
            value = int((_ALL / name).read_text())
            if value > most:
                rule = "no device with a virtual MAC would answer ARP"
                return (
                    f"net.ipv4.conf.all.{name} = {value}: {rule}: set it to 0, and to what you need on each interface"
                )
    return ""


def has_virtual_mac(link: Link) -> bool:
    """Whether it is a device such as we make: its MAC is not this host's alone."""
    return link.kind == "macvlan" and link.mac.startswith(_PREFIX)


def make_request(name: str, parent: int, mac: bytes) -> Request:
    """Make one, down."""
    kind = attribute(rtmessages.IFLA_INFO_KIND, b"macvlan")
    mode = attribute(_INFO_DATA, attribute(_MACVLAN_MODE, _U32.pack(_BRIDGE)))
    attributes = (
        attribute(rtmessages.IFLA_IFNAME, name.encode() + b"\0")
        + attribute(rtmessages.IFLA_LINK, _U32.pack(parent))
        + attribute(rtmessages.IFLA_ADDRESS, mac)
        + attribute(rtmessages.IFLA_LINKINFO, kind + mode)
    )
    return rtmessages.link_request(0, attributes, new=True)


def no_identifier_request(ifindex: int) -> Request:
    """Let the kernel derive no link-local address from its MAC (C-ND-16)."""
    none = attribute(socket.AF_INET6, attribute(_INET6_ADDR_GEN_MODE, bytes([_NONE])))
    return rtmessages.link_request(ifindex, attribute(rtmessages.IFLA_AF_SPEC, none))


def alias_request(ifindex: int, text: str) -> Request:
    """Say what it is for, to whoever looks at the host."""
    return rtmessages.link_request(ifindex, attribute(_IFALIAS, text.encode()))


def device_settings(parent: Link) -> Mapping[int, int]:
    """What it needs of ``net.ipv4.conf``; it forwards if its parent does (C-FWD-01)."""
    return {**ON_DEVICE, FORWARDING: parent.setting(FORWARDING)}
