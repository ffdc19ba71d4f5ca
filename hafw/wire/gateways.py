"""The default gateway of one interface: a single question to the kernel, however many routes there are."""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafw.vrrp.settings import IPAddress

_NLMSG = struct.Struct("=IHHII")
_RTMSG = struct.Struct("=BBBBBBBBI")
_ATTRIBUTE = struct.Struct("=HH")
_NEXT_HOP = struct.Struct("=HBBi")
_NEWROUTE, _GETROUTE, _REQUEST = 24, 26, 1
_FIB_MATCH: Final = 0x2000
"""RTM_F_FIB_MATCH (Linux 4.13): answer with the route itself, not with what it makes of this destination."""
_DST, _OIF, _GATEWAY, _MULTIPATH = 1, 4, 5, 9
_NOWHERE: Final[dict[int, IPv4Address | IPv6Address]] = {4: IPv4Address("240.0.0.1"), 6: IPv6Address("3fff:ff00::1")}
"""Addresses that nobody has: only a default route leads there."""
_LONGEST: Final = {4: 1, 6: 3}
"""Prefix length of what still counts as one: VPNs halve 0/0, and 2000::/3 is all of the IPv6 internet."""
IPV4_LENGTH = 4
_TIMEOUT = 2.0
_RECEIVE_SIZE = 65536


def default_gateway(ifindex: int, family: int) -> IPAddress | None:
    """The next hop of the default route that leaves by this interface; ``None``: there is none. Raises ``OSError``."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as asked:
        asked.settimeout(_TIMEOUT)
        asked.bind((0, 0))
        asked.send(request(ifindex, family))
        return parse_untrusted(asked.recv(_RECEIVE_SIZE), ifindex)


def request(ifindex: int, family: int) -> bytes:
    """RTM_GETROUTE for one destination and one interface."""
    address = _NOWHERE[family].packed
    number = socket.AF_INET if family == 4 else socket.AF_INET6
    body = _RTMSG.pack(number, len(address) * 8, 0, 0, 0, 0, 0, 0, _FIB_MATCH)
    body += _attribute(_DST, address) + _attribute(_OIF, struct.pack("=i", ifindex))
    return _NLMSG.pack(_NLMSG.size + len(body), _GETROUTE, _REQUEST, 1, 0) + body


def parse_untrusted(data: bytes, ifindex: int) -> IPAddress | None:
    """The gateway in the kernel's answer; ``None``: an error, another route, or damage. Raises nothing."""
    try:
        length, kind, *_ = _NLMSG.unpack_from(data)
        if kind != _NEWROUTE:
            return None
        family, prefix, *_ = _RTMSG.unpack_from(data, _NLMSG.size)
        version = {int(socket.AF_INET): 4, int(socket.AF_INET6): 6}[family]
        if prefix > _LONGEST[version]:
            return None
        return _next_hop(dict(_attributes(data[_NLMSG.size + _RTMSG.size : length])), ifindex)
    except (struct.error, KeyError, ValueError):
        return None


def _next_hop(route: dict[int, bytes], ifindex: int) -> IPAddress | None:
    if _MULTIPATH in route:
        hops = dict(_next_hops(route[_MULTIPATH]))
        return _gateway(hops.get(ifindex, {}))
    if struct.unpack("=i", route[_OIF])[0] != ifindex:
        return None
    return _gateway(route)


def _gateway(route: dict[int, bytes]) -> IPAddress | None:
    """RTA_VIA is not read: an IPv4 route by way of an IPv6 router has no gateway that ARP could ask."""
    packed = route.get(_GATEWAY, b"")
    if not packed:
        return None
    return IPv4Address(packed) if len(packed) == IPV4_LENGTH else IPv6Address(packed)


def _next_hops(data: bytes) -> Iterator[tuple[int, dict[int, bytes]]]:
    while data:
        length, _, _, ifindex = _NEXT_HOP.unpack_from(data)
        if length < _NEXT_HOP.size:
            return
        yield ifindex, dict(_attributes(data[_NEXT_HOP.size : length]))
        data = data[-(-length // 4) * 4 :]


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if length < _ATTRIBUTE.size:
            return
        yield kind & 0x3FFF, data[_ATTRIBUTE.size : length]
        data = data[-(-length // 4) * 4 :]


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value
