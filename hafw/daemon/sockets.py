"""VRRP sockets: what the election sends and hears.

One socket per interface, family and group serves all its routers. ``send`` and ``drain`` are plain functions: nothing
is awaited between a decision and the wire.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import trio

from hafw.daemon.resume import Life
from hafw.vrrp.events import AdvertReceived
from hafw.vrrp.packet import MULTICAST_GROUP, BadPacket, decode_untrusted, encode, peek_vrid_untrusted
from hafw.vrrp.settings import Checksum, State
from hafw.wire.sockets import VrrpSocket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from hafw.daemon.observe import Observer
    from hafw.vrrp.packet import Datagram
    from hafw.vrrp.router import VirtualRouter
    from hafw.vrrp.settings import IPAddress, RouterSettings

Key = tuple[str, int, "IPAddress | None"]
"""Interface, family, group; no group: unicast."""

SOCKETS_MAX = 4096
BATCH, PASSES = 64, 16
"""Batches taken from a socket before others have their turn: a flood is bounded, a pause is caught up with."""
OWNER = 255
PEERS_KEPT = 64
"""Peers of one instance that the status can show to differ: sources can be forged."""


def socket_key(settings: RouterSettings) -> Key:
    """Which socket serves this router."""
    group = None if settings.unicast_peers else settings.multicast_group or MULTICAST_GROUP[settings.family]
    return settings.interface, settings.family, group


class Wire:
    """All VRRP sockets of this host, opened and closed as interfaces come and go."""

    def __init__(
        self,
        routers: Mapping[str, VirtualRouter],
        received: Callable[[AdvertReceived], None],
        observer: Observer,
        *,
        mute: bool = False,
        life: Life | None = None,
    ) -> None:
        """``mute``: hear everything, send nothing (``--dry-run``). ``life``: how the guard is told of us."""
        self._mute = mute
        self._life = life or Life(None)
        self.refused: dict[str, dict[str, str | float]] = {}
        """By instance: the last refused packet, for the status."""
        self.mismatches: dict[str, dict[str, str]] = {}
        """By instance and peer: what differs from our configuration, for the status."""
        self._received = received
        self._observer = observer
        self._sockets: dict[Key, VrrpSocket] = {}
        self._indices: dict[str, int] = {}
        self._by_vrid: dict[tuple[Key, int], VirtualRouter] = {}
        self._forms: dict[str, Checksum] = {}
        self._readers: dict[Key, trio.CancelScope] = {}
        self._opened, self._to_read = trio.open_memory_channel[Key](SOCKETS_MAX)
        self.serve(routers)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Wait for packets on every open socket."""
        async with trio.open_nursery() as nursery:
            task_status.started()
            async for key in self._to_read:
                nursery.start_soon(self._read, key)

    async def _read(self, key: Key) -> None:
        socket = self._sockets.get(key)
        if socket is None:
            return
        with trio.CancelScope() as scope:
            self._readers[key] = scope
            while self._sockets.get(key) is socket:
                await trio.lowlevel.wait_readable(socket.fileno())
                self._drain_one(key, socket)

    # -- opening and closing ------------------------------------------------------------------------------------

    def serve(self, routers: Mapping[str, VirtualRouter]) -> None:
        """Send and receive for these, no others: at the start, and when the configuration was replaced."""
        staying = {each.settings.name for each in self._by_vrid.values() if routers.get(each.settings.name) is each}
        self.refused = {name: each for name, each in self.refused.items() if name in staying}
        self.mismatches = {name: each for name, each in self.mismatches.items() if name in staying}
        self._by_vrid = {(socket_key(each.settings), each.settings.vrid): each for each in routers.values()}
        wanted = {key for key, _ in self._by_vrid}
        for key in self._sockets.keys() - wanted:
            self._close(key)
        for key, socket in self._sockets.items():
            socket.limit_to(self._vrids(key))
        for interface, ifindex in tuple(self._indices.items()):
            self.link(interface, ifindex)

    def link(self, interface: str, ifindex: int) -> None:
        """An interface appeared (``ifindex`` may be new) or is gone (0)."""
        self._indices[interface] = ifindex
        for key in [key for key in self._sockets if key[0] == interface]:
            if self._sockets[key].ifindex != ifindex:
                self._close(key)
        missing = {key for key, _ in self._by_vrid if key[0] == interface} - self._sockets.keys()
        for key in missing if ifindex else ():
            try:
                socket = VrrpSocket.open(interface, ifindex, key[1], key[2])
                socket.limit_to(self._vrids(key))
            except OSError as error:  # gone again, or IPv6 is off: the next change of the interface tries once more
                self._observer.log.warning("socket_failed", interface=interface, family=key[1], error=str(error))
                continue
            self._sockets[key] = socket
            self._opened.send_nowait(key)
            self._life.opened(key, socket)

    def adopt(self) -> None:
        """Go on with the sockets of the daemon before us; of the first ``link`` on they are like any other."""
        for key, socket in self._life.sockets.items():
            self._sockets[key] = socket
            self._indices[key[0]] = socket.ifindex
            if self._vrids(key):
                socket.limit_to(self._vrids(key))
                self._opened.send_nowait(key)
            else:
                self._close(key)

    def form(self, settings: RouterSettings) -> Checksum:
        """The checksum that is sent."""
        if settings.checksum is not Checksum.AUTO:
            return settings.checksum
        return self._forms.get(settings.name, Checksum.PSEUDO_HEADER)

    def _vrids(self, key: Key) -> list[int]:
        return [vrid for each, vrid in self._by_vrid if each == key]

    def _close(self, key: Key) -> None:
        socket = self._sockets.pop(key)
        reader = self._readers.pop(key, None)
        if reader is not None:
            reader.cancel()
        self._life.closed(key, socket)
        socket.close()

    def close(self) -> None:
        """Close every socket."""
        for key in list(self._sockets):
            self._close(key)

    # -- receiving ----------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Take everything that has arrived, so that a late process does not blame a live MASTER."""
        for key, socket in tuple(self._sockets.items()):
            self._drain_one(key, socket)

    def _drain_one(self, key: Key, socket: VrrpSocket) -> None:
        for _ in range(PASSES):
            try:
                datagrams = socket.receive(BATCH)
            except OSError:  # the kernel tells of a link that went; the address keeper hears it too, and acts
                self._observer.count("", "receive-errors")
                return
            for datagram in datagrams:
                self._take_untrusted(key, datagram)
            for reason, amount in socket.undecodable.items():
                self._observer.count("", reason, amount)
            socket.undecodable.clear()
            if len(datagrams) < BATCH:
                return

    def _take_untrusted(self, key: Key, datagram: Datagram) -> None:
        now = trio.current_time()
        vrid = peek_vrid_untrusted(datagram.payload)
        router = None if vrid is None else self._by_vrid.get((key, vrid))
        if router is None:
            self._observer.bad_packet("", "vrid-errors", str(datagram.source), f"VRID {vrid} is not ours", now)
            return
        name = router.settings.name
        own = [] if router.primary is None else [router.primary]
        try:
            advert, differs = decode_untrusted(datagram, router.settings, own)
        except BadPacket as bad:
            self.refused[name] = {"source": str(datagram.source), "reason": bad.reason, "detail": bad.detail, "at": now}
            self._observer.bad_packet(name, bad.reason, str(datagram.source), bad.detail, now)
            return
        if name in self.refused and self.refused[name]["source"] == str(datagram.source):
            del self.refused[name]  # it has been mended
        self._observer.count(name, "advertisement-rcvd")
        if advert.priority == 0:
            self._observer.count(name, "priority-zero-pkts-rcvd")
        if advert.checksum is not None:
            self._forms[name] = advert.checksum
        if advert.priority == router.settings.priority != OWNER:  # C-RX-26; of two owners decode tells (C-RX-25)
            differs = (*differs, f"priority {advert.priority} is ours too: the higher address decides")
        self._compare(name, str(datagram.source), differs, now)
        self._received(AdvertReceived(name, advert, datagram.source))

    def _compare(self, name: str, peer: str, differs: Iterable[str], now: float) -> None:
        """Remember and report what a peer has configured otherwise than we have."""
        words = "; ".join(differs)
        known = self.mismatches.setdefault(name, {})
        if not words:
            known.pop(peer, None)
            return
        known[peer] = words
        if len(known) > PEERS_KEPT:
            del known[next(iter(known))]
        if self._observer.now_and_then(f"{name} {words}", peer, now):
            self._observer.event({"type": "peer_mismatch", "instance": name, "peer": peer, "detail": words})

    # -- sending ------------------------------------------------------------------------------------------------

    def send(self, router: VirtualRouter, priority: int) -> None:
        """One advertisement, to the group or to each peer; a failure is counted and logged, never raised."""
        if not self._mute:
            self._send(router, priority)
            self.beat(router)

    def beat(self, router: VirtualRouter) -> None:
        """Let the guard see how this router stands; after every advert and every transition."""
        settings = router.settings
        due_in = router.speaker.adver_at - trio.current_time() if router.state is State.MASTER else inf
        self._life.spoke(settings.name, due_in, settings.down_timer_adverts * settings.advertisement_interval)

    def _send(self, router: VirtualRouter, priority: int) -> None:
        settings = router.settings
        key = socket_key(settings)
        socket = self._sockets.get(key)
        if socket is None or router.primary is None:
            self._observer.count(settings.name, "send-errors")
            return
        form = self.form(settings)
        targets = settings.unicast_peers if key[2] is None else (key[2],)
        for target in targets:
            try:
                socket.send(encode(settings, priority, router.primary, target, form), router.primary, target)
            except OSError as error:
                self._observer.count(settings.name, "send-errors")
                if self._observer.now_and_then(f"send {settings.name}", str(target), trio.current_time()):
                    self._observer.log.warning("send_failed", instance=settings.name, to=str(target), error=str(error))
        self._observer.count(settings.name, "advertisement-sent")
        if priority == 0:
            self._observer.count(settings.name, "priority-zero-pkts-sent")
