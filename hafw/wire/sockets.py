"""VRRP's own sockets: protocol 112, one per interface, family and group.

Nothing here blocks: an advert that cannot leave now is an error for the caller to count, not something to wait for.
"""

from __future__ import annotations

import socket
import struct
from collections import Counter
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final, Self

from hafw.vrrp.packet import PROTOCOL, TTL, BadPacket, Datagram, strip_ipv4_untrusted
from hafw.wire import options

if TYPE_CHECKING:
    from collections.abc import Collection

    from hafw.vrrp.settings import IPAddress

INTERNET_CONTROL: Final = 0xC0
"""TOS and traffic class (C-PKT-21)."""

_IP_PKTINFO, _IP_MULTICAST_ALL = 8, 49
_IPV6_MULTICAST_ALL = 29
_IN_PKTINFO = struct.Struct("=i4s4s")
_IN6_PKTINFO = struct.Struct("=16sI")
_HOP_LIMIT = struct.Struct("=i")
_RECEIVE_SIZE = 65536
_ANCILLARY_SIZE = socket.CMSG_SPACE(_IN6_PKTINFO.size) + socket.CMSG_SPACE(_HOP_LIMIT.size)
_BUFFER_SIZE = 1 << 20
"""Some thousand adverts: what arrives while the process is paused must be there when it continues."""


class VrrpSocket:
    """Sends and receives VRRP messages on one interface, of one family.

    ``undecodable`` counts, by reason, the datagrams whose IP header could not be read.
    """

    def __init__(self, opened: socket.socket, ifindex: int, family: int, group: IPAddress | None) -> None:
        self.ifindex = ifindex
        self.family = family
        self.group = group
        self.undecodable: Counter[str] = Counter()
        self._socket = opened

    @classmethod
    def open(cls, interface: str, ifindex: int, family: int, group: IPAddress | None) -> Self:
        """Bound to the interface, and in the group when there is one; raises ``OSError``.

        Until it is bound it would hear every interface, so a filter passes nothing until then.
        """
        domain = socket.AF_INET if family == 4 else socket.AF_INET6
        opened = socket.socket(domain, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, PROTOCOL)
        try:
            options.attach_filter(opened, [options.DISCARD])
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
            options.set_receive_buffer(opened, _BUFFER_SIZE)
            (_prepare_ipv4 if family == 4 else _prepare_ipv6)(opened, ifindex, group)
            options.attach_filter(opened, [options.ACCEPT])
        except OSError:
            opened.close()
            raise
        return cls(opened, ifindex, family, group)

    @classmethod
    def adopt(cls, descriptor: int, ifindex: int, family: int, group: IPAddress | None) -> Self:
        """One that another process opened; its queue, its filter and its membership go on."""
        return cls(socket.socket(fileno=descriptor), ifindex, family, group)

    def fileno(self) -> int:
        """To wait on, and to duplicate."""
        return self._socket.fileno()

    def close(self) -> None:
        """Leave the group and close."""
        self._socket.close()

    def limit_to(self, vrids: Collection[int]) -> None:
        """Hear these VRIDs only, from now on: the kernel drops the others before they wake anybody."""
        options.attach_filter(self._socket, vrid_filter(self.family, vrids))

    def send(self, payload: bytes, source: IPAddress, destination: IPAddress) -> None:
        """Send at once or raise ``OSError``. ``source`` is an address of ours, never a virtual one."""
        if isinstance(source, IPv4Address):
            control = (socket.IPPROTO_IP, _IP_PKTINFO, _IN_PKTINFO.pack(self.ifindex, source.packed, bytes(4)))
            self._socket.sendmsg([payload], [control], 0, (str(destination), 0))
        else:
            info = _IN6_PKTINFO.pack(source.packed, self.ifindex)
            control = (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, info)
            scope = self.ifindex if destination.is_link_local or destination.is_multicast else 0
            self._socket.sendmsg([payload], [control], 0, (str(destination), 0, 0, scope))

    def receive(self, limit: int = 64) -> list[Datagram]:
        """What has arrived, at most ``limit`` datagrams. Their contents are unchecked; checksums too (RFC 9568 7.1)."""
        received = []
        for _ in range(limit):
            try:
                datagram = self._receive_ipv4() if self.family == 4 else self._receive_ipv6()
            except BlockingIOError:
                break
            except BadPacket as bad:
                self.undecodable[bad.reason] += 1
                continue
            to = datagram.destination
            # A raw IPv6 socket hears every group that anybody here has joined, whatever its own memberships are.
            if to is None or not to.is_multicast or to == self.group:
                received.append(datagram)
        return received

    def _receive_ipv4(self) -> Datagram:
        return strip_ipv4_untrusted(self._socket.recv(_RECEIVE_SIZE))

    def _receive_ipv6(self) -> Datagram:
        payload, ancillary, _, source = self._socket.recvmsg(_RECEIVE_SIZE, _ANCILLARY_SIZE)
        destination, hop_limit = None, None
        for level, kind, data in ancillary:
            if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
                destination = IPv6Address(_IN6_PKTINFO.unpack(data)[0])
            elif (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT):
                (hop_limit,) = _HOP_LIMIT.unpack(data)
        plain = IPv6Address(source[0].partition("%")[0])
        return Datagram(payload=payload, source=plain, destination=destination, ttl=hop_limit)


def vrid_filter(family: int, vrids: Collection[int]) -> list[options.Instruction]:
    """A classic BPF program; it fits a jump's reach (255) because a VRID is an octet and 0 is none.

    A raw IPv4 socket's packet begins with the IP header, whose length varies (C-RX-24); an IPv6 one's with VRRP.
    """
    wanted = sorted(set(vrids))
    if family == 4:
        load = [(options.LOAD_X_IP_HEADER_LENGTH, 0, 0, 0), (options.LOAD_BYTE_AT_X, 0, 0, 1)]
    else:
        load = [(options.LOAD_BYTE, 0, 0, 1)]
    jumps = [(options.JUMP_IF_EQUAL, len(wanted) - at, 0, vrid) for at, vrid in enumerate(wanted)]
    return [*load, *jumps, options.DISCARD, options.ACCEPT]


def _prepare_ipv4(opened: socket.socket, ifindex: int, group: IPAddress | None) -> None:
    for option, value in (
        (socket.IP_TTL, TTL),
        (socket.IP_MULTICAST_TTL, TTL),
        (socket.IP_TOS, INTERNET_CONTROL),
        (socket.IP_MULTICAST_LOOP, 0),
        (_IP_MULTICAST_ALL, 0),
    ):
        opened.setsockopt(socket.IPPROTO_IP, option, value)
    interface = struct.pack("=4s4si", bytes(4), bytes(4), ifindex)
    opened.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)
    if group is not None:
        membership = struct.pack("=4s4si", group.packed, bytes(4), ifindex)
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)


def _prepare_ipv6(opened: socket.socket, ifindex: int, group: IPAddress | None) -> None:
    for option, value in (
        (socket.IPV6_UNICAST_HOPS, TTL),
        (socket.IPV6_MULTICAST_HOPS, TTL),
        (socket.IPV6_TCLASS, INTERNET_CONTROL),
        (socket.IPV6_MULTICAST_LOOP, 0),
        (_IPV6_MULTICAST_ALL, 0),
        (socket.IPV6_MULTICAST_IF, ifindex),
        (socket.IPV6_RECVPKTINFO, 1),
        (socket.IPV6_RECVHOPLIMIT, 1),
        # The kernel neither fills in nor verifies: a wrong checksum is ours to see and to count (C-RX-07).
        (socket.IPV6_CHECKSUM, -1),
    ):
        opened.setsockopt(socket.IPPROTO_IPV6, option, value)
    if group is not None:
        membership = struct.pack("=16si", group.packed, ifindex)
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)
