"""The will, carried out: a handover on behalf of a daemon that is dead.

One priority 0 for each router that was MASTER, then the addresses go on answering until another machine claims them,
at most three intervals, then they are removed. Removing them at once would cost the client the successor's skew time
for nothing.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from ipaddress import ip_address
from typing import TYPE_CHECKING, Self

from hafw import will as last_will
from hafw.guard.words import say
from hafw.wire.claims import ClaimSocket
from hafw.wire.netlink import Netlink
from hafw.wire.sockets import VrrpSocket

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hafw.guard.sockets import SharedSockets
    from hafw.vrrp.settings import IPAddress
    from hafw.will import Bequest, Will
    from hafw.wire.rtmessages import AddressEntry, Link


def execute_leftover() -> bool:
    """Execute and remove the will that nobody of us is left to execute; tell whether there was one.

    Nobody saw its writer die: the record's age has to do. Whoever was to claim the addresses has done so when three
    intervals are over; then nothing is waited for.
    """
    bequests = read_will().bequests
    if bequests:
        say("will_begins", routers=",".join(each.name for each in bequests))
        died_at = time.monotonic() - last_will.dead_for()
        say_goodbyes(bequests)
        with Estate() as estate:
            estate.take([(each, died_at + each.hold) for each in bequests])
            estate.settle()
        say("will_done", routers=",".join(each.name for each in bequests))
    there = last_will.will_path().exists()
    last_will.clear()
    return there


def read_will() -> Will:
    """What is left behind; of a record that cannot be read nothing, and it is named."""
    try:
        return last_will.read() or last_will.Will(0)
    except last_will.BadWill as error:
        say("will_unreadable", path=last_will.will_path(), reason=error, action="look for leftover addresses yourself")
        return last_will.Will(0)


def say_goodbyes(bequests: Iterable[Bequest], sockets: SharedSockets | None = None) -> None:
    """Send the prepared priority 0 of each, once: a repeat would restart the peers' skew.

    On a socket of the daemon's where there is one, since that is open already.
    """
    for bequest in bequests:
        if not bequest.goodbyes:
            continue
        try:
            wire = sockets.of(bequest) if sockets else None
            if wire is not None:
                _say_goodbye(bequest, wire)
                continue
            ifindex = socket.if_nametoindex(bequest.interface)
            with contextlib.closing(VrrpSocket.open(bequest.interface, ifindex, bequest.family, None)) as opened:
                _say_goodbye(bequest, opened)
        except OSError as error:
            say("goodbye_failed", router=bequest.name, reason=error)


def _say_goodbye(bequest: Bequest, wire: VrrpSocket) -> None:
    for target, message in bequest.goodbyes.items():
        wire.send(bytes.fromhex(message), ip_address(bequest.source), ip_address(target))


class Estate:
    """Addresses that are held until somebody claims them or their time is over, and then removed."""

    def __init__(self) -> None:
        self.claims: list[ClaimSocket] = []
        """Readable when ``step`` has something to do."""
        self._entries: dict[IPAddress, tuple[AddressEntry, float]] = {}
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def settled(self) -> bool:
        """Nothing is left."""
        return not self._entries

    @property
    def deadline(self) -> float:
        """When ``step`` has something to do at the latest."""
        return min((until for _, until in self._entries.values()), default=float("inf"))

    def take(self, bequests: Sequence[tuple[Bequest, float]]) -> None:
        """Look which addresses of these are there, each to be held until its time."""
        if not bequests:
            return
        self._netlink = self._stack.enter_context(Netlink())
        links = {link.name: link for link in self._netlink.links()}
        there = {(entry.ifindex, entry.address): entry for entry in self._netlink.addresses()}
        for bequest, until in bequests:
            for each in bequest.addresses:
                link = links.get(each.interface)
                entry = there.get((link.index, ip_address(each.address))) if link else None
                if entry is not None:
                    self._entries[entry.address] = (entry, until)
        self._listen(links)
        self.step()

    def _listen(self, links: Mapping[str, Link]) -> None:
        macs = {link.index: link.mac for link in links.values()}
        for index, family in {(entry.ifindex, entry.address.version) for entry, _ in self._entries.values()}:
            claims = self._stack.enter_context(ClaimSocket(index, family, macs[index]))
            claims.watch(self._entries.keys())
            self.claims.append(claims)

    def step(self) -> None:
        """Hear who claimed what, and remove what was claimed or has had its time."""
        claimed = {address for claims in self.claims for address in claims.drain()}
        now = time.monotonic()
        going = [address for address, (_, until) in self._entries.items() if address in claimed or now >= until]
        entries = [self._entries.pop(address)[0] for address in going]
        for refusal in self._netlink.change([], entries) if entries else ():
            say("address_stuck", address=refusal.address, reason=refusal.message)

    def settle(self) -> None:
        """Wait until nothing is left."""
        while not self.settled:
            select.select(self.claims, [], [], max(self.deadline - time.monotonic(), 0))
            self.step()

    def close(self) -> None:
        """Stop listening."""
        self._stack.close()
