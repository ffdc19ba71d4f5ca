"""Program: ``python -m hafw.lab.ping ADDRESS`` sends an echo request every millisecond, and says what became of each.

It runs in a process of its own, so that nobody's Python delays it, and writes to a file, so that no reader does. One
line per request, in the order of their fates: when it was sent, when it was answered (0: never), both in nanoseconds
of ``time.time_ns``, and ``-`` for who answered.
"""

from __future__ import annotations

import gc
import os
import select
import socket
import struct
import sys
import time
from collections import deque
from ipaddress import ip_address
from typing import Final

PERIOD: Final = 0.001
TIMEOUT: Final = 0.1
"""An answer that is later than this is none."""

_FLUSH_EVERY: Final = 20
_ECHO = struct.Struct("!BBHHHq")


def main(address: str) -> None:
    """Send until killed."""
    gc.disable()
    version = ip_address(address).version
    link = _open(address, version)
    identity = os.getpid() & 0xFFFF
    waiting: deque[int] = deque()
    answered: set[int] = set()
    tick = time.monotonic()
    for number in range(sys.maxsize):
        sent = time.time_ns()
        try:
            link.send(_request(version, identity, number & 0xFFFF, sent))
            waiting.append(sent)
        except OSError:  # no route or a full queue: as lost as on the wire
            _report(sent, 0)
        tick = max(tick + PERIOD, time.monotonic())
        while (left := tick - time.monotonic()) > 0:
            if select.select([link], [], [], left)[0]:
                _receive(link, version, identity, answered)
        _give_up(waiting, answered)
        if number % _FLUSH_EVERY == 0:
            sys.stdout.flush()


def _open(address: str, version: int) -> socket.socket:
    if version == 4:
        link = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    else:
        link = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    link.setblocking(False)
    link.connect(socket.getaddrinfo(address, None, flags=socket.AI_NUMERICHOST)[0][4])
    return link


def _request(version: int, identity: int, sequence: int, sent: int) -> bytes:
    """Echo request with the time in it; over IPv6 the kernel computes the checksum (RFC 3542 section 3.1)."""
    if version == 6:
        return _ECHO.pack(128, 0, 0, identity, sequence, sent)
    message = _ECHO.pack(8, 0, 0, identity, sequence, sent)
    checksum = -int.from_bytes(message, "big") % 0xFFFF
    return _ECHO.pack(8, 0, checksum, identity, sequence, sent)


def _receive(link: socket.socket, version: int, identity: int, answered: set[int]) -> None:
    try:
        data = link.recv(256)
    except OSError:  # an ICMP error about one of our own: the request stays unanswered
        return
    now = time.time_ns()
    message = data[(data[0] & 0x0F) * 4 :] if version == 4 else data
    if len(message) != _ECHO.size:
        return
    kind, _, _, who, _, sent = _ECHO.unpack(message)
    if kind in (0, 129) and who == identity and now - sent <= TIMEOUT * 1e9 and sent not in answered:
        answered.add(sent)
        _report(sent, now)


def _give_up(waiting: deque[int], answered: set[int]) -> None:
    now = time.time_ns()
    while waiting and now - waiting[0] > TIMEOUT * 1e9:
        sent = waiting.popleft()
        if sent in answered:
            answered.remove(sent)
        else:
            _report(sent, 0)


def _report(sent: int, answered: int) -> None:
    sys.stdout.write(f"{sent} {answered} -\n")


if __name__ == "__main__":
    main(sys.argv[1])
