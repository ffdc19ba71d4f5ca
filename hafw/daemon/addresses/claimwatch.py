"""Listens for other machines' claims of our addresses, on every interface where a router has any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from hafw.daemon.addresses.kernelview import ip_of
from hafw.vrrp.events import AddressesClaimed
from hafw.wire.claims import ClaimSocket

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from hafw.daemon.addresses.wishes import Wish
    from hafw.vrrp.settings import IPAddress
    from hafw.wire.rtmessages import Link

DRAINS = 6
"""Times that a socket is drained before its claims are reported: a successor sends at most some 1,000 in a pause."""
SPLIT_BRAIN_INTERVAL = 1.0
"""Seconds between two reports of claims of addresses that a router serves."""
CLAIM_PAUSE = 0.02
"""Seconds between two reads of a socket: a successor announces one by one, and each report costs an election."""

Segment = tuple[str, int]
"""Interface name and address family: ARP and neighbour discovery are heard by sockets of their own."""


@dataclass(frozen=True, slots=True, eq=False)
class _Listener:
    link: tuple[int, str]
    """Index and MAC: when one changes, the socket is of no use."""
    socket: ClaimSocket
    scope: trio.CancelScope


class Claimants:
    """Makes reports of what was heard: while a router holds any address, every claim counts; else now and then."""

    def __init__(self) -> None:
        self._quiet_until: dict[str, float] = {}

    def of(
        self, wishes: Iterable[Wish], interface: str, claims: Mapping[IPAddress, str], shared_mac: str
    ) -> Iterator[AddressesClaimed]:
        """``shared_mac``: what all routers claim addresses of this interface with; where it is virtual.

        While an address is held, such a claim is the successor's, since we announce nothing. While it is served, it may
        be an echo of our own, and adverts tell a split brain.
        """
        now = trio.current_time()
        places = {(interface, address.packed): mac for address, mac in claims.items()}
        for wish in wishes:
            hits = [place for place in places if place in wish.bound or place in wish.held]
            if not wish.held:
                hits = [place for place in hits if places[place] != shared_mac]
            if not hits or (not wish.held and now < self._quiet_until.get(wish.router, now)):
                continue
            self._quiet_until[wish.router] = now + SPLIT_BRAIN_INTERVAL
            for mac in dict.fromkeys(places[place] for place in hits):
                yield AddressesClaimed(wish.router, tuple(ip_of(each) for each in hits if places[each] == mac), mac)


def segments_of(wishes: Iterable[Wish]) -> dict[Segment, frozenset[IPAddress]]:
    """Where claims of what is bound or held are to be heard."""
    watched: dict[Segment, frozenset[IPAddress]] = {}
    for wish in wishes:
        for segment, addresses in wish.segments.items() if wish.bound or wish.held else ():
            watched[segment] = watched.get(segment, frozenset()) | addresses
    return watched


class ClaimWatch:
    """``heard`` is told the interface, and the MAC by claimed address, once per drained socket."""

    def __init__(self, nursery: trio.Nursery, heard: Callable[[str, Mapping[IPAddress, str]], None]) -> None:
        self._nursery = nursery
        self._heard = heard
        self._listeners: dict[Segment, _Listener] = {}

    def tune(self, watched: Mapping[Segment, Collection[IPAddress]], link_named: Callable[[str], Link | None]) -> None:
        """Listen for claims of these addresses from now on, and of no others; does not block.

        A socket stays open, deaf, when there is nothing to hear: it has to be quick when a handover begins.
        """
        for segment in watched.keys() | self._listeners.keys():
            self._tune(segment, watched.get(segment, ()), link_named(segment[0]))

    def _tune(self, segment: Segment, addresses: Collection[IPAddress], link: Link | None) -> None:
        listener = self._listeners.get(segment)
        identity = (link.index, link.mac) if link else None
        if listener and listener.link != identity:
            self._listeners.pop(segment).scope.cancel()
            listener = None
        if listener is None and link and addresses:
            listener = self._listen(segment, link)
        if listener:
            listener.socket.watch(addresses)

    def _listen(self, segment: Segment, link: Link) -> _Listener | None:
        try:
            claims = ClaimSocket(link.index, segment[1], link.mac)
        except OSError:
            return None  # the link went away just now; when it is back, we are asked again
        listener = self._listeners[segment] = _Listener((link.index, link.mac), claims, trio.CancelScope())
        self._nursery.start_soon(self._hear, segment[0], listener)
        return listener

    async def _hear(self, interface: str, listener: _Listener) -> None:
        try:
            with listener.scope:
                while True:
                    await trio.lowlevel.wait_readable(listener.socket.fileno())
                    claimed: dict[IPAddress, str] = {}
                    for _ in range(DRAINS):
                        claimed |= listener.socket.drain()
                        await trio.lowlevel.checkpoint()  # an advert may be due
                    if claimed:
                        self._heard(interface, claimed)
                    await trio.sleep(CLAIM_PAUSE)
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(listener.socket.close)
