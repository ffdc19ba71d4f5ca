"""Protocol 112 on whatever network the routing table chooses: how a MASTER without a link tells the others."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from hafw.vrrp.packet import PROTOCOL, TTL, BadPacket, strip_ipv4_untrusted
from hafw.wire import options
from hafw.wire.frames import INTERNET_CONTROL
from hafw.wire.sockets import bell_filter

if TYPE_CHECKING:
    from hafw.vrrp.settings import IPAddress

_RECEIVE_SIZE: Final = 65536
_BATCH: Final = 64


class Message(NamedTuple):
    """What came in, whoever sent it."""

    payload: bytes
    source: IPAddress
    ifindex: int
    """Of the interface by which it came; 0: the kernel did not tell."""


class ElsewhereSocket:
    """Bound to no interface; hears goodbyes (priority 0) that are sent to this host alone. Nothing here blocks."""

    def __init__(self, opened: socket.socket, family: int) -> None:
        self.family = family
        self._socket = opened

    @classmethod
    def open(cls, family: int) -> Self:
        """Raises ``OSError``."""
        domain = socket.AF_INET if family == 4 else socket.AF_INET6
        opened = socket.socket(domain, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, PROTOCOL)
        try:
            options.attach_filter(opened, bell_filter(family, ()))
            for level, option, value in _OPTIONS[family]:
                opened.setsockopt(level, option, value)
        except OSError:
            opened.close()
            raise
        return cls(opened, family)

    def fileno(self) -> int:
        """To wait on."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close."""
        self._socket.close()

    def send(self, payload: bytes, to: IPAddress) -> None:
        """Send at once or raise ``OSError``."""
        self._socket.sendto(payload, (str(to), 0))

    def receive_untrusted(self) -> list[Message]:
        """What has arrived for this host alone, at most a batch."""
        received = list[Message]()
        try:
            for _ in range(_BATCH):
                packet, told, _, sender = self._socket.recvmsg(
                    _RECEIVE_SIZE, socket.CMSG_SPACE(options.IN6_PKTINFO.size)
                )
                if (message := self._message_untrusted(packet, told, sender[0])) is not None:
                    received.append(message)
        except OSError:  # nothing more, or an error that an earlier message of ours came back with
            pass
        return received

    def _message_untrusted(self, packet: bytes, told: list[tuple[int, int, bytes]], sender: str) -> Message | None:
        """None for what went to a group: that is the business of the router's own interface."""
        ifindex, group = 0, False
        for _, kind, data in told:
            if self.family == 4 and kind == options.IP_PKTINFO:
                ifindex, _, to = options.IN_PKTINFO.unpack(data)
                group = ip_address(to).is_multicast
            elif self.family == 6 and kind == socket.IPV6_PKTINFO:
                to, ifindex = options.IN6_PKTINFO.unpack(data)
                group = ip_address(to).is_multicast
        if group:
            return None
        source = ip_address(sender.partition("%")[0])
        if self.family == 6:
            return Message(packet, source, ifindex)
        try:
            return Message(strip_ipv4_untrusted(packet).payload, source, ifindex)
        except BadPacket:
            return None


_OPTIONS: Final = {
    4: (
        (socket.IPPROTO_IP, socket.IP_TTL, TTL),
        (socket.IPPROTO_IP, socket.IP_TOS, INTERNET_CONTROL),
        (socket.IPPROTO_IP, options.IP_MULTICAST_ALL, 0),
        (socket.IPPROTO_IP, options.IP_PKTINFO, 1),
    ),
    6: (
        (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, TTL),
        (socket.IPPROTO_IPV6, socket.IPV6_TCLASS, INTERNET_CONTROL),
        (socket.IPPROTO_IPV6, options.IPV6_MULTICAST_ALL, 0),
        (socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1),
        # The message carries the checksum of its own network; HMAC protects the rest.
        (socket.IPPROTO_IPV6, socket.IPV6_CHECKSUM, -1),
    ),
}
