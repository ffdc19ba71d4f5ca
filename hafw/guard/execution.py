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

from hafw import footprint
from hafw import will as last_will
from hafw.guard.words import say
from hafw.seal import Messenger
from hafw.wire.claims import ClaimSocket
from hafw.wire.macvlan import has_virtual_mac
from hafw.wire.netlink import Netlink
from hafw.wire.rtmessages import MalformedMessage
from hafw.wire.sockets import VrrpSocket

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from hafw.guard.sockets import SharedSockets
    from hafw.vrrp.settings import IPAddress
    from hafw.will import Bequest, Will
    from hafw.wire.rtmessages import AddressEntry, Link

    Place = tuple[int, IPAddress]
    """Interface index and address."""


def execute_leftover() -> bool:
    """Execute and remove the will that nobody of us is left to execute; tell whether there was one.

    Nobody saw its writer die: the record's age has to do. Whoever was to claim the addresses has done so when three
    intervals are over; then nothing is waited for.
    """
    bequests = read_will().bequests
    if bequests:
        say("will_begins", routers=",".join(each.name for each in bequests))
        now = time.monotonic()
        died_at = now - last_will.dead_for()
        # Later somebody else is MASTER, and a third router would take our goodbye for that one's.
        say_goodbyes([each for each in bequests if died_at + each.hold > now])
        with Estate() as estate:
            estate.take([(each, died_at + each.hold) for each in bequests])
            estate.settle()
        say("will_done", routers=",".join(each.name for each in bequests))
    there = last_will.will_path().exists() or bool(footprint.read())
    leave_no_footprint()
    last_will.clear()
    return there


def leave_no_footprint() -> None:
    """Undo what the daemon changed of the network beside addresses; they are gone."""
    if footprint.read():
        try:
            with Netlink() as netlink:
                left = footprint.erase(netlink)
        except (OSError, MalformedMessage) as error:
            left = [str(error)]
        for each in left:
            say("not_undone", reason=each)


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
        except (OSError, ValueError) as error:
            say("goodbye_failed", router=bequest.name, reason=error)


def _say_goodbye(bequest: Bequest, wire: VrrpSocket) -> None:
    messenger = Messenger(bequest, bequest.goodbyes)
    for message, source, destination in messenger.letters():
        wire.send(message, source, destination, messenger.mac)


class Estate:
    """Addresses that are held until somebody claims them or their time is over, and then removed."""

    def __init__(self) -> None:
        self._held: dict[Place, tuple[list[AddressEntry], float]] = {}
        self._devices: set[int] = set()
        """Links with a virtual MAC, which are switched off when nothing is held on them."""
        self._claims: dict[tuple[int, int], ClaimSocket] = {}
        """By interface and family: a claim counts where it was heard, and the same address may be elsewhere too."""
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def claims(self) -> Collection[ClaimSocket]:
        """Readable when ``step`` has something to do."""
        return self._claims.values()

    @property
    def settled(self) -> bool:
        """Nothing is left."""
        return not self._held

    @property
    def deadline(self) -> float:
        """When ``step`` has something to do at the latest."""
        return min((until for _, until in self._held.values()), default=float("inf"))

    def take(self, bequests: Sequence[tuple[Bequest, float]]) -> None:
        """Look which addresses of these are there, each to be held until its time."""
        if not bequests:
            return
        self._netlink = self._stack.enter_context(Netlink())
        links = {link.index: link for link in self._netlink.links()}
        indices = {link.name: index for index, link in links.items()}
        self._devices |= {index for index, link in links.items() if has_virtual_mac(link)}
        there: dict[Place, list[AddressEntry]] = {}
        for entry in self._netlink.addresses():  # one address may be there with several lengths
            there.setdefault((entry.ifindex, entry.address), []).append(entry)
        for bequest, until in bequests:
            for each in bequest.addresses:
                index = bequest.links.get(each.interface, 0)  # its name may be another's by now
                place = (index if index in links else indices.get(each.interface, 0)), ip_address(each.address)
                if place in there:
                    self._held[place] = there[place], until
        self._listen(links)
        self.step()

    def _listen(self, links: Mapping[int, Link]) -> None:
        """Of a device whose MAC is the claimant's too, claims arrive below it."""
        watched: dict[tuple[int, int], set[IPAddress]] = {}
        for index, address in self._held:
            watched.setdefault((index, address.version), set()).add(address)
        for (index, family), addresses in watched.items():
            if (index, family) not in self._claims:
                below = links.get(links[index].parent) if index in self._devices else None
                heard_on = below or links[index]
                opened = self._stack.enter_context(ClaimSocket(heard_on.index, family, heard_on.mac))
                self._claims[index, family] = opened
            self._claims[index, family].watch(addresses)

    def step(self) -> None:
        """Hear who claimed what, and remove what was claimed or has had its time."""
        claimed = {(index, address) for (index, _), heard in self._claims.items() for address in heard.drain()}
        now = time.monotonic()
        going = [place for place, (_, until) in self._held.items() if place in claimed or now >= until]
        entries = [entry for place in going for entry in self._held.pop(place)[0]]
        for index in self._devices & {index for index, _ in going} - {index for index, _ in self._held}:
            with contextlib.suppress(OSError):  # first, so that it says nothing of what it loses; see daemon's Devices
                self._netlink.switch(index, up=False)
        for refusal in self._netlink.change([], entries) if entries else ():
            say("address_stuck", address=refusal.address, reason=refusal.message)

    def settle(self) -> None:
        """Wait until nothing is left."""
        poll = select.poll()  # a guard of many interfaces has descriptors that are beyond select
        for heard in self.claims:
            poll.register(heard.fileno(), select.POLLIN)
        while not self.settled:
            poll.poll(max(self.deadline - time.monotonic(), 0) * 1000)
            self.step()

    def close(self) -> None:
        """Stop listening."""
        self._stack.close()
