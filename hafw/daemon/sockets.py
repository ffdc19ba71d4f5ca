"""VRRP sockets: what the election sends and hears.

One socket per interface, family and group serves all its routers. ``send`` and ``drain`` are plain functions: nothing
is awaited between a decision and the wire.

Nobody waits for that socket: a second one, the bell, gets a copy of what cannot wait and wakes the election, which then
reads the first, in order. Most adverts only tell a BACKUP that its MASTER lives. They wait in the first until somebody
asks, with the time at which they came; and one that came before, bit by bit, is not judged again.
"""

from __future__ import annotations

import select
from math import inf
from typing import TYPE_CHECKING

import trio

from hafw.daemon.authentication import Authentication
from hafw.daemon.clock import Stamps
from hafw.daemon.elsewhere import Elsewhere
from hafw.daemon.heard import BATCH, PASSES, Heard, rest_for
from hafw.daemon.mismatches import Mismatches, addresses_in, in_advert, in_refusal
from hafw.daemon.resume import Life
from hafw.daemon.speech import Speeches
from hafw.vrrp.events import AdvertReceived
from hafw.vrrp.packet import MULTICAST_GROUP, BadPacket, decode_untrusted, peek_vrid_untrusted
from hafw.vrrp.settings import Checksum, State
from hafw.wire.sockets import VrrpSocket

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from hafw.daemon.observe import Observer
    from hafw.vrrp.packet import Datagram
    from hafw.vrrp.router import VirtualRouter
    from hafw.vrrp.settings import IPAddress, RouterSettings
    from hafw.wire.sockets import Arrival

Key = tuple[str, int, "IPAddress | None"]
"""Interface, family, group; no group: unicast."""

SOCKETS_MAX = 4096


def socket_key(settings: RouterSettings) -> Key:
    """Which socket serves this router."""
    group = None if settings.unicast_peers else settings.multicast_group or MULTICAST_GROUP[settings.family]
    return settings.interface, settings.family, group


class Wire:
    """All VRRP sockets of this host, opened and closed as interfaces come and go."""

    def __init__(
        self,
        routers: Mapping[str, VirtualRouter],
        received: Callable[[AdvertReceived, float | None], None],
        observer: Observer,
        *,
        mute: bool = False,
        life: Life | None = None,
    ) -> None:
        """``received`` is called with each advert and the time at which it came; ``None``: now, after all others.

        ``mute``: hear everything, send nothing (``--dry-run``). ``life``: how the guard is told of us.
        """
        self._mute = mute
        self._life = life or Life(None)
        self.refused: dict[str, dict[str, str | float]] = {}
        """By instance: the last refused packet, for the status."""
        self.mismatches = Mismatches(observer)
        """What differs from our configuration, for the status."""
        self._received = received
        self._observer = observer
        self._sockets: dict[Key, VrrpSocket] = {}
        self._bells: dict[Key, VrrpSocket] = {}
        self._inbox = select.epoll()
        self._keys: dict[int, Key] = {}
        """By descriptor in the inbox."""
        self._heard: dict[Key, dict[Hashable, Heard]] = {}
        self._last_heard: dict[str, Hashable] = {}
        self._speeches = Speeches(self._way)
        self._stamps = Stamps()
        self._turned = trio.Event()
        self._indices: dict[str, int] = {}
        self._by_vrid: dict[tuple[Key, int], VirtualRouter] = {}
        self._forms: dict[str, Checksum] = {}
        self._authentication = Authentication()
        self.elsewhere = Elsewhere(
            self._authentication,
            lambda router: self._speeches.elsewhere(router, self.form(router.settings)),
            lambda event: received(event, None),
            observer,
            mute=mute,
        )
        """For goodbyes of a MASTER that lost its own link."""
        self._readers: dict[Key, trio.CancelScope] = {}
        self._opened, self._to_read = trio.open_memory_channel[Key](SOCKETS_MAX)
        self.serve(routers)

    async def run(
        self, hear: Callable[[], None], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Call ``hear`` when something has arrived that cannot wait; it is to ``drain``."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._tune_bells)
            nursery.start_soon(self.elsewhere.run)
            task_status.started()
            async for key in self._to_read:
                nursery.start_soon(self._listen, key, hear)

    async def _listen(self, key: Key, hear: Callable[[], None]) -> None:
        bell = self._bells.get(key)
        if bell is None:
            return
        with trio.CancelScope() as scope:
            self._readers[key] = scope
            while self._bells.get(key) is bell:
                await trio.lowlevel.wait_readable(bell.fileno())
                bell.discard()
                hear()

    def turned(self) -> None:
        """A router is another than before, and other adverts cannot wait."""
        self._turned.set()

    async def _tune_bells(self) -> None:
        while True:
            await self._turned.wait()
            self._turned = trio.Event()
            for key, bell in self._bells.items():
                bell.ring_for(self._awake(key))

    def _awake(self, key: Key) -> list[int]:
        """The VRIDs whose adverts cannot wait: of routers that serve, are about to, or still answer for addresses."""
        here = [(vrid, router) for (each, vrid), router in self._by_vrid.items() if each == key]
        return [
            vrid for vrid, router in here if router.state is State.MASTER or router.tenure.bound or router.tenure.held
        ]

    # -- opening and closing ------------------------------------------------------------------------------------

    def serve(self, routers: Mapping[str, VirtualRouter]) -> None:
        """Send and receive for these, no others: at the start, and when the configuration was replaced."""
        staying = {each.settings.name for each in self._by_vrid.values() if routers.get(each.settings.name) is each}
        self.refused = {name: each for name, each in self.refused.items() if name in staying}
        self.mismatches.keep(staying)
        self._by_vrid = {(socket_key(each.settings), each.settings.vrid): each for each in routers.values()}
        self._speeches.clear()
        self._heard = {key: {} for key in self._heard}
        self._last_heard.clear()
        wanted = {key for key, _ in self._by_vrid}
        for key in self._sockets.keys() - wanted:
            self._close(key)
        for key, socket in self._sockets.items():
            socket.limit_to(self._vrids(key))
        for interface, ifindex in tuple(self._indices.items()):
            self.link(interface, ifindex)
        self.elsewhere.serve(routers.values(), self._indices)
        self.turned()

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
                self._begin(key, socket)
            except OSError as error:  # gone again, or IPv6 is off: the next change of the interface tries once more
                self._observer.log.warning("socket_failed", interface=interface, family=key[1], error=str(error))
                continue
            self._life.opened(key, socket)

    def adopt(self) -> None:
        """Go on with the sockets of the daemon before us; of the first ``link`` on they are like any other."""
        for key, socket in self._life.sockets.items():
            self._indices[key[0]] = socket.ifindex
            try:
                self._begin(key, socket)
            except OSError:  # the interface is gone
                self._life.closed(key, socket)
                socket.close()
            else:
                if not self._vrids(key):
                    self._close(key)

    def _begin(self, key: Key, socket: VrrpSocket) -> None:
        """Hear by it from now on; raises ``OSError``."""
        bell = VrrpSocket.open(key[0], socket.ifindex, key[1], key[2])
        bell.ring_for(self._awake(key))
        socket.limit_to(self._vrids(key))
        self._sockets[key], self._bells[key] = socket, bell
        self._inbox.register(socket.fileno(), select.EPOLLIN)
        self._keys[socket.fileno()] = key
        self._heard[key] = {}
        self._opened.send_nowait(key)

    def form(self, settings: RouterSettings) -> Checksum:
        """The checksum that is sent."""
        if settings.checksum is not Checksum.AUTO:
            return settings.checksum
        return self._forms.get(settings.name, Checksum.PSEUDO_HEADER)

    def _vrids(self, key: Key) -> list[int]:
        return [vrid for each, vrid in self._by_vrid if each == key]

    def _close(self, key: Key) -> None:
        socket, bell = self._sockets.pop(key), self._bells.pop(key)
        reader = self._readers.pop(key, None)
        if reader is not None:
            reader.cancel()
        self._speeches.clear()
        self._inbox.unregister(socket.fileno())  # or the guard's duplicate would keep it there
        del self._keys[socket.fileno()], self._heard[key]
        self._life.closed(key, socket)
        bell.close()
        socket.close()

    def close(self) -> None:
        """Close every socket."""
        self.elsewhere.close()
        for key in list(self._sockets):
            self._close(key)

    # -- receiving ----------------------------------------------------------------------------------------------

    def drain(self) -> float:
        """Take everything that has arrived, so that a late process does not blame a live MASTER.

        Returns for how many seconds nobody needs to do so again, or something would be lost.
        """
        before, rest = self._stamps.now, inf
        self._stamps.look()
        for descriptor, _ in self._inbox.poll(0, max(1, len(self._keys))):
            key = self._keys.get(descriptor)
            if key is not None:
                socket = self._sockets[key]
                taken = self._drain_one(key, socket)
                rest = min(rest, rest_for(taken, socket.room, self._stamps.now - before))
        return rest

    def _drain_one(self, key: Key, socket: VrrpSocket) -> int:
        heard, routine = self._heard[key], dict[str, tuple[AdvertReceived, float]]()
        taken = 0
        counters = self._observer.counters
        for _ in range(PASSES):
            arrivals = socket.arrivals(BATCH)
            taken += len(arrivals)
            for arrival in arrivals:
                at = self._stamps.moment(arrival.stamp)
                known = heard.get(arrival.identity)
                if known is None or not known.holds or self._is_remarked(known.settings.name):
                    self._pass_on(routine)
                    self._take_arrival_untrusted(key, socket, arrival, at)
                    continue
                counters[known.counter] += 1
                if known.event.advert.checksum is not None:
                    self._forms[known.settings.name] = known.event.advert.checksum
                if known.is_routine:
                    routine[known.settings.name] = known.event, at
                else:
                    self._received(known.event, at)
            if len(arrivals) < BATCH:
                break
        self._pass_on(routine)
        if socket.errors:  # the kernel tells of a link that went; the address keeper hears it too, and acts
            self._observer.count("", "receive-errors", socket.errors)
            socket.errors = 0
        return taken

    def _is_remarked(self, name: str) -> bool:
        """Whether the status shows something of its peers that a good advert puts right."""
        return name in self.refused or self.mismatches.any_of(name)

    def _pass_on(self, routine: dict[str, tuple[AdvertReceived, float]]) -> None:
        for event, at in routine.values():
            self._received(event, at)
        routine.clear()

    def _take_arrival_untrusted(self, key: Key, socket: VrrpSocket, arrival: Arrival, at: float) -> None:
        try:
            datagram = socket.datagram_untrusted(arrival)
        except BadPacket as bad:
            self._observer.count("", bad.reason)
            return
        known = None if datagram is None else self._take_untrusted(key, datagram, at)
        if known is not None and key in self._heard:
            name, heard = known.settings.name, self._heard[key]
            heard.pop(self._last_heard.get(name), None)  # one for each router, however many speak for it
            heard[arrival.identity], self._last_heard[name] = known, arrival.identity

    def _take_untrusted(self, key: Key, datagram: Datagram, at: float) -> Heard | None:
        """Judge it and pass it on; return what need not be judged again if it comes again."""
        now = trio.current_time()
        vrid = peek_vrid_untrusted(datagram.payload)
        router = None if vrid is None else self._by_vrid.get((key, vrid))
        if router is None:
            self._observer.bad_packet("", "vrid-errors", str(datagram.source), f"VRID {vrid} is not ours", now)
            return None
        settings, primary = router.settings, router.primary
        name, source = settings.name, str(datagram.source)
        try:
            signed = self._authentication.of(settings, datagram.source, at)
            advert, said = decode_untrusted(datagram, settings, [] if primary is None else [primary], signed)
        except BadPacket as bad:
            self._refuse(settings, datagram, bad, now)
            return None
        if name in self.refused and self.refused[name]["source"] == source:
            del self.refused[name]  # it has been mended
        self._observer.count(name, "advertisement-rcvd")
        if advert.priority == 0:
            self._observer.count(name, "priority-zero-pkts-rcvd")
        if advert.checksum is not None:
            self._forms[name] = advert.checksum
        differs = in_advert(advert, settings, said)
        self.mismatches.note(settings, source, differs, now)
        if differs:
            self.mismatches.stranger(settings, source, map(int, advert.addresses), now)
        event = AdvertReceived(name, advert, datagram.source)
        self._received(event, at)
        if differs or advert.priority == 0 or signed:  # a signed one that comes again is a replay
            return None
        return Heard(router, settings, primary, event, (name, "advertisement-rcvd"))

    def _refuse(self, settings: RouterSettings, datagram: Datagram, bad: BadPacket, now: float) -> None:
        name, source = settings.name, str(datagram.source)
        self.refused[name] = {"source": source, "reason": bad.reason, "detail": bad.detail, "at": now}
        self._observer.bad_packet(name, bad.reason, source, bad.detail, now)
        differs = in_refusal(bad, datagram.payload, settings)
        if differs is not None:
            self.mismatches.note(settings, source, [differs], now)
            if differs.field == "addresses":
                self.mismatches.stranger(settings, source, addresses_in(datagram.payload, settings.family), now)

    # -- sending ------------------------------------------------------------------------------------------------

    def send(self, router: VirtualRouter, priority: int) -> None:
        """One advertisement, to the group or to each peer; a failure is counted and logged, never raised."""
        if not self._mute:
            self._send(router, priority)
            self.beat(router)

    def beat(self, router: VirtualRouter) -> None:
        """Let the guard see how this router stands; after every advert, transition and change of what it holds."""
        settings = router.settings
        due_in = router.speaker.adver_at - trio.current_time() if router.state is State.MASTER else inf
        release_in = router.tenure.hold_until - trio.current_time() if router.tenure.held else inf
        patience = settings.down_timer_adverts * settings.advertisement_interval
        self._life.spoke(settings.name, due_in, patience, release_in)

    def _send(self, router: VirtualRouter, priority: int) -> None:
        name = router.settings.name
        speech = self._speeches.speech(router, priority, self.form(router.settings))
        if speech is None:
            self._observer.count(name, "send-errors")
            return
        for target, letter in speech.letters:
            try:
                speech.socket.post(letter)
            except OSError as error:
                self._observer.count(name, "send-errors")
                if self._observer.now_and_then(f"send {name}", str(target), trio.current_time()):
                    self._observer.log.warning("send_failed", instance=name, to=str(target), error=str(error))
        self._observer.count(name, "advertisement-sent")
        if priority == 0:
            self._observer.count(name, "priority-zero-pkts-sent")

    def _way(self, settings: RouterSettings) -> tuple[VrrpSocket | None, tuple[IPAddress, ...]]:
        key = socket_key(settings)
        return self._sockets.get(key), settings.unicast_peers if key[2] is None else (key[2],)
