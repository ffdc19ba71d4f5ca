"""VRRP's own sockets: protocol 112, one per interface, family and group.

Nothing here blocks: an advert that cannot leave now is an error for the caller to count, not something to wait for.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from hafw.vrrp.packet import PROTOCOL, TTL, BadPacket, Datagram, strip_ipv4_untrusted
from hafw.wire import options
from hafw.wire.claims import FrameSender
from hafw.wire.frames import INTERNET_CONTROL, advert_frame

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable

    from hafw.vrrp.settings import IPAddress

_HOP_LIMIT = struct.Struct("=i")
_SO_TIMESTAMPNS = 35
_TIMESTAMP = struct.Struct("@ll")
_RECEIVE_SIZE = 65536
_ANCILLARY_SIZE = sum(socket.CMSG_SPACE(each.size) for each in (options.IN6_PKTINFO, _HOP_LIMIT, _TIMESTAMP))
_OCTETS_IN_QUEUE = 4096
"""What the kernel may count for one small datagram: 768 octets as a rule, a page with some drivers."""
_BUFFER_SIZE = 4 << 20
"""Some thousand adverts: what arrives while nobody reads must be there when somebody does."""


class Arrival(NamedTuple):
    """One datagram as it was read, not taken apart yet."""

    identity: Hashable
    """Equal for two arrivals if they are the same datagram again: equal in all that anybody looks at."""
    stamp: float
    """When it came, in seconds of the wall clock; 0: the kernel did not tell."""
    packet: bytes
    source: str
    ancillary: list[tuple[int, int, bytes]]


class Letter(NamedTuple):
    """One message ready to be sent, again and again; made by ``VrrpSocket.letter``."""

    buffers: list[bytes]
    control: list[tuple[int, int, bytes]]
    to: tuple[Any, ...]
    """Empty: a whole frame."""


class VrrpSocket:
    """Sends and receives VRRP messages on one interface, of one family.

    ``errors`` counts what the kernel told instead of a datagram: the link went. ``room`` is how many adverts can wait.
    """

    def __init__(self, opened: socket.socket, ifindex: int, family: int, group: IPAddress | None) -> None:
        self.ifindex = ifindex
        self.family = family
        self.group = group
        self.errors = 0
        self.room = opened.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // _OCTETS_IN_QUEUE
        self._socket = opened
        self._frames: FrameSender | None = None

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
            opened.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
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
        if self._frames is not None:
            self._frames.close()

    def limit_to(self, vrids: Collection[int]) -> None:
        """Hear these VRIDs only, from now on: the kernel drops the others before they wake anybody."""
        options.attach_filter(self._socket, vrid_filter(self.family, vrids))

    def ring_for(self, vrids: Collection[int]) -> None:
        """Hear goodbyes and these VRIDs only, from now on: see ``bell_filter``."""
        options.attach_filter(self._socket, bell_filter(self.family, vrids))

    def discard(self, limit: int = 64) -> None:
        """Forget what has arrived, but for what is beyond the limit."""
        try:
            for _ in range(limit):
                self._socket.recv(1)
        except OSError:  # empty, or the link is gone: whoever reads the other socket is told so
            return

    # -- sending ------------------------------------------------------------------------------------------------

    def letter(self, payload: bytes, source: IPAddress, destination: IPAddress, mac: bytes = b"") -> Letter:
        """Address a message. ``source`` is an address of ours, never a virtual one.

        ``mac``: what it is to come from, to a group only; empty: the interface's own.
        """
        if mac:
            return Letter([advert_frame(payload, source, destination, mac)], [], ())
        if isinstance(source, IPv4Address):
            info = options.IN_PKTINFO.pack(self.ifindex, source.packed, bytes(4))
            return Letter([payload], [(socket.IPPROTO_IP, options.IP_PKTINFO, info)], (str(destination), 0))
        info = options.IN6_PKTINFO.pack(source.packed, self.ifindex)
        scope = self.ifindex if destination.is_link_local or destination.is_multicast else 0
        return Letter([payload], [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, info)], (str(destination), 0, 0, scope))

    def post(self, letter: Letter) -> None:
        """Send at once or raise ``OSError``."""
        if letter.to:
            self._socket.sendmsg(letter.buffers, letter.control, 0, letter.to)
            return
        if self._frames is None:
            self._frames = FrameSender(self.ifindex)
        self._frames.send(letter.buffers[0])

    def send(self, payload: bytes, source: IPAddress, destination: IPAddress, mac: bytes = b"") -> None:
        """The same for a message that is sent once."""
        self.post(self.letter(payload, source, destination, mac))

    # -- receiving ----------------------------------------------------------------------------------------------

    def arrivals(self, limit: int = 64) -> list[Arrival]:
        """What has arrived, at most ``limit`` datagrams."""
        receive = self._arrival_ipv4 if self.family == 4 else self._arrival_ipv6
        arrived = []
        try:
            for _ in range(limit):
                arrived.append(receive())  # noqa: PERF401 - what came before the error counts
        except BlockingIOError:
            pass
        except OSError:
            self.errors += 1
        return arrived

    def datagram_untrusted(self, arrival: Arrival) -> Datagram | None:
        """Take it apart; ``None``: not for us. Raises ``BadPacket``. Its checksum is unchecked (RFC 9568 7.1)."""
        datagram = strip_ipv4_untrusted(arrival.packet) if self.family == 4 else _strip_ipv6(arrival)
        to = datagram.destination
        # A raw IPv6 socket hears every group that anybody here has joined, whatever its own memberships are.
        return datagram if to is None or not to.is_multicast or to == self.group else None

    def receive(self, limit: int = 64) -> list[Datagram]:
        """What has arrived, at most ``limit`` datagrams, without those that are none of ours or of nobody's."""
        received = []
        for arrival in self.arrivals(limit):
            with contextlib.suppress(BadPacket):
                received.append(self.datagram_untrusted(arrival))
        return [each for each in received if each is not None]

    def _arrival_ipv4(self) -> Arrival:
        packet, ancillary, _, _ = self._socket.recvmsg(_RECEIVE_SIZE, _ANCILLARY_SIZE)
        stamp = 0.0
        for level, kind, data in ancillary:
            if kind == _SO_TIMESTAMPNS and level == socket.SOL_SOCKET:
                seconds, nanoseconds = _TIMESTAMP.unpack(data)
                stamp = seconds + nanoseconds * 1e-9
        # All but TOS, identification and header checksum, which are another in every packet or nobody's concern.
        return Arrival(packet[:1] + packet[2:4] + packet[6:10] + packet[12:], stamp, packet, "", [])

    def _arrival_ipv6(self) -> Arrival:
        packet, ancillary, _, source = self._socket.recvmsg(_RECEIVE_SIZE, _ANCILLARY_SIZE)
        stamp, told = 0.0, []
        for level, kind, data in ancillary:
            if kind == _SO_TIMESTAMPNS and level == socket.SOL_SOCKET:
                seconds, nanoseconds = _TIMESTAMP.unpack(data)
                stamp = seconds + nanoseconds * 1e-9
            else:
                told.append((level, kind, data))
        return Arrival((packet, source[0], *told), stamp, packet, source[0], told)


def _strip_ipv6(arrival: Arrival) -> Datagram:
    destination, hop_limit = None, None
    for level, kind, data in arrival.ancillary:
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
            destination = IPv6Address(options.IN6_PKTINFO.unpack(data)[0])
        elif (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT):
            (hop_limit,) = _HOP_LIMIT.unpack(data)
    plain = IPv6Address(arrival.source.partition("%")[0])
    return Datagram(payload=arrival.packet, source=plain, destination=destination, ttl=hop_limit)


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


def bell_filter(family: int, vrids: Collection[int]) -> list[options.Instruction]:
    """Passes what cannot wait: all of these VRIDs, and every goodbye (priority 0), whosoever it is.

    Everything else tells a BACKUP only that its MASTER still lives, and that need not wake it.
    """
    if family == 4:
        load = [(options.LOAD_X_IP_HEADER_LENGTH, 0, 0, 0), (options.LOAD_BYTE_AT_X, 0, 0, 2)]
    else:
        load = [(options.LOAD_BYTE, 0, 0, 2)]
    return [*load, (options.JUMP_IF_EQUAL, 0, 1, 0), options.ACCEPT, *vrid_filter(family, vrids)]


def _prepare_ipv4(opened: socket.socket, ifindex: int, group: IPAddress | None) -> None:
    for option, value in (
        (socket.IP_TTL, TTL),
        (socket.IP_MULTICAST_TTL, TTL),
        (socket.IP_TOS, INTERNET_CONTROL),
        (socket.IP_MULTICAST_LOOP, 0),
        (options.IP_MULTICAST_ALL, 0),
    ):
        opened.setsockopt(socket.IPPROTO_IP, option, value)
    interface = struct.pack("=4s4si", bytes(4), bytes(4), ifindex)
    opened.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)
    if group is not None:
        options.join_group(opened, group, ifindex)


def _prepare_ipv6(opened: socket.socket, ifindex: int, group: IPAddress | None) -> None:
    for option, value in (
        (socket.IPV6_UNICAST_HOPS, TTL),
        (socket.IPV6_MULTICAST_HOPS, TTL),
        (socket.IPV6_TCLASS, INTERNET_CONTROL),
        (socket.IPV6_MULTICAST_LOOP, 0),
        (options.IPV6_MULTICAST_ALL, 0),
        (socket.IPV6_MULTICAST_IF, ifindex),
        (socket.IPV6_RECVPKTINFO, 1),
        (socket.IPV6_RECVHOPLIMIT, 1),
        # The kernel neither fills in nor verifies: a wrong checksum is ours to see and to count (C-RX-07).
        (socket.IPV6_CHECKSUM, -1),
    ):
        opened.setsockopt(socket.IPPROTO_IPV6, option, value)
    if group is not None:
        options.join_group(opened, group, ifindex)
