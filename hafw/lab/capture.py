"""What was on the wire, and who sent it: every VRRP advert and every claim of an address, stamped by the kernel.

The socket listens on all ports of the switch and hears a frame where it enters, so the name of the port tells which
host sent it. A filter in the kernel leaves pings and pages out: the queue holds minutes of the rest, and
nothing has to read it meanwhile.
"""

from __future__ import annotations

import contextlib
import ctypes
import select
import socket
import struct
import time
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hafw.vrrp.settings import IPAddress

_ETH_P_ALL: Final = 3
_ETH_P_ARP: Final = 0x0806
_ETH_P_IP: Final = 0x0800
_ETH_P_IPV6: Final = 0x86DD
_SO_TIMESTAMPNS: Final = 35
_SO_RCVBUFFORCE: Final = 33
_SO_ATTACH_FILTER: Final = 26
_PACKET_STATISTICS: Final = 6
_SOL_PACKET: Final = 263
_PACKET_OUTGOING: Final = 4
_PACKET_IGNORE_OUTGOING: Final = 23
_QUEUE_OCTETS: Final = 16 << 20
_MAX_SEEN: Final = 1_000_000

# Classic BPF (code, jump if true, jump if false, operand): accept ARP, IPv4 protocol 112, IPv6 next header 112 and
# neighbor advertisements.
_FILTER: Final = (
    (0x28, 0, 0, 12),
    (0x15, 10, 0, _ETH_P_ARP),
    (0x15, 1, 0, _ETH_P_IP),
    (0x15, 2, 7, _ETH_P_IPV6),
    (0x30, 0, 0, 23),
    (0x15, 6, 5, 112),
    (0x30, 0, 0, 20),
    (0x15, 4, 0, 112),
    (0x15, 0, 2, 58),
    (0x30, 0, 0, 54),
    (0x15, 1, 0, 136),
    (0x06, 0, 0, 0),
    (0x06, 0, 0, 0xFFFF),
)


@dataclass(frozen=True, slots=True)
class Advert:
    """One VRRP advertisement as it left a host."""

    time: float
    """Seconds of ``time.time``, from the kernel."""
    host: str
    source: IPAddress
    destination: IPAddress
    version: int
    vrid: int
    priority: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A gratuitous ARP or an unsolicited NA."""

    time: float
    host: str
    address: IPAddress


Frame = Advert | Claim


class Capture:
    """Frames in the order in which they were heard; open it inside the switch's namespace."""

    def __init__(self, ports: Mapping[str, str], queue: int = _QUEUE_OCTETS) -> None:
        """Hear these ports, each with the host behind it; ``queue`` octets may wait for the reader."""
        self._ports = ports
        self._seen: list[Frame] = []
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in _FILTER))
        self._socket.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(_FILTER), ctypes.addressof(program))
        )
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, queue)
        except PermissionError:  # old kernels ask for the capability outside the user namespace
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, queue)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        with contextlib.suppress(OSError):  # before Linux 4.20 what the switch floods is queued too, and skipped below
            self._socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        self._socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):  # what came in before the filter was there
            while True:
                self._socket.recv(1)

    def close(self) -> None:
        """Stop listening; what was read stays."""
        self._socket.close()

    def read(self) -> list[Frame]:
        """Return everything heard so far. A frame that the queue had to drop is an error: the record has a hole."""
        while True:
            try:
                data, control, _, (port, _, kind, *_) = self._socket.recvmsg(2048, 64)
            except BlockingIOError:
                break
            if kind != _PACKET_OUTGOING and port in self._ports:
                frame = _parse(data, _stamp(control), self._ports[port])
                if frame is not None:
                    self._seen.append(frame)
        _, dropped = struct.unpack("II", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
        if dropped or len(self._seen) > _MAX_SEEN:
            raise OverflowError(f"capture: {dropped} frames dropped, {len(self._seen)} kept: read it more often")
        return self._seen

    def adverts(self, host: str | None = None, since: float = 0.0) -> list[Advert]:
        """Return the adverts heard after a moment, of one host or of all."""
        return [
            frame
            for frame in self.read()
            if isinstance(frame, Advert) and frame.time >= since and host in (None, frame.host)
        ]

    def claims(self, host: str | None = None, since: float = 0.0) -> list[Claim]:
        """Return the claims heard after a moment, of one host or of all."""
        return [
            frame
            for frame in self.read()
            if isinstance(frame, Claim) and frame.time >= since and host in (None, frame.host)
        ]

    def wait_for_advert(self, wanted: Callable[[Advert], bool], *, since: float, timeout: float) -> Advert | None:
        """Return the first such advert after ``since``, waiting for it if need be; ``None`` after ``timeout``."""
        deadline = time.monotonic() + timeout
        while True:
            for advert in self.adverts(since=since):
                if wanted(advert):
                    return advert
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            select.select([self._socket], [], [], left)


def _stamp(control: list[tuple[int, int, bytes]]) -> float:
    for level, kind, data in control:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
            seconds, nanoseconds = struct.unpack("qq", data)
            return float(seconds + nanoseconds / 1e9)
    return time.time()


def _parse(data: bytes, moment: float, host: str) -> Frame | None:
    """``None`` for what is none of ours: other ARP, truncated frames."""
    try:
        kind = int.from_bytes(data[12:14], "big")
        if kind == _ETH_P_ARP:
            return _parse_arp(data, moment, host)
        if kind == _ETH_P_IP:
            header = (data[14] & 0x0F) * 4
            source, destination = IPv4Address(data[26:30]), IPv4Address(data[30:34])
            return _parse_vrrp(data[14 + header :], moment, host, source, destination)
        if data[20] == 112:
            return _parse_vrrp(data[54:], moment, host, IPv6Address(data[22:38]), IPv6Address(data[38:54]))
        # Solicited is the second bit of an NA's flags (RFC 4861 section 4.4).
        return None if data[58] & 0x40 else Claim(moment, host, IPv6Address(data[62:78]))
    except (IndexError, ValueError):
        return None


def _parse_arp(data: bytes, moment: float, host: str) -> Claim | None:
    sender, target = data[28:32], data[38:42]
    return Claim(moment, host, ip_address(sender)) if sender == target else None


def _parse_vrrp(message: bytes, moment: float, host: str, source: IPAddress, destination: IPAddress) -> Advert | None:
    if message[0] & 0x0F != 1:
        return None
    return Advert(moment, host, source, destination, message[0] >> 4, message[1], message[2])
