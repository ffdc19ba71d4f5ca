"""Socket options that the standard library has no name for."""

from __future__ import annotations

import ctypes
import socket
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hafw.vrrp.settings import IPAddress

Instruction = tuple[int, int, int, int]
"""Of a classic BPF program: code, jump if true, jump if false, constant."""

LOAD_BYTE: Final = 0x30
LOAD_HALF: Final = 0x28
LOAD_WORD: Final = 0x20
LOAD_BYTE_AT_X: Final = 0x50
LOAD_X_IP_HEADER_LENGTH: Final = 0xB1
"""X becomes four times the low half of the byte at the constant: an IPv4 header's length."""
COPY_TO_X: Final = 0x07
JUMP_IF_EQUAL: Final = 0x15
JUMP_IF_EQUAL_X: Final = 0x1D
RETURN: Final = 0x06
DISCARD: Final = (RETURN, 0, 0, 0)
ACCEPT: Final = (RETURN, 0, 0, 0xFFFFFFFF)

IP_PKTINFO: Final = 8
IP_MULTICAST_ALL: Final = 49
IPV6_MULTICAST_ALL: Final = 29
IN_PKTINFO: Final = struct.Struct("=i4s4s")
"""Index of the interface, address of ours, destination."""
IN6_PKTINFO: Final = struct.Struct("=16sI")
"""Address, index of the interface."""

_SO_ATTACH_FILTER = 26
_SO_RCVBUFFORCE = 33


def set_receive_buffer(opened: socket.socket, size: int) -> None:
    """As large as asked for with CAP_NET_ADMIN, as the system's limit allows without."""
    try:
        opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, size)
    except PermissionError:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)


def attach_filter(opened: socket.socket, program: Sequence[Instruction]) -> None:
    """Let the kernel drop what the program discards; replaces the filter that was there, in one step."""
    code = b"".join(struct.pack("=HBBI", *each) for each in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", len(program), ctypes.addressof(buffer)))


def join_group(opened: socket.socket, group: IPAddress, ifindex: int) -> None:
    """Membership of one interface, as long as the socket is open; raises ``OSError``."""
    if group.version == 4:
        membership = struct.pack("=4s4si", group.packed, bytes(4), ifindex)
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
    else:
        membership = struct.pack("=16si", group.packed, ifindex)
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)


def member_of(group: IPAddress, ifindex: int) -> socket.socket:
    """A socket that is for nothing but the membership; raises ``OSError``."""
    family = socket.AF_INET if group.version == 4 else socket.AF_INET6
    member = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        join_group(member, group, ifindex)
    except OSError:
        member.close()
        raise
    return member
