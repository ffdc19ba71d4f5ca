"""Goodbye by another way: a MASTER that lost its own link tells the others over any other network.

What is sent is the goodbye that its own network would have heard, octet for octet, with its HMAC trailer, to an address
of each other router on another network. Whoever hears it believes it only if it is signed in the name of the MASTER
that it follows at this moment; then it counts as a priority 0 of that MASTER. Replays are refused as on the router's
own network, for both share one memory of what was heard.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import trio

from hafw.vrrp.events import AdvertReceived
from hafw.vrrp.packet import MULTICAST_GROUP, TTL, BadPacket, Datagram, decode_untrusted, peek_vrid_untrusted
from hafw.vrrp.settings import HmacMode, State
from hafw.wire.elsewhere import ElsewhereSocket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from hafw.daemon.authentication import Authentication
    from hafw.daemon.observe import Observer
    from hafw.vrrp.router import VirtualRouter
    from hafw.wire.elsewhere import Message

FAMILIES = 2


class Elsewhere:
    """All goodbyes of this host that do not go by the router's own interface."""

    def __init__(
        self,
        authentication: Authentication,
        words: Callable[[VirtualRouter], bytes],
        received: Callable[[AdvertReceived], None],
        observer: Observer,
        *,
        mute: bool = False,
    ) -> None:
        """``words``: the signed goodbye of a router. ``received`` is called with each one that is believed."""
        self._authentication = authentication
        self._words = words
        self._received = received
        self._observer = observer
        self._mute = mute
        self._routers: tuple[VirtualRouter, ...] = ()
        self._indices: Mapping[str, int] = {}
        self._sockets: dict[int, ElsewhereSocket] = {}
        self._readers: dict[int, trio.CancelScope] = {}
        self._opened, self._to_read = trio.open_memory_channel[ElsewhereSocket](4 * FAMILIES)

    def serve(self, routers: Iterable[VirtualRouter], indices: Mapping[str, int]) -> None:
        """Listen for these; ``indices``: of the interfaces, by name, as they come and go."""
        self._routers = tuple(each for each in routers if each.settings.goodbye)
        self._indices = indices
        wanted = {address.version for each in self._routers for address in each.settings.goodbye}
        for family in self._sockets.keys() - wanted:
            self._close(family)
        for family in wanted - self._sockets.keys():
            try:
                self._sockets[family] = ElsewhereSocket.open(family)
            except OSError as error:  # IPv6 is off: what was configured cannot be heard, and the operator is told
                self._observer.log.warning("socket_failed", interface="any", family=family, error=str(error))
            else:
                self._opened.send_nowait(self._sockets[family])

    def close(self) -> None:
        """Close every socket."""
        for family in list(self._sockets):
            self._close(family)

    def _close(self, family: int) -> None:
        reader = self._readers.pop(family, None)
        if reader is not None:
            reader.cancel()
        self._sockets.pop(family).close()

    async def run(self) -> None:
        """Hear what arrives, for ever."""
        async with trio.open_nursery() as nursery:
            async for socket in self._to_read:
                nursery.start_soon(self._listen, socket)

    async def _listen(self, socket: ElsewhereSocket) -> None:
        with trio.CancelScope() as scope:
            if self._sockets.get(socket.family) is not socket:
                return
            self._readers[socket.family] = scope
            while True:
                await trio.lowlevel.wait_readable(socket.fileno())
                for message in socket.receive_untrusted():
                    self.take_untrusted(message)

    # -- receiving ----------------------------------------------------------------------------------------------

    def take_untrusted(self, message: Message) -> None:
        """Judge it by every router that it may concern; what none of them believes is counted and told."""
        vrid = peek_vrid_untrusted(message.payload)
        refusals = list[tuple[str, str, str]]()
        for router in self._routers:
            settings = router.settings
            if settings.vrid != vrid or message.ifindex == self._indices.get(settings.interface):
                continue
            try:
                event = self._judge_untrusted(router, message)
            except BadPacket as bad:
                refusals.append((settings.name, bad.reason, bad.detail))
                continue
            self._observer.count(settings.name, "priority-zero-pkts-rcvd")
            source = str(message.source)
            self._observer.log.info("goodbye_heard", instance=settings.name, peer=str(event.source), source=source)
            self._received(event)
            return
        for name, reason, detail in refusals:
            self._observer.bad_packet(name, reason, str(message.source), detail, trio.current_time())

    def _judge_untrusted(self, router: VirtualRouter, message: Message) -> AdvertReceived:
        """As if the MASTER itself had said it; whoever has no MASTER to lose believes nothing."""
        settings, now = router.settings, trio.current_time()
        peer = router.peer
        if router.state is not State.BACKUP or peer is None or not peer.live(now):
            raise BadPacket("goodbye-unexpected", "a goodbye by another way, and no MASTER is heard that could say it")
        assert settings.hmac is not None
        signed = replace(settings, hmac=replace(settings.hmac, mode=HmacMode.ENFORCE))
        check_untrusted = self._authentication.of(signed, peer.source, now)
        group = settings.multicast_group or MULTICAST_GROUP[settings.family]
        datagram = Datagram(payload=message.payload, source=peer.source, destination=group, ttl=TTL)
        own = [] if router.primary is None else [router.primary]
        advert, _ = decode_untrusted(datagram, replace(signed, unicast_peers=()), own, check_untrusted)
        if advert.priority:
            raise BadPacket("goodbye-unexpected", f"priority {advert.priority} by another way: only 0 is believed")
        return AdvertReceived(settings.name, advert, peer.source)

    # -- sending ------------------------------------------------------------------------------------------------

    def send(self, router: VirtualRouter) -> None:
        """One goodbye to each of the others; a failure is counted and logged, never raised."""
        if self._mute or router.primary is None:
            return
        name, words = router.settings.name, self._words(router)
        for to in router.settings.goodbye:
            socket = self._sockets.get(to.version)
            if socket is None:  # why, was said when it could not be opened
                self._observer.count(name, "send-errors")
                continue
            try:
                socket.send(words, to)
            except OSError as error:
                self._observer.count(name, "send-errors")
                self._observer.log.warning("send_failed", instance=name, to=str(to), error=str(error))
        self._observer.count(name, "priority-zero-pkts-sent")
