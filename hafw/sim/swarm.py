"""A seeded swarm: worlds drawn by chance, each run through its troubles and then to rest, with checkers beside it.

A seed is a whole run. What fails is made smaller, fault by fault, as long as it fails for the same reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from math import inf
from random import Random
from typing import TYPE_CHECKING

from hafw.journal import RecordedNode
from hafw.sim.checkers import Violation, Watcher, at_rest, during
from hafw.sim.lan import Runaway
from hafw.sim.troubles import TroubledLan
from hafw.sim.worlds import CHECK, ROUTER, draw, instance
from hafw.vrrp.events import AdvertReceived, Event, MaintenanceChanged, ReleaseAsked, VerdictReported

if TYPE_CHECKING:
    from collections.abc import Callable

    from hafw.journal import Paper
    from hafw.node import Node
    from hafw.sim.host import Host
    from hafw.sim.worlds import Fault, World
    from hafw.vrrp.actions import Action

AWAY = 120.0
"""Seconds after which every daemon that was frozen or killed is back."""
PEACE = 8
"""Intervals of the slowest that are looked at when all has come to rest."""


class WatchedLan(TroubledLan):
    """Every host under the eyes of a watcher."""

    def __init__(self, world: World, paper: Paper | None = None) -> None:
        self._paper, self._notes = paper, {"swarm": {"seed": world.seed, "kind": world.kind}}
        rng = Random(world.seed)  # noqa: S311 - a seed is a whole run
        super().__init__(rng, delay=world.delay, jitter=world.jitter, install_delay=world.install)
        self.watcher = Watcher(world)
        for number, (name, settings) in enumerate(world.hosts.items(), 1):
            self.add(name, [instance(settings)], ip_address(f"192.0.2.{number}"))
        for name in world.hosts:
            self.boot(name)

    def node(self, host: Host) -> Node:
        """One that writes down its life, if there is paper."""
        if self._paper is None:
            return super().node(host)
        return RecordedNode(host.instances, self.now, self._paper, host.name, notes=lambda: self._notes)

    def boot(self, name: str) -> None:
        """Start it, with a check that is well."""
        self.watcher.forget(name)
        self.start(name)
        self.inject(name, VerdictReported(ROUTER, CHECK, healthy=True))

    def inject(self, name: str, event: Event) -> None:
        """Let the watcher know what arrives where somebody listens."""
        host = self.hosts[name]
        if isinstance(event, AdvertReceived) and host.node is not None:
            self.watcher.heard(name, event.advert.priority, event.advert.interval, self.now)
        super().inject(name, event)

    def replaced(self, name: str) -> None:
        """The guard has started another daemon."""
        self.watcher.forget(name)

    def done(self, host: Host, actions: list[Action]) -> None:
        """What it did is what it is judged by."""
        self.watcher.did(host, actions, self.now)


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
    lan = WatchedLan(world, paper)
    try:
        for fault in world.faults:
            lan.run_until(fault.time)
            _HAPPENING[fault.kind](lan, fault)
        lan.run_until(world.length)
        during(world, lan)
        lan.drive_bounded(lambda: not any(map(lan.is_away, world.hosts)), AWAY)
        _mend(lan, world)
        lan.run_until(max(lan.now, _retry_at(lan)) + 3 * world.settle)
        since = lan.now
        lan.run_until(since + PEACE * max(each.advertisement_interval for each in world.routers))
        at_rest(world, lan, since)
    except Violation as violation:
        return Outcome(world, str(violation), violation.promise)
    except Runaway as runaway:
        return Outcome(world, f"runaway: {runaway}", "runaway")
    return Outcome(world, "", seconds=lan.now * len(world.routers))


def smallest(outcome: Outcome) -> Outcome:
    """The same broken promise with as few faults as can be."""
    number = 0
    while number < len(outcome.world.faults):
        fewer = play(outcome.world.without(number))
        if fewer.promise == outcome.promise:
            outcome = fewer
        else:
            number += 1
    return outcome


def _mend(lan: WatchedLan, world: World) -> None:
    lan.heal()
    lan.loss = lan.doubled = 0.0
    for name in world.hosts:
        lan.slow(name, world.install)
        lan.refuse(name, "")
        lan.link(name, up=True)
        node = lan.hosts[name].node
        if node is None or not node.instances[ROUTER].wanted:
            lan.boot(name)
        lan.inject(name, MaintenanceChanged(ROUTER, on=False))
        lan.inject(name, VerdictReported(ROUTER, CHECK, healthy=True))


def _retry_at(lan: WatchedLan) -> float:
    """When the last of those will try again whose addresses were refused."""
    nodes = [host.node for host in lan.hosts.values() if host.node is not None]
    times = [node.instances[ROUTER].retry_at for node in nodes]
    return max((each for each in times if each < inf), default=0.0)


def _started(lan: WatchedLan, fault: Fault) -> None:
    if not lan.is_away(fault.host):
        lan.boot(fault.host)


def _gone(leave: Callable[[WatchedLan, Fault], None]) -> Callable[[WatchedLan, Fault], None]:
    def happen(lan: WatchedLan, fault: Fault) -> None:
        lan.watcher.reset(fault.host)
        leave(lan, fault)

    return happen


def _told(event: Event) -> Callable[[WatchedLan, Fault], None]:
    return lambda lan, fault: lan.inject(fault.host, event)


_HAPPENING: dict[str, Callable[[WatchedLan, Fault], None]] = {
    "start": _started,
    "stop": lambda lan, fault: lan.stop(fault.host),
    "kill": _gone(lambda lan, fault: lan.kill(fault.host)),
    "poweroff": _gone(lambda lan, fault: lan.power_off(fault.host)),
    "crash": _gone(lambda lan, fault: lan.crash(fault.host, fault.amount)),
    "pause": _gone(lambda lan, fault: lan.pause(fault.host, fault.amount)),
    "cut": lambda lan, fault: lan.cut(fault.host, fault.other),
    "isolate": lambda lan, fault: lan.isolate(fault.host),
    "heal": lambda lan, _: lan.heal(),
    "loss": lambda lan, fault: setattr(lan, "loss", fault.amount),
    "double": lambda lan, fault: setattr(lan, "doubled", fault.amount),
    "link down": lambda lan, fault: lan.link(fault.host, up=False),
    "link up": lambda lan, fault: lan.link(fault.host, up=True),
    "fails": _told(VerdictReported(ROUTER, CHECK, healthy=False, detail="it fails")),
    "passes": _told(VerdictReported(ROUTER, CHECK, healthy=True)),
    "maintenance on": _told(MaintenanceChanged(ROUTER, on=True)),
    "maintenance off": _told(MaintenanceChanged(ROUTER, on=False)),
    "handover": _told(ReleaseAsked(ROUTER)),
    "refuse": lambda lan, fault: lan.refuse(fault.host, "no room"),
    "slow": lambda lan, fault: lan.slow(fault.host, fault.amount),
}
