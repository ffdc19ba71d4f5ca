"""Who else claims an address: gratuitous ARP and neighbour advertisements of other machines; and sending our own.

A claim is what releases a held address, so none may be missed: a successor with 4,000 addresses sends thousands of
frames in a burst. The kernel passes claims only, and the buffer holds the burst.
"""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final, Self

from hafw.wire import options
from hafw.wire.frames import ARP, ARP_OF_IPV4, ETHERNET, ICMPV6, IPV6, NEIGHBOUR_ADVERTISEMENT, TYPE_ARP, TYPE_OF_IP

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from hafw.vrrp.settings import IPAddress

_ADVERTISEMENT = struct.Struct("!BBHI16s")
_ARP_REQUEST, _ARP_REPLY = 1, 2
_HOP_LIMIT = 255
_TARGET_LINK_LAYER_ADDRESS = 2
_AT_ARP, _AT_IPV6 = ETHERNET.size, ETHERNET.size
_AT_ICMPV6 = _AT_IPV6 + IPV6.size
_AT_OPTIONS = _AT_ICMPV6 + _ADVERTISEMENT.size

FRAME_MAX: Final = 2048
_RECEIVE_BUFFER_SIZE = 16 << 20
"""A small frame costs the kernel about 1 KiB: more than ten thousand of them."""
_SEND_BUFFER_SIZE = 4 << 20
DRAIN_MAX = 256
"""Frames per drain, about 2 ms of work; what is left stays readable."""

_ARP_CLAIMS: Final = (
    (options.LOAD_HALF, 0, 0, _AT_ARP + 6),
    (options.JUMP_IF_EQUAL, 4, 0, _ARP_REPLY),
    (options.LOAD_WORD, 0, 0, _AT_ARP + 14),
    (options.COPY_TO_X, 0, 0, 0),
    (options.LOAD_WORD, 0, 0, _AT_ARP + 24),
    (options.JUMP_IF_EQUAL_X, 0, 1, 0),
    options.ACCEPT,
    options.DISCARD,
)
"""Every reply, and requests whose sender asks for itself: not the questions of a whole network."""
_ND_CLAIMS: Final = (
    (options.LOAD_BYTE, 0, 0, _AT_IPV6 + 6),
    (options.JUMP_IF_EQUAL, 0, 3, ICMPV6),
    (options.LOAD_BYTE, 0, 0, _AT_ICMPV6),
    (options.JUMP_IF_EQUAL, 0, 1, NEIGHBOUR_ADVERTISEMENT),
    options.ACCEPT,
    options.DISCARD,
)


class ClaimSocket:
    """Hears the claims of one family on one interface, of the addresses that ``watch`` named last; none at first.

    A tap on one protocol, so that the kernel shows it received frames only, never our own announcements. Closing it
    waits for the kernel's other processors (some 10 ms): where that matters, watch nothing instead.
    """

    def __init__(self, ifindex: int, family: int, own_mac: str) -> None:
        self._own_mac = bytes.fromhex(own_mac.replace(":", ""))
        self._claims = _ARP_CLAIMS if family == 4 else _ND_CLAIMS
        self._watched: Collection[IPAddress] = ()
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
        try:
            options.attach_filter(self._socket, [options.DISCARD])
            options.set_receive_buffer(self._socket, _RECEIVE_BUFFER_SIZE)
            _bind(self._socket, ifindex, TYPE_ARP if family == 4 else TYPE_OF_IP[6])
        except OSError:
            self._socket.close()
            raise

    def watch(self, addresses: Collection[IPAddress]) -> None:
        """Hear the claims of these from now on; of none: the kernel drops every frame and nobody is woken."""
        if bool(addresses) != bool(self._watched):
            options.attach_filter(self._socket, self._claims if addresses else [options.DISCARD])
        self._watched = addresses

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()

    def fileno(self) -> int:
        """To wait on."""
        return self._socket.fileno()

    def drain(self) -> dict[IPAddress, str]:
        """Each claimed address and the MAC that claimed it last; does not block."""
        claimed: dict[IPAddress, str] = {}
        for _ in range(DRAIN_MAX):
            try:
                frame = self._socket.recv(FRAME_MAX)
            except OSError:  # nothing left, or the link went down: the kernel says that once, the keeper knows more
                break
            address = parse_claim_untrusted(frame, self._own_mac, self._watched)
            if address is not None:
                claimed[address] = _claimant(frame).hex(":")
        return claimed


def parse_claim_untrusted(frame: bytes, own_mac: bytes, watched: Collection[IPAddress]) -> IPAddress | None:
    """The watched address that another machine claims with this frame, if it is such a frame; raises nothing."""
    if len(frame) < ETHERNET.size:
        return None
    _, _, ethertype = ETHERNET.unpack_from(frame)
    if ethertype == TYPE_ARP and len(frame) >= _AT_ARP + ARP.size:
        address: IPAddress | None = _arp_claim(frame)
    elif ethertype == TYPE_OF_IP[6] and len(frame) >= _AT_OPTIONS:
        address = _nd_claim(frame)
    else:
        return None
    return address if address in watched and _claimant(frame) != own_mac else None


def _arp_claim(frame: bytes) -> IPv4Address | None:
    """A request for the sender's own address (RFC 5227 announcement), or any reply."""
    *kind, operation, _, sender, _, target = ARP.unpack_from(frame, _AT_ARP)
    if tuple(kind) != ARP_OF_IPV4:
        return None
    gratuitous = operation == _ARP_REPLY or (operation == _ARP_REQUEST and sender == target)
    return IPv4Address(sender) if gratuitous else None


def _nd_claim(frame: bytes) -> IPv6Address | None:
    """A neighbour advertisement (RFC 4861 4.4); a hop limit below 255 came from another network (7.1.2)."""
    _, _, next_header, hop_limit, _, _ = IPV6.unpack_from(frame, _AT_IPV6)
    kind, code, _, _, target = _ADVERTISEMENT.unpack_from(frame, _AT_ICMPV6)
    advertised = (next_header, hop_limit, kind, code) == (ICMPV6, _HOP_LIMIT, NEIGHBOUR_ADVERTISEMENT, 0)
    return IPv6Address(target) if advertised else None


def _claimant(frame: bytes) -> bytes:
    """The MAC that a claim puts into the neighbours' caches; of an NA without the option the frame's own source."""
    _, source, ethertype = ETHERNET.unpack_from(frame)
    if ethertype == TYPE_ARP:
        return frame[_AT_ARP + 8 : _AT_ARP + 14]
    has_option = len(frame) >= _AT_OPTIONS + 8 and frame[_AT_OPTIONS] == _TARGET_LINK_LAYER_ADDRESS
    return frame[_AT_OPTIONS + 2 : _AT_OPTIONS + 8] if has_option else bytes(source)


class FrameSender:
    """Sends prepared Ethernet frames on one interface; hears nothing."""

    def __init__(self, ifindex: int) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_SIZE)
            _bind(self._socket, ifindex, 0)
        except OSError:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop sending."""
        self._socket.close()

    def send(self, frame: bytes) -> None:
        """Send at once or raise ``OSError``."""
        self._socket.send(frame)

    def send_some(self, frames: Sequence[bytes], limit: int) -> int:
        """Send the first ``limit`` frames and return how many left: fewer when the queue is full or the link down."""
        sent = 0
        for frame in frames[:limit]:
            try:
                self._socket.send(frame)
            except OSError:
                break
            sent += 1
        return sent


def _bind(opened: socket.socket, ifindex: int, ethertype: int) -> None:
    """By name, as the standard library wants it; ``OSError`` when the index is gone."""
    opened.bind((socket.if_indextoname(ifindex), ethertype))
