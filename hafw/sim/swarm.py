"""A seeded swarm: worlds drawn by chance, each run through its troubles and then to rest, with checkers beside it.

A seed is a whole run. What fails is made smaller, fault by fault, as long as it fails for the same reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from random import Random
from typing import TYPE_CHECKING

from hafw.journal import RecordedNode, encode
from hafw.sim.chance import draw
from hafw.sim.checkers import at_rest, during
from hafw.sim.happenings import HAPPENING
from hafw.sim.lan import Runaway
from hafw.sim.octets import OctetLan
from hafw.sim.watcher import Violation, Watcher
from hafw.sim.worlds import CHECK, TRACKER, instances
from hafw.vrrp.events import AddressesClaimed, AdvertReceived, Event, MaintenanceChanged, Suspended, VerdictReported

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafw.journal import Paper
    from hafw.node import Node
    from hafw.sim.host import Host
    from hafw.sim.worlds import World
    from hafw.vrrp.actions import Action
    from hafw.vrrp.packet import Datagram

AWAY = 120.0
"""Seconds after which every daemon that was frozen or killed is back."""
PEACE = 8
"""Intervals of the slowest that are looked at when all has come to rest."""


class WatchedLan(OctetLan):
    """Every host under the eyes of a watcher."""

    def __init__(self, world: World, paper: Paper | None = None) -> None:
        self.world = world
        self._paper, self._notes = paper, {"swarm": {"seed": world.seed, "kind": world.kind}}
        self.rng = Random(world.seed)  # noqa: S311 - a seed is a whole run
        super().__init__(self.rng, delay=world.delay, jitter=world.jitter, install_delay=world.install)
        self.detour = world.detour
        self.watcher = Watcher(world)
        for machine in world.machines:
            self.add(machine.name, instances(world, machine), *machine.own)
            self.hosts[machine.name].rate = machine.rate
            self.wall[machine.name] = machine.wall
        for name in world.names:
            self.boot(name)

    def node(self, host: Host) -> Node:
        """One that writes down its life, if there is paper."""
        if self._paper is None:
            return super().node(host)
        now = host.clock(self.now)
        return RecordedNode(host.instances, now, self._paper, host.name, notes=lambda: self._notes)

    def boot(self, name: str) -> None:
        """Start it, with checks that are well."""
        self.watcher.forget(name)
        self.start(name)
        self.pass_checks(name)

    def pass_checks(self, name: str) -> None:
        """Everything that is checked on a host is well."""
        for router in self.world.routers:
            for check in (CHECK, TRACKER):
                self.inject(name, VerdictReported(router, check, healthy=True, immediate=True))

    def reconfigure(self, world: World) -> None:
        """Go on with other machines of the same names: each is configured anew and started."""
        self.world = world
        self.watcher = Watcher(world)
        for machine in world.machines:
            host = self.hosts[machine.name]
            host.instances = instances(world, machine)
            host.primary = {each.version: each for each in machine.own}
        self.renew()
        for name in world.names:
            self.boot(name)

    def told(self, host: Host, event: Event, time: float) -> None:
        """Let the watcher know what arrives where somebody listens."""
        match event:
            case AdvertReceived():
                self.watcher.heard(host.name, event, time)
            case AddressesClaimed():
                self.watcher.claimed(host.name, event)
            case Suspended():
                self.watcher.slept(host.name, event.seconds)
            case _:
                pass

    def replaced(self, name: str) -> None:
        """The guard has started another daemon."""
        self.watcher.forget(name)

    def done(self, host: Host, actions: list[Action]) -> None:
        """What it did is what it is judged by."""
        self.watcher.did(host, actions, self.now)

    def hear_wrong(self, name: str, datagram: Datagram, what: str) -> None:
        """Something arrives that is to change nothing (C-SIM-08)."""
        host = self.hosts[name]
        before = list(self._known_to(host))
        self.hear(host, datagram)
        if list(self._known_to(host)) != before:
            raise Violation("deaf", f"{name} believes an advert that is wrong: {what}, {datagram}", self.now)

    def _known_to(self, host: Host) -> Iterator[object]:
        """All that its daemon knows, and what waits for it."""
        yield len(self.waiting(host.name))
        if host.node is not None:
            yield from map(encode, host.node.instances.values())


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a world ended."""

    world: World
    violation: str
    """Empty: every promise was kept."""
    promise: str = ""
    seconds: float = 0.0
    """Of virtual time, times the routers."""


def run(seed: int) -> Outcome:
    """The world of this seed, to its end."""
    return play(draw(seed, Random(seed)))  # noqa: S311 - a seed is a whole run


def play(world: World, paper: Paper | None = None) -> Outcome:
    """Its troubles, the mending, and the peace after it; everything that went in and out of the Nodes on ``paper``."""
    lan = None
    try:
        lan = WatchedLan(world, paper)
        for fault in world.faults:
            lan.run_until(fault.time)
            HAPPENING[fault.kind](lan, fault)
        lan.run_until(world.length)
        lan.watcher.look(lan.hosts.values(), lan.now)
        during(world, lan)
        lan.drive_bounded(lambda: not any(map(lan.is_away, world.names)), AWAY)
        _mend(lan)
        _rest(lan)
        if world.mended:
            lan.reconfigure(world.put_right())
            _rest(lan)
    except Violation as violation:
        return Outcome(world, str(violation), violation.promise)
    except Runaway as runaway:
        return Outcome(world, f"runaway: {runaway}", "runaway")
    except Exception as error:  # noqa: BLE001 - whatever a Node does wrong is what is looked for
        return Outcome(world, f"crash: {type(error).__name__}: {error}", "crash")
    return Outcome(world, "", seconds=lan.now * len(world.names) * len(world.routers))


def smallest(outcome: Outcome) -> Outcome:
    """The same broken promise with as little as can be: clocks that agree, few routers, few hosts, few faults."""
    world = outcome.world
    outcome = _as_bad(outcome, world.in_step())
    for router in world.routers[1:]:
        outcome = _as_bad(outcome, outcome.world.without_router(router))
    for name in world.names:
        if len(outcome.world.names) > 2:
            outcome = _as_bad(outcome, outcome.world.without_host(name))
    number = 0
    while number < len(before := outcome.world.faults):
        outcome = _as_bad(outcome, outcome.world.without(number))
        number += len(outcome.world.faults) == len(before)
    return outcome


def _as_bad(outcome: Outcome, world: World) -> Outcome:
    """That of the other world, if it breaks the same promise."""
    other = play(world)
    return other if other.promise == outcome.promise else outcome


def _mend(lan: WatchedLan) -> None:
    lan.heal()
    lan.loss = lan.doubled = lan.reordered = lan.claims_lost = lan.claims_late = 0.0
    for name in lan.world.names:
        lan.slow(name, lan.world.install)
        lan.refuse(name, "")
        lan.link(name, up=True)
        node = lan.hosts[name].node
        if node is None or not all(each.wanted for each in node.instances.values()):
            lan.boot(name)
        for router in lan.world.routers:
            lan.inject(name, MaintenanceChanged(router, on=False))
        lan.pass_checks(name)


def _rest(lan: WatchedLan) -> None:
    """Let everything come to rest, and look at it."""
    world, mended = lan.world, max(lan.now, _retry_at(lan))
    lan.run_until(mended + 3 * world.settle)
    since = lan.now
    lan.run_until(since + PEACE * world.slowest)
    lan.watcher.look(lan.hosts.values(), lan.now)
    if not world.is_torn:
        at_rest(world, lan, mended, since)


def _retry_at(lan: WatchedLan) -> float:
    """When the last of those will try again whose addresses were refused."""
    times = [
        host.moment(each.retry_at)
        for host in lan.hosts.values()
        if host.node is not None
        for each in host.node.instances.values()
    ]
    return max((each for each in times if each < inf), default=0.0)
