"""Program: ``python -m hafw.lab.ping ADDRESS...`` sends each of them an echo request every millisecond.

It says what became of each. It runs in a process of its own, so that nobody's Python delays it, and writes to a file,
so that no reader does. One line per request, in the order of their fates: when it was sent, when it was answered (by
the kernel's stamp; 0: never), both in nanoseconds of ``time.time_ns``, ``-`` for who answered, and whom it asked.

``--in-turn A,B,C`` asks one of these per period beside, for when there are too many to ask them all. ``--realtime``
goes before everything else on the processor, where that is permitted.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import itertools
import os
import select
import socket
import struct
import sys
import time
from collections import deque
from ipaddress import ip_address
from typing import Any, Final

PERIOD: Final = 0.001
TIMEOUT: Final = 0.1
"""An answer that is later than this is none."""

_FLUSH_EVERY: Final = 20
_ECHO = struct.Struct("!BBHHHq")
_STAMP = struct.Struct("qq")
_SO_TIMESTAMPNS: Final = 35
_REALTIME_PRIORITY: Final = 90


class Pinger:
    """Requests under way, and their fates; all addresses are of one family."""

    def __init__(self, addresses: list[str], in_turn: list[str]) -> None:
        """Open the one socket that serves them all."""
        self._version = ip_address((addresses + in_turn)[0]).version
        self._always = [(one, _resolved(one)) for one in addresses]
        self._turns = itertools.cycle([(one, _resolved(one)) for one in in_turn]) if in_turn else None
        self._identity = os.getpid() & 0xFFFF
        self._waiting: deque[int] = deque()
        self._asked: dict[int, str] = {}
        family = {4: (socket.AF_INET, socket.IPPROTO_ICMP), 6: (socket.AF_INET6, socket.IPPROTO_ICMPV6)}
        kind, protocol = family[self._version]
        self.link: Final = socket.socket(kind, socket.SOCK_RAW, protocol)
        self.link.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.link.setblocking(False)

    def ask(self, number: int) -> None:
        """Send everything that is due in this period."""
        for target in self._always:
            self._send(*target, number)
        if self._turns is not None:
            self._send(*next(self._turns), number)

    def hear(self) -> None:
        """Take what has come; an answer's time is when the kernel had it, however late it is read."""
        while True:
            try:
                data, control, _, _ = self.link.recvmsg(256, 64)
            except OSError:  # no more of them; or the interface went down, and the requests stay unanswered
                return
            message = data[(data[0] & 0x0F) * 4 :] if self._version == 4 else data
            if len(message) != _ECHO.size:
                continue
            kind, _, _, who, _, sent = _ECHO.unpack(message)
            if kind in (0, 129) and who == self._identity and sent in self._asked:
                seconds, nanoseconds = _STAMP.unpack(control[0][2])
                answered = seconds * 1_000_000_000 + nanoseconds
                _report(sent, answered if answered - sent <= TIMEOUT * 1e9 else 0, self._asked.pop(sent))

    def give_up(self) -> None:
        """Report what is overdue as lost; hear first."""
        now = time.time_ns()
        while self._waiting and now - self._waiting[0] > TIMEOUT * 1e9:
            sent = self._waiting.popleft()
            address = self._asked.pop(sent, None)
            if address is not None:
                _report(sent, 0, address)

    def _send(self, address: str, where: Any, number: int) -> None:  # noqa: ANN401 - as the socket module has it
        sent = time.time_ns()
        try:
            self.link.sendto(_request(self._version, self._identity, number & 0xFFFF, sent), where)
        except OSError:  # no route or a full queue: as lost as on the wire
            _report(sent, 0, address)
        else:
            self._waiting.append(sent)
            self._asked[sent] = address


def main(addresses: list[str], *, in_turn: list[str], period: float = PERIOD) -> None:
    """Send until killed."""
    gc.disable()
    pinger = Pinger(addresses, in_turn)
    tick = time.monotonic()
    for number in itertools.count():
        pinger.ask(number)
        tick = max(tick + period, time.monotonic())
        while True:
            left = tick - time.monotonic()
            if select.select([pinger.link], [], [], max(0.0, left))[0]:
                pinger.hear()
            if left <= 0:
                break
        pinger.give_up()
        if number % _FLUSH_EVERY == 0:
            sys.stdout.flush()


def go_first() -> None:
    """Take the processor before everything else; where that is denied, take turns as before."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(_REALTIME_PRIORITY))


def _resolved(address: str) -> Any:  # noqa: ANN401 - as the socket module has it
    return socket.getaddrinfo(address, None, flags=socket.AI_NUMERICHOST)[0][4]


def _request(version: int, identity: int, sequence: int, sent: int) -> bytes:
    """Echo request with the time in it; over IPv6 the kernel computes the checksum (RFC 3542 section 3.1)."""
    if version == 6:
        return _ECHO.pack(128, 0, 0, identity, sequence, sent)
    message = _ECHO.pack(8, 0, 0, identity, sequence, sent)
    checksum = -int.from_bytes(message, "big") % 0xFFFF
    return _ECHO.pack(8, 0, checksum, identity, sequence, sent)


def _report(sent: int, answered: int, address: str) -> None:
    sys.stdout.write(f"{sent} {answered} - {address}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("addresses", nargs="+")
    parser.add_argument("--in-turn", type=lambda text: text.split(","), default=[])
    parser.add_argument("--realtime", action="store_true")
    chosen = parser.parse_args()
    if chosen.realtime:
        go_first()
    main(chosen.addresses, in_turn=chosen.in_turn)
