"""Questions to a neighbour, asked in the name of an address, and the answers: ARP, neighbour solicitations, echoes.

By hand, because the kernel would not ask: it never chooses a virtual address as a source, and what it knows already it
does not ask again. An answer proves more than that somebody lives: it was sent to our MAC.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final, Self

from hafw.wire import frames, options

if TYPE_CHECKING:
    from hafw.vrrp.settings import IPAddress

BROADCAST: Final = b"\xff" * 6
_ECHO = struct.Struct("!BBHHH")
_SOLICITATION = struct.Struct("!BBHI16sBB6s")
_REQUEST, _REPLY = 1, 2
_ICMP = 1
_ECHO_REQUEST, _ECHO_REPLY, _ECHO_REQUEST_6, _ECHO_REPLY_6 = 8, 0, 128, 129
_NEIGHBOUR_SOLICITATION = 135
_SOURCE_LINK_LAYER_ADDRESS = 1
_HOPS: Final = 255
_TTL: Final = 64
_AT_PAYLOAD = frames.ETHERNET.size
_AT_ICMPV6 = _AT_PAYLOAD + frames.IPV6.size
_FRAME_MAX = 2048
_DRAIN_MAX = 64
_PACKET_OTHERHOST: Final = 3
_PAYLOAD: Final = b"hafw: does the answer come here?"

_ARP_REPLIES: Final = (
    (options.LOAD_HALF, 0, 0, _AT_PAYLOAD + 6),
    (options.JUMP_IF_EQUAL, 0, 1, _REPLY),
    options.ACCEPT,
    options.DISCARD,
)
_ICMP_REPLIES: Final = (
    (options.LOAD_BYTE, 0, 0, _AT_PAYLOAD + 9),
    (options.JUMP_IF_EQUAL, 0, 4, _ICMP),
    (options.LOAD_X_IP_HEADER_LENGTH, 0, 0, _AT_PAYLOAD),
    (options.LOAD_BYTE_AT_X, 0, 0, _AT_PAYLOAD),
    (options.JUMP_IF_EQUAL, 0, 1, _ECHO_REPLY),
    options.ACCEPT,
    options.DISCARD,
)
_ICMPV6_REPLIES: Final = (
    (options.LOAD_BYTE, 0, 0, _AT_PAYLOAD + 6),
    (options.JUMP_IF_EQUAL, 0, 4, frames.ICMPV6),
    (options.LOAD_BYTE, 0, 0, _AT_ICMPV6),
    (options.JUMP_IF_EQUAL, 1, 0, frames.NEIGHBOUR_ADVERTISEMENT),
    (options.JUMP_IF_EQUAL, 0, 1, _ECHO_REPLY_6),
    options.ACCEPT,
    options.DISCARD,
)
_EARS: Final = {
    4: ((frames.TYPE_ARP, _ARP_REPLIES), (frames.TYPE_OF_IP[4], _ICMP_REPLIES)),
    6: ((frames.TYPE_OF_IP[6], _ICMPV6_REPLIES),),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """Somebody answered."""

    source: IPAddress
    """Whose answer it is."""
    to: IPAddress
    """Whom it was told; of an advertisement to everybody, the group."""
    mac: bytes
    """Where it lives. Of an echo the frame's source, which may be another one's: a gateway's answer may come by two."""
    is_echo: bool


def question(mac: bytes, source: IPAddress | None, target: IPAddress) -> bytes:
    """Where is ``target``? Told to ``source``; ``None``: an ARP probe (RFC 5227), from which nobody learns anything."""
    if isinstance(target, IPv4Address):
        sender = bytes(4) if source is None else source.packed
        body = frames.ARP.pack(*frames.ARP_OF_IPV4, _REQUEST, mac, sender, bytes(6), target.packed)
        return frames.ETHERNET.pack(BROADCAST, mac, frames.TYPE_ARP) + body
    assert isinstance(source, IPv6Address)  # an unspecified one would be answered to everybody
    group = IPv6Address(b"\xff\x02" + bytes(9) + b"\x01\xff" + target.packed[-3:])
    fields = (_NEIGHBOUR_SOLICITATION, 0, 0, 0, target.packed, _SOURCE_LINK_LAYER_ADDRESS, 1, mac)
    message = _icmpv6(_SOLICITATION.pack(*fields), source, group)
    return frames.ETHERNET.pack(frames.multicast_mac(group), mac, frames.TYPE_OF_IP[6]) + _ipv6(message, source, group)


def echo(mac: bytes, neighbour: bytes, source: IPAddress, target: IPAddress, number: int) -> bytes:
    """Ask ``target``, at the MAC ``neighbour``, for an echo: the answer goes where it believes that ``source`` is."""
    if isinstance(target, IPv4Address):
        message = _ECHO.pack(_ECHO_REQUEST, 0, 0, number, 1) + _PAYLOAD
        message = message[:2] + frames.internet_checksum(message) + message[4:]
        head = frames.ipv4_header(len(message), (source.packed, target.packed), _ICMP, ttl=_TTL)
        return frames.ETHERNET.pack(neighbour, mac, frames.TYPE_OF_IP[4]) + head + message
    message = _icmpv6(_ECHO.pack(_ECHO_REQUEST_6, 0, 0, number, 1) + _PAYLOAD, source, target)
    return frames.ETHERNET.pack(neighbour, mac, frames.TYPE_OF_IP[6]) + _ipv6(message, source, target)


def parse_answer_untrusted(frame: bytes) -> Answer | None:
    """The answer in this frame, if there is one; raises nothing."""
    if len(frame) < _AT_PAYLOAD:
        return None
    _, mac, ethertype = frames.ETHERNET.unpack_from(frame)
    if ethertype == frames.TYPE_ARP and len(frame) >= _AT_PAYLOAD + frames.ARP.size:
        return _arp_answer(frame)
    if ethertype == frames.TYPE_OF_IP[4] and len(frame) >= _AT_PAYLOAD + frames.IPV4.size:
        return _ipv4_answer(frame, mac)
    if ethertype == frames.TYPE_OF_IP[6] and len(frame) >= _AT_ICMPV6 + _ECHO.size:
        return _ipv6_answer(frame, mac)
    return None


def _arp_answer(frame: bytes) -> Answer | None:
    *kind, operation, mac, sender, _, target = frames.ARP.unpack_from(frame, _AT_PAYLOAD)
    if tuple(kind) != frames.ARP_OF_IPV4 or operation != _REPLY:
        return None
    return Answer(IPv4Address(sender), IPv4Address(target), mac, is_echo=False)


def _ipv4_answer(frame: bytes, mac: bytes) -> Answer | None:
    first, *_, protocol, _, source, to = frames.IPV4.unpack_from(frame, _AT_PAYLOAD)
    at = _AT_PAYLOAD + (first & 0xF) * 4
    if protocol != _ICMP or len(frame) < at + _ECHO.size or frame[at] != _ECHO_REPLY:
        return None
    return Answer(IPv4Address(source), IPv4Address(to), mac, is_echo=True)


def _ipv6_answer(frame: bytes, mac: bytes) -> Answer | None:
    _, _, following, hops, source, to = frames.IPV6.unpack_from(frame, _AT_PAYLOAD)
    if following != frames.ICMPV6:
        return None
    if frame[_AT_ICMPV6] == _ECHO_REPLY_6:
        return Answer(IPv6Address(source), IPv6Address(to), mac, is_echo=True)
    if frame[_AT_ICMPV6] != frames.NEIGHBOUR_ADVERTISEMENT or hops != _HOPS or len(frame) < _AT_ICMPV6 + 24:
        return None
    return Answer(IPv6Address(frame[_AT_ICMPV6 + 8 : _AT_ICMPV6 + 24]), IPv6Address(to), mac, is_echo=False)


def _ipv6(message: bytes, source: IPAddress, target: IPAddress) -> bytes:
    return frames.IPV6.pack(6 << 28, len(message), frames.ICMPV6, _HOPS, source.packed, target.packed) + message


def _icmpv6(message: bytes, source: IPAddress, target: IPAddress) -> bytes:
    pseudo = source.packed + target.packed + struct.pack("!II", len(message), frames.ICMPV6)
    return message[:2] + frames.internet_checksum(pseudo + message) + message[4:]


class AnswerSocket:
    """Hears the answers of one family on one interface; sends the questions."""

    def __init__(self, interface: str, family: int) -> None:
        """Raises ``OSError`` when the interface is gone."""
        self._sockets: list[socket.socket] = []
        try:
            for ethertype, program in _EARS[family]:
                kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
                self._sockets.append(opened := socket.socket(socket.AF_PACKET, kind, 0))
                options.attach_filter(opened, program)
                opened.bind((interface, ethertype))
        except OSError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ask and hear nothing more."""
        for each in self._sockets:
            each.close()

    def filenos(self) -> list[int]:
        """To wait on; each of them."""
        return [each.fileno() for each in self._sockets]

    def ask(self, frame: bytes) -> None:
        """Send it at once, or raise ``OSError``."""
        self._sockets[0].send(frame)

    def answers(self) -> list[Answer]:
        """What has come to our MAC, or to everybody; does not block."""
        found = []
        for each in self._sockets:
            for _ in range(_DRAIN_MAX):
                try:
                    frame, sender = each.recvfrom(_FRAME_MAX)
                except OSError:  # nothing left, or the link went down
                    break
                if sender[2] == _PACKET_OTHERHOST:  # the switch sent it everywhere: whoever asked expects it elsewhere
                    continue
                if (answer := parse_answer_untrusted(frame)) is not None:
                    found.append(answer)
        return found
