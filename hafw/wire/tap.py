"""Everything of VRRP that passes an interface, sent or received, as whole frames: for those who only look.

A socket of the packet family hears a frame before any firewall, and takes it from nobody. The interface is not made
promiscuous. Membership in VRRP's groups is asked for as any host does it, so that a switch that snoops on IGMP or MLD
sends the groups here too; the kernel counts the members, so leaving takes nothing from a daemon on this host.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import socket
import struct
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from hafw.wire import options

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hafw.vrrp.settings import IPAddress

_ETH_P_ALL: Final = 3
_SOL_PACKET, _AUXDATA, _STATISTICS = 263, 8, 6
_SO_TIMESTAMPNS: Final = 35
_TIMESTAMP: Final = struct.Struct("@ll")
_AUXILIARY: Final = struct.Struct("@IIIHHHH")
_VLAN_VALID: Final = 0x10
_OUTGOING: Final = 4
_ETHERNET, _LOOPBACK = 1, 772
_SIOCGIFHWADDR: Final = 0x8927
_HARDWARE: Final = struct.Struct("@16sH22x")
_FRAME_MAX: Final = 65536
_ANCILLARY_SIZE: Final = socket.CMSG_SPACE(_TIMESTAMP.size) + socket.CMSG_SPACE(_AUXILIARY.size)
_BUFFER_SIZE: Final = 4 << 20
_BATCH: Final = 64

_VRRP, _AH = 112, 51
_BEFORE_VRRP: Final = (_VRRP, _AH, 0, 43, 44, 60)
"""In IPv6: VRRP itself, or a header that it may stand behind."""


class Tapped(NamedTuple):
    """One frame."""

    time: float
    """Seconds since the Unix epoch, by the kernel."""
    data: bytes
    length: int
    outgoing: bool
    vlans: tuple[int, ...]
    """The tag that the kernel, or the network card, took out; none when it is still in the frame."""
    ethernet: bool
    """False: it begins with its IP header."""


class Tap:
    """One interface, from ``open`` until ``close``."""

    def __init__(self, interface: str, opened: socket.socket, *, ethernet: bool) -> None:
        self.interface = interface
        self.ifindex: Final = socket.if_nametoindex(interface)
        self.dropped = 0
        """Frames that the kernel had no room for."""
        self.outside: list[str] = []
        """Groups that could not be joined, with the reason."""
        self._socket = opened
        self._ethernet = ethernet
        self._members: list[socket.socket] = []

    @classmethod
    def open(cls, interface: str, groups: Iterable[IPAddress]) -> Self:
        """Raises ``PermissionError`` without CAP_NET_RAW, other ``OSError`` when there is no such interface."""
        socket.if_nametoindex(interface)
        ethernet = _is_ethernet(interface)
        # Protocol 0 until the filter is there: not a frame more than is wanted.
        opened = socket.socket(
            socket.AF_PACKET,
            (socket.SOCK_RAW if ethernet else socket.SOCK_DGRAM) | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC,
            0,
        )
        try:
            options.attach_filter(opened, ETHERNET_FILTER if ethernet else IP_FILTER)
            options.set_receive_buffer(opened, _BUFFER_SIZE)
            opened.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            opened.setsockopt(_SOL_PACKET, _AUXDATA, 1)
            opened.bind((interface, _ETH_P_ALL))
            made = cls(interface, opened, ethernet=ethernet)
        except OSError:
            opened.close()
            raise
        made._join(groups)
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fileno(self) -> int:
        """To wait on."""
        return self._socket.fileno()

    def close(self) -> None:
        """Leave the groups and close."""
        self._socket.close()
        for each in self._members:
            each.close()

    def _join(self, groups: Iterable[IPAddress]) -> None:
        for group in groups:
            try:
                self._members.append(options.member_of(group, self.ifindex))
            except OSError as error:
                self.outside.append(f"{group}: {(error.strerror or str(error)).lower()}")

    def frames(self) -> list[Tapped]:
        """What has come, at most a batch. Raises ``OSError`` when the interface is gone, or made anew."""
        heard: list[Tapped] = []
        with contextlib.suppress(BlockingIOError):
            while len(heard) < _BATCH:
                try:
                    heard.append(self._receive())
                except OSError as error:
                    if error.errno != errno.ENETDOWN:
                        raise
                    if socket.if_nametoindex(self.interface) != self.ifindex:
                        raise
        return heard

    def count_drops(self) -> int:
        """Ask the kernel, which forgets it then; the sum is in ``dropped``."""
        _, dropped = struct.unpack("@II", self._socket.getsockopt(_SOL_PACKET, _STATISTICS, 8))
        self.dropped += dropped
        return self.dropped

    def _receive(self) -> Tapped:
        data, ancillary, _, sender = self._socket.recvmsg(_FRAME_MAX, _ANCILLARY_SIZE)
        moment, length = 0.0, len(data)
        vlans: tuple[int, ...] = ()
        for level, kind, value in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
                seconds, nanoseconds = _TIMESTAMP.unpack(value)
                moment = seconds + nanoseconds * 1e-9
            elif (level, kind) == (_SOL_PACKET, _AUXDATA):
                status, length, _, _, _, tag, _ = _AUXILIARY.unpack(value)
                vlans = (tag & 0x0FFF,) if status & _VLAN_VALID else ()
        return Tapped(moment, data, max(length, len(data)), sender[2] == _OUTGOING, vlans, self._ethernet)


def _is_ethernet(interface: str) -> bool:
    """Whether frames begin with an Ethernet header; a tunnel's begin with IP.

    Asked of a socket, for /sys shows the network namespace that it was mounted in.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as asked:
        answer = fcntl.ioctl(asked, _SIOCGIFHWADDR, _HARDWARE.pack(interface.encode(), 0))
    return _HARDWARE.unpack(answer)[1] in {_ETHERNET, _LOOPBACK}


Labelled = tuple[int, str, str, int] | str
"""An instruction whose jumps go to labels (empty: the next one), or a label."""


def assemble(program: Iterable[Labelled]) -> list[options.Instruction]:
    """Labels to distances."""
    lines: list[tuple[int, str, str, int]] = []
    at: dict[str, int] = {}
    for each in program:
        if isinstance(each, str):
            at[each] = len(lines)
        else:
            lines.append(each)
    return [
        (code, at[yes] - number - 1 if yes else 0, at[no] - number - 1 if no else 0, constant)
        for number, (code, yes, no, constant) in enumerate(lines)
    ]


_LOAD_WORD_AT_X, _LOAD_HALF_AT_X, _LOAD_X, _X_TO_A, _ADD, _AND = 0x40, 0x48, 0x01, 0x87, 0x04, 0x54
_TAGS: Final = (0x8100, 0x88A8, 0x9100)
_TAGS_MAX: Final = 4
_IPV4, _IPV6, _ARP = 0x0800, 0x86DD, 0x0806
_VIRTUAL_MAC: Final = 0x00005E00
_ICMPV6, _NEIGHBOUR_ADVERTISEMENT = 58, 136


def _jump(constant: int, yes: str, no: str = "") -> Labelled:
    return (options.JUMP_IF_EQUAL, yes, no, constant)


def _ethernet_program() -> list[Labelled]:
    """Behind up to four tags: VRRP, and what ARP and NA say in the name of a virtual MAC. X: octets of tags."""
    program: list[Labelled] = [(_LOAD_X, "", "", 0)]
    for number in range(_TAGS_MAX):
        program += [
            (_LOAD_HALF_AT_X, "", "", 12),
            *(_jump(tag, f"tag{number}") for tag in _TAGS),
            (options.JUMP_IF_EQUAL, "untagged", "untagged", 0),
            f"tag{number}",
            (_X_TO_A, "", "", 0),
            (_ADD, "", "", 4),
            (options.COPY_TO_X, "", "", 0),
        ]
    return [
        *program,
        (_LOAD_HALF_AT_X, "", "", 12),
        "untagged",
        _jump(_IPV4, "ipv4"),
        _jump(_IPV6, "ipv6"),
        _jump(_ARP, "arp", "discard"),
        "ipv4",
        (options.LOAD_BYTE_AT_X, "", "", 23),
        _jump(_VRRP, "accept"),
        _jump(_AH, "accept", "discard"),
        "arp",
        (_LOAD_WORD_AT_X, "", "", 22),
        _jump(_VIRTUAL_MAC, "accept", "discard"),
        "ipv6",
        (options.LOAD_BYTE_AT_X, "", "", 20),
        *(_jump(following, "accept") for following in _BEFORE_VRRP),
        _jump(_ICMPV6, "", "discard"),
        (options.LOAD_BYTE_AT_X, "", "", 54),
        _jump(_NEIGHBOUR_ADVERTISEMENT, "", "discard"),
        (options.LOAD_WORD, "", "", 6),
        _jump(_VIRTUAL_MAC, "accept", "discard"),
        "accept",
        (options.RETURN, "", "", 0xFFFFFFFF),
        "discard",
        (options.RETURN, "", "", 0),
    ]


_IP_PROGRAM: Final[tuple[Labelled, ...]] = (
    (options.LOAD_BYTE, "", "", 0),
    (_AND, "", "", 0xF0),
    _jump(0x40, "ipv4"),
    _jump(0x60, "ipv6", "discard"),
    "ipv4",
    (options.LOAD_BYTE, "", "", 9),
    _jump(_VRRP, "accept"),
    _jump(_AH, "accept", "discard"),
    "ipv6",
    (options.LOAD_BYTE, "", "", 6),
    *(_jump(following, "accept") for following in _BEFORE_VRRP),
    "discard",
    (options.RETURN, "", "", 0),
    "accept",
    (options.RETURN, "", "", 0xFFFFFFFF),
)

ETHERNET_FILTER: Final = assemble(_ethernet_program())
IP_FILTER: Final = assemble(_IP_PROGRAM)
