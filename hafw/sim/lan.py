"""A LAN in one thread and in virtual time: real Nodes, a simulated wire and a simulated keeper of addresses.

Rules
-----
1. The Nodes are the ones that run on the wire; nothing of the election is repeated here.
2. Time jumps from one delivery or deadline to the next. What has arrived is heard before a deadline of the same moment
   is acted upon, as in the daemon, which drains its sockets first.
3. Chance comes from the ``random.Random`` of the caller only, so that a seed is a whole run.
4. Frames between two hosts keep their order; so a claim never overtakes the advert that explains it.
5. Nothing hangs: a Node that asks for the same moment for ever, or a condition that never holds, is ``Runaway``.

A datagram from an address that is our own is delivered, unlike in the daemon: the machine has to stand it (C-FSM-26).
"""

from __future__ import annotations

from functools import partial
from heapq import heappop, heappush
from math import inf
from typing import TYPE_CHECKING

from hafw.node import Node
from hafw.sim.host import Host, concerns
from hafw.sim.seen import Entry, Timelines
from hafw.vrrp.actions import Action, Announce, SendAdvertisement, SendGoodbye, SetAddresses, Transition
from hafw.vrrp.events import (
    AddressesClaimed,
    AddressesInstalled,
    AddressesRefused,
    AdvertReceived,
    Event,
    LinkChanged,
    PlanReported,
    Shutdown,
    Startup,
    Tick,
)
from hafw.vrrp.packet import Advertisement

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from hafw.node import InstanceSettings
    from hafw.sim.seen import Span
    from hafw.vrrp.settings import IPAddress, RouterSettings

_MOVING = {SetAddresses, Transition}
"""Actions that change who is MASTER or holds what."""
STEPS_PER_MOMENT = 10_000
"""Deliveries and deadlines within one moment of virtual time, before the run is called a runaway."""
_TICK = Tick()


class Runaway(Exception):  # noqa: N818 - it names what happened
    """Time stood still, or a condition did not come true in its time."""


class Lan:
    """One segment; the only thing that a test or a scenario drives. All durations are seconds."""

    def __init__(
        self,
        rng: Random,
        *,
        delay: float = 0.001,
        jitter: float = 0.0,
        loss: float = 0.0,
        install_delay: float = 0.002,
    ) -> None:
        self.now = 0.0
        self.hosts: dict[str, Host] = {}
        self.log: list[Entry] = []
        self.install_delay = install_delay
        self._rng = rng
        self.loss = loss
        self._delay, self._jitter = delay, jitter
        self._cut: set[tuple[str, str]] = set()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbered = 0
        self._last_arrival: dict[tuple[str, str], float] = {}
        self._seen = Timelines()
        self._routers: dict[str, tuple[IPAddress, ...]] = {}
        """By name, the addresses of one."""

    # -- what happens to hosts ----------------------------------------------------------------------------------

    def add(self, name: str, instances: Sequence[InstanceSettings], *primary: IPAddress) -> None:
        """Put a machine on the LAN; its daemon does not run yet."""
        mac = f"02:00:00:00:00:{len(self.hosts) + 1:02x}"
        self.hosts[name] = Host(name, mac, instances, {address.version: address for address in primary})
        self._routers |= {each.router.name: each.router.all_addresses for each in instances}

    def start(self, name: str) -> None:
        """Start its daemon, which removes what an earlier one left behind."""
        host = self.hosts[name]
        self._end(host)
        host.kernel, host.wanted = {}, {}
        host.run(self.node(host))
        for interface in dict.fromkeys(each.router.interface for each in host.instances):
            self.inject(name, LinkChanged(interface, up=True, primary=host.primary))
        for each in host.instances:
            self.inject(name, PlanReported(each.router.name))
            self.inject(name, Startup(each.router.name))
        self._note()

    def node(self, host: Host) -> Node:
        """What its next daemon runs."""
        return Node(host.instances, host.clock(self.now))

    def stop(self, name: str) -> None:
        """Ask its daemon to end, as SIGTERM does."""
        for each in self.hosts[name].instances:
            self.inject(name, Shutdown(each.router.name))

    def kill(self, name: str) -> None:
        """SIGKILL without a guard: nothing is sent, the addresses stay and answer."""
        self._end(self.hosts[name])
        self._note()

    def power_off(self, name: str) -> None:
        """The machine is gone, and its addresses with it."""
        self.hosts[name].kernel = {}
        self.kill(name)

    def refuse(self, name: str, error: str) -> None:
        """Let its kernel refuse every address with this error; an empty one: accept them again."""
        self.hosts[name].refusal = error

    def slow(self, name: str, delay: float) -> None:
        """Let its kernel take so long to add addresses."""
        self.hosts[name].install_delay = delay

    def cut(self, sender: str, receiver: str) -> None:
        """Lose everything in this direction."""
        self._cut.add((sender, receiver))

    def isolate(self, name: str) -> None:
        """Lose everything to and from this host."""
        for other in self.hosts:
            self._cut |= {(name, other), (other, name)}

    def heal(self) -> None:
        """Lose nothing any more by ``cut`` and ``isolate``."""
        self._cut.clear()

    def inject(self, name: str, event: Event) -> None:
        """Give one host an event now; a host whose daemon does not run hears nothing."""
        host = self.hosts[name]
        node = host.node
        if node is None:
            self.missed(host, event)
            return
        time = host.clock(self.now)
        self.told(host, event, time)
        actions = node.handle(event, time)
        host.look()
        if actions:
            self._carry_out(host, actions)

    def _carry_out(self, host: Host, actions: list[Action]) -> None:
        now, name, moved = self.now, host.name, False
        for action in actions:
            self.log.append(Entry(now, name, action))
            self._perform(host, action)
            moved = moved or type(action) in _MOVING
        if moved:
            self._note()
        self.done(host, actions)

    def missed(self, host: Host, event: Event) -> None:
        """No daemon runs there: nobody hears it."""

    def told(self, host: Host, event: Event, time: float) -> None:
        """What a host is about to hear, and what its clock shows; for those who watch."""

    def done(self, host: Host, actions: list[Action]) -> None:
        """What one event made this host do, all of it performed; for those who watch."""

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Let something happen when so much time has passed."""
        self._at(self.now + seconds, what)

    # -- time ---------------------------------------------------------------------------------------------------

    def run_until(self, time: float) -> None:
        """Let everything happen that is due up to and including ``time``."""
        self._drive(None, time)
        self.now = time

    def drive_bounded(self, condition: Callable[[], bool], limit: float) -> float:
        """Run until the condition holds, at most ``limit`` seconds; return the time at which it did."""
        if not self._drive(condition, self.now + limit):
            raise Runaway(f"the condition did not hold within {limit} s: at {self.now:.6f} {self.summary()}")
        return self.now

    def _drive(self, condition: Callable[[], bool] | None, until: float) -> bool:
        steps, moment, waiting = 0, self.now, self._due
        while condition is None or not condition():
            arrival, (deadline, name) = waiting[0][0] if waiting else inf, self._next_deadline()
            due = arrival if arrival < deadline else deadline  # noqa: FURB136 - min() takes longer
            if due > until:
                return False
            if due > moment:
                steps, moment = 0, due
            elif (steps := steps + 1) > STEPS_PER_MOMENT:
                raise Runaway(f"time stands still at {moment:.6f}: {self.summary()}")
            self.now = moment
            if arrival <= moment:
                heappop(waiting)[2]()
            else:
                self.inject(name, _TICK)
        return True

    @property
    def travel(self) -> float:
        """Seconds that a frame is under way at most, while nothing overtakes it."""
        return self._delay + self._jitter

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is under way: no frame, no address."""
        return not self._due

    def _next_deadline(self) -> tuple[float, str]:
        """Of the host that is to be called next, the first one of several."""
        nearest, name = inf, ""
        for host in self.hosts.values():
            if (deadline := host.deadline) < nearest:
                nearest, name = deadline, host.name
        return nearest, name

    def _at(self, time: float, what: Callable[[], None]) -> None:
        self._numbered += 1
        heappush(self._due, (time, self._numbered, what))

    # -- the wire and the kernel --------------------------------------------------------------------------------

    def _perform(self, host: Host, action: Action) -> None:
        match action:
            case SendAdvertisement(router, priority):
                self._send(host, host.settings(router), priority)
            case SendGoodbye(router):
                self._say_elsewhere(host, host.settings(router))
            case SetAddresses():
                self._set(host, action)
            case Announce(router):
                self._announce(host, frozenset(host.kernel.get(router, ())))
            case _:
                pass

    def _send(self, host: Host, settings: RouterSettings, priority: int) -> None:
        advert = _advert(settings, priority)
        source = host.source(settings)
        self._broadcast(host, lambda receiver: self._hear(receiver, advert, source))

    def _say_elsewhere(self, sender: Host, settings: RouterSettings) -> None:
        """By another network, which works; believed by those who follow the sender."""
        advert, source = _advert(settings, 0), sender.source(settings)

        def arrive() -> None:
            for each in self.hosts.values():
                instance = None if each.node is None else each.node.instances.get(settings.name)
                peer = None if instance is None else instance.router.peer
                if (
                    each is not sender
                    and peer is not None
                    and peer.source == source
                    and peer.live(each.clock(self.now))
                ):
                    self.inject(each.name, AdvertReceived(settings.name, advert, source))

        self._at(self.now + self._delay, arrive)

    def _hear(self, host: Host, advert: Advertisement, source: IPAddress) -> None:
        for each in host.instances:
            if concerns(each.router, advert):
                self.inject(host.name, AdvertReceived(each.router.name, advert, source))

    def _announce(self, host: Host, addresses: frozenset[IPAddress]) -> None:
        self._broadcast(host, lambda receiver: self._claim(receiver, addresses, host.mac))

    def _claim(self, host: Host, addresses: frozenset[IPAddress], mac: str) -> None:
        for router, present in list(host.kernel.items()):
            claimed = tuple(sorted(present & addresses, key=lambda address: (address.version, address)))
            if claimed:
                self.inject(host.name, AddressesClaimed(router, claimed, mac))

    def _broadcast(self, sender: Host, hear: Callable[[Host], None]) -> None:
        name, cut, chance = sender.name, self._cut, self._rng.random
        for receiver in self.hosts.values():
            pair = (name, receiver.name)
            if receiver is sender or pair in cut or chance() < self.loss:
                continue
            self._at(self._arrival(pair), partial(self._deliver, receiver, hear))

    def _arrival(self, pair: tuple[str, str]) -> float:
        """When a frame that is sent now arrives: not before those that were sent earlier."""
        arrival = self.now + self._delay + self._jitter * self._rng.random()
        arrival = self._last_arrival[pair] = max(arrival, self._last_arrival.get(pair, 0.0))
        return arrival

    def _deliver(self, receiver: Host, hear: Callable[[Host], None]) -> None:
        """It arrives."""
        hear(receiver)

    def _set(self, host: Host, wanted: SetAddresses) -> None:
        """Removal is at once, addition takes its time; a newer set makes an older one void."""
        router, life = wanted.router, host.life
        host.wanted[router] = wanted
        host.kernel[router] = host.kernel.get(router, set()) & {*wanted.bound, *wanted.held}

        def install() -> None:
            if host.life == life and host.wanted.get(router) is wanted:
                self._install(host, wanted)

        if wanted.bound:
            delay = self.install_delay if host.install_delay is None else host.install_delay
            self._at(self.now + delay, install)

    def _install(self, host: Host, wanted: SetAddresses) -> None:
        if host.refusal:
            self.inject(host.name, AddressesRefused(wanted.router, f"{wanted.bound[0]}: {host.refusal}"))
            return
        host.kernel[wanted.router] |= set(wanted.bound)
        self._note()
        self.inject(host.name, AddressesInstalled(wanted.router))

    def _end(self, host: Host) -> None:
        host.run(None)
        host.life += 1

    # -- what was seen ------------------------------------------------------------------------------------------

    def masters(self, router: str) -> set[str]:
        """The hosts that are MASTER of this router now."""
        return {host.name for host in self.hosts.values() if router in host.masters()}

    def holders(self, address: IPAddress) -> set[str]:
        """The hosts whose kernel has this address now."""
        return {host.name for host in self.hosts.values() if address in host.addresses()}

    def unheld(self, address: IPAddress, since: float, *, among: Sequence[str] = ()) -> list[Span]:
        """When, from ``since`` to now, nobody (of ``among``, or at all) had the address."""
        seen = frozenset(among or self.hosts)
        return self._seen.spans(address, since, self.now, lambda holders: not holders & seen)

    def changes(self, key: str | IPAddress) -> list[tuple[float, frozenset[str]]]:
        """From the beginning on: who was MASTER of this router, or held this address, from when on."""
        return self._seen.changes(key)

    def rivalled(self, router: str, since: float) -> list[Span]:
        """When, from ``since`` to now, more than one host was MASTER of this router."""
        return self._seen.spans(router, since, self.now, lambda masters: len(masters) > 1)

    def vacant(self, router: str, since: float) -> list[Span]:
        """When, from ``since`` to now, nobody was MASTER of this router."""
        return self._seen.spans(router, since, self.now, lambda masters: not masters)

    def actions(self, host: str, since: float = 0.0) -> list[Action]:
        """What this host's Node has wanted done, in order, from ``since`` on."""
        return [entry.action for entry in self.log if entry.host == host and entry.time >= since]

    def summary(self) -> str:
        """Who is what and holds how many addresses, for messages."""
        return ", ".join(
            f"{host.name}: MASTER of {sorted(host.masters()) or 'nothing'}, {len(host.addresses())} addresses"
            for host in self.hosts.values()
        )

    def _note(self) -> None:
        """Remember who is MASTER and who holds what, where that changed."""
        for name, addresses in self._routers.items():
            self._seen.note(name, self.masters(name), self.now)
            for address in addresses:
                self._seen.note(address, self.holders(address), self.now)


def _advert(settings: RouterSettings, priority: int) -> Advertisement:
    return Advertisement(
        version=settings.version,
        vrid=settings.vrid,
        priority=priority,
        interval=settings.advertisement_interval,
        addresses=settings.virtual_addresses,
    )
