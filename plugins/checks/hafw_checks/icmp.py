"""Echo requests to several hosts at once, and who answers.

By ICMP sockets, for which no right is needed: the kernel gives each its own identifier and its own answers, and lets
those groups have one that ``net.ipv4.ping_group_range`` names (for IPv6 as well). Who has CAP_NET_RAW needs no range.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import time
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hafw_checks.reach import Deadline

Target = IPv4Address | IPv6Address

_REQUEST: Final = {4: 8, 6: 128}
_REPLY: Final = {4: 0, 6: 129}
_HEADER: Final = struct.Struct("!BBHHH")
"""Type, code, checksum, identifier, sequence number (RFC 792, RFC 4443 section 4.1)."""
_ICMP6_FILTER: Final = 1
_TOKEN: Final = 16
"""Octets by which an answer is known as one to us."""


class DeniedError(Exception):
    """No ICMP socket for who we are."""


def open_socket(version: int, source: str = "") -> Pinger:
    """For this family; raises ``DeniedError``, and ``OSError`` where the own address is none."""
    family, protocol = (
        (socket.AF_INET, socket.IPPROTO_ICMP) if version == 4 else (socket.AF_INET6, socket.IPPROTO_ICMPV6)
    )
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            opened = socket.socket(family, kind | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, protocol)
        except PermissionError:
            continue
        try:
            if source:
                opened.bind((source, 0))
            return Pinger(opened, version, raw=kind == socket.SOCK_RAW)
        except BaseException:
            opened.close()
            raise
    raise DeniedError


class Pinger:
    """One socket, of one family. Its numbers are its own: late answers to another's are none to it."""

    def __init__(self, opened: socket.socket, version: int, *, raw: bool) -> None:
        self._socket, self._version, self._raw = opened, version, raw
        self._token = os.urandom(_TOKEN)
        self._id = int.from_bytes(self._token[:2])
        if raw and version == 6:  # echo replies only
            opened.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, _only(_REPLY[6]))

    def fileno(self) -> int:
        """Readable when something came."""
        return self._socket.fileno()

    def close(self) -> None:
        """At once."""
        self._socket.close()

    def send(self, target: Target, number: int) -> None:
        """Ask once; raises ``OSError`` with the kernel's reason."""
        head = _HEADER.pack(_REQUEST[self._version], 0, 0, self._id, number)
        total = checksum(head + self._token) if self._version == 4 else 0  # of IPv6 the kernel makes it
        packet = _HEADER.pack(_REQUEST[self._version], 0, total, self._id, number) + self._token
        self._socket.sendto(packet, (str(target), 0))

    def answers(self) -> Iterator[tuple[Target, int]]:
        """Who has answered to which number; ends when nothing more has come."""
        with contextlib.suppress(BlockingIOError):
            for _ in range(1000):  # whoever floods us does not hold us
                packet, (host, *_rest) = self._socket.recvfrom(2048)
                if self._raw and self._version == 4:
                    packet = packet[4 * (packet[0] & 15) :]
                if len(packet) < _HEADER.size or packet[_HEADER.size :] != self._token:
                    continue
                kind, code, _, _, number = _HEADER.unpack_from(packet)
                if (kind, code) == (_REPLY[self._version], 0):
                    yield ip_address(host.partition("%")[0]), number


def _only(kind: int) -> bytes:
    """An ICMPv6 filter that passes this type alone: a bit that is set blocks (RFC 3542 section 3.2)."""
    words = [0xFFFFFFFF] * 8
    words[kind // 32] &= ~(1 << kind % 32)
    return struct.pack("=8I", *words)


def checksum(octets: bytes) -> int:
    """Of an even number of octets (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """How the hosts are asked."""

    targets: Sequence[Target]
    count: int
    """Requests to each, at most: whoever has answered is not asked again."""
    spacing: float
    """Seconds between two."""
    source: str = ""

    def run(self, deadline: Deadline) -> dict[Target, float | str]:
        """By target, the seconds until it answered, or why it did not. Ends early when all have answered."""
        pingers: dict[int, Pinger] = {}
        with contextlib.ExitStack() as stack:
            for version in {each.version for each in self.targets}:
                pingers[version] = open_socket(version, self.source)
                stack.callback(pingers[version].close)
            return _Course(self, pingers).run(deadline)


class _Course:
    """One round under way."""

    def __init__(self, plan: Round, pingers: dict[int, Pinger]) -> None:
        self._plan, self._pingers = plan, pingers
        self._sent: dict[int, tuple[Target, float]] = {}
        self._found: dict[Target, float | str] = {}

    def run(self, deadline: Deadline) -> dict[Target, float | str]:
        for turn in range(self._plan.count):
            self._ask(turn)
            last = turn == self._plan.count - 1
            self._listen(deadline.left if last else min(self._plan.spacing, deadline.left))
            if not self._silent():
                break
        return {each: self._found.get(each, f"no answer within {deadline}") for each in self._plan.targets}

    def _silent(self) -> list[Target]:
        return [each for each in self._plan.targets if not isinstance(self._found.get(each), float)]

    def _ask(self, turn: int) -> None:
        for each in self._silent():
            number = turn * len(self._plan.targets) + self._plan.targets.index(each)
            try:
                self._pingers[each.version].send(each, number)
            except OSError as error:
                hint = " (a packet filter?)" if isinstance(error, PermissionError) else ""
                self._found[each] = f"{(error.strerror or str(error)).lower()}{hint}"
            else:
                self._found.pop(each, None)
                self._sent[number] = each, time.monotonic()

    def _listen(self, seconds: float) -> None:
        """Until all have answered that could be asked, or for so long."""
        until = time.monotonic() + seconds
        while self._waits() and (left := until - time.monotonic()) > 0:
            ready, _, _ = select.select(list(self._pingers.values()), [], [], left)
            self._hear(ready)

    def _waits(self) -> bool:
        return any(each not in self._found for each in self._plan.targets)

    def _hear(self, ready: Iterable[Pinger]) -> None:
        now = time.monotonic()
        for pinger in ready:
            for host, number in pinger.answers():
                target, sent = self._sent.get(number, (None, 0.0))
                if target is not None and _same(target, host):
                    self._found[target] = now - sent


def _same(target: Target, host: Target) -> bool:
    """A link-local address is the same whichever link it is written with: the socket has sent on the right one."""
    return target.packed == host.packed
