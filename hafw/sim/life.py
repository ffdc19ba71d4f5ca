"""One life of a cluster on a simulated LAN: failures befall it, are mended, and each time it comes to rest.

At rest nothing will change any more unless something happens. A failure befalls a cluster at the worst moment: just
after an advert of the MASTER, so that the others wait longest.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from itertools import groupby
from math import inf
from random import Random
from typing import TYPE_CHECKING

from hafw.sim.lan import Runaway
from hafw.sim.story import DEGRADED
from hafw.sim.troubles import TroubledLan
from hafw.vrrp.actions import SendAdvertisement
from hafw.vrrp.events import VerdictReported
from hafw.vrrp.settings import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hafw.node import InstanceSettings, Node
    from hafw.vrrp.router import VirtualRouter
    from hafw.vrrp.settings import RouterSettings

OFF = "OFF"
"""Beside the states of a router: the machine has no power."""
_PATIENCE = 30
"""So many times a MASTER may be waited for, until a cluster counts as one that never rests."""
_JOINT = (OFF, State.INITIALIZE, State.FAULT, State.BACKUP, DEGRADED)
"""What one member is, all of a sync group are; in this order."""


class Kind(StrEnum):
    """What fails."""

    POWER = "power"
    LINK = "link"
    CHECK = "check"


@dataclass(frozen=True, slots=True, order=True)
class Failure:
    """One thing that fails on one router."""

    router: str
    kind: Kind
    check: str = ""
    interface: str = ""
    """Of a link, where the router has several."""

    def __str__(self) -> str:
        """``power``, ``link``, ``link eth1``, or the check's name, which may be one of these words too."""
        if self.kind is not Kind.CHECK:
            return f"{self.kind} {self.interface}".rstrip()
        return f"check {self.check}" if self.check in set(Kind) else self.check


@dataclass(frozen=True, slots=True)
class Rest:
    """How a cluster came to rest. All durations are seconds."""

    states: Mapping[str, Mapping[str, str]]
    """By instance and router: a state, ``DEGRADED`` or ``OFF``."""
    after: float
    """How long it took; 0: nothing moved."""
    darkness: Mapping[str, float]
    """By instance, how long its addresses were on nobody, after the failures or the repair; ``inf``: they still are."""
    rests: bool = True
    """False: it never came to rest."""

    @property
    def dark(self) -> float:
        """Of the instance that was dark for longest."""
        return max(self.darkness.values())

    @property
    def joint(self) -> dict[str, str]:
        """By router, what its instances are together: a sync group is MASTER where all of its members are."""
        routers = dict.fromkeys(name for states in self.states.values() for name in states)
        found = {name: {states.get(name, State.INITIALIZE) for states in self.states.values()} for name in routers}
        return {name: next((each for each in _JOINT if each in some), State.MASTER) for name, some in found.items()}

    @property
    def masters(self) -> tuple[tuple[str, ...], ...]:
        """By instance, who is MASTER: one, or none, or several that do not hear each other."""
        serving = {State.MASTER, DEGRADED}
        return tuple(
            tuple(host for host, state in states.items() if state in serving) for states in self.states.values()
        )


class Play:
    """One life of a cluster on a simulated LAN, at rest whenever it is looked at from outside."""

    def __init__(
        self, routers: Mapping[str, Sequence[InstanceSettings]], saved: Mapping[float, float] | None = None
    ) -> None:
        """``saved``: by preempt_delay, the seconds that it was shortened by."""
        self._saved = dict(saved or {})
        self._lan = TroubledLan(Random(0))  # noqa: S311 - nothing is left to chance here
        self._instances = list(dict.fromkeys(each.router.name for some in routers.values() for each in some))
        self._failing: list[Failure] = []
        for number, (name, instances) in enumerate(routers.items(), 1):
            self._lan.add(name, instances, ip_address(f"192.0.2.{number}"), ip_address(f"fe80::{number:x}"))
        for name in routers:
            self._start(name)
        self.rest = self._settle()

    def fail(self, failures: Iterable[Failure]) -> Rest:
        """Let this happen, all of it at the same moment, and wait until it is over."""
        self.wait_for_advert()
        befalling = sorted(failures)
        self._failing += befalling
        self._befall(befalling, up=False)
        return self._settle()

    def mend(self) -> Rest:
        """Mend everything at the same moment, and wait until that is over."""
        self.wait_for_advert()
        failed, self._failing = self._failing, []
        self._befall(failed, up=True)
        return self._settle()

    def _befall(self, failures: Iterable[Failure], *, up: bool) -> None:
        for (router, kind), some in groupby(failures, key=lambda each: (each.router, each.kind)):
            match kind:
                case Kind.POWER if up:
                    self._start(router)
                case Kind.POWER:
                    self._lan.power_off(router)
                case Kind.LINK:
                    self._lan.link(router, *(each.interface for each in some if each.interface), up=up)
                case Kind.CHECK:
                    for each in some:
                        self._judge(router, each.check)

    def _start(self, name: str) -> None:
        self._lan.start(name)
        for check in dict.fromkeys(each.name for one in self._lan.hosts[name].instances for each in one.checks):
            self._judge(name, check)

    def _judge(self, name: str, check: str) -> None:
        """Let every instance that has the check hear of it; all of a sync group at once, if it is the group's."""
        healthy = Failure(name, Kind.CHECK, check) not in self._failing
        instances = self._lan.hosts[name].instances
        having = [each.router for each in instances if check in {one.name for one in each.checks}]
        if (group := having[0].group) and len(having) == len(instances):
            addressees = [group]
        else:
            addressees = [each.name for each in having]
        for each in addressees:
            self._lan.inject(name, VerdictReported(each, check, healthy, "", immediate=True))

    # -- time ---------------------------------------------------------------------------------------------------

    def wait_for_advert(self) -> None:
        """Until a MASTER has just been heard by all, and has to be missed for longest. Without one: at once."""
        self._lan.log.clear()
        if not any(host.masters() for host in self._lan.hosts.values()):
            return
        log, slowest = self._lan.log, {each.name for each in self._settings if self._is_slowest(each)}

        def spoke() -> bool:
            return any(type(each.action) is SendAdvertisement and each.action.router in slowest for each in log)

        self._lan.drive_bounded(spoke, 2 * self._interval)
        self._lan.drive_bounded(lambda: self._lan.is_quiet, self._interval)

    @property
    def _settings(self) -> list[RouterSettings]:
        return [each.router for host in self._lan.hosts.values() for each in host.instances]

    @property
    def _interval(self) -> float:
        return max(each.advertisement_interval for each in self._settings)

    def _is_slowest(self, settings: RouterSettings) -> bool:
        return settings.advertisement_interval == self._interval

    @property
    def _patience(self) -> float:
        longest = max((each.down_timer_adverts + 1) * each.advertisement_interval for each in self._settings)
        return _PATIENCE * longest + 2 * max(each.preempt_delay for each in self._settings)

    def _settle(self) -> Rest:
        lan, begun = self._lan, self._lan.now
        try:
            lan.drive_bounded(self._is_at_rest, self._patience)
            rests = True
        except Runaway:
            rests = False
        darkness = {name: self._darkness(name, begun) for name in self._instances}
        after = lan.now - begun + max(self._missing(name, begun) for name in self._instances)
        return Rest({name: self._states(name) for name in self._instances}, after, darkness, rests)

    def _darkness(self, name: str, begun: float) -> float:
        """How long its address was on nobody; ``inf``: it still is."""
        vips = {each.virtual_addresses[0] for each in self._settings if each.name == name}
        spans = [self._lan.unheld(vip, begun) for vip in vips if self._lan.holders(vip)]
        return inf if len(spans) < len(vips) else max(sum(each.seconds for each in some) for some in spans)

    def _missing(self, name: str, begun: float) -> float:
        """What whoever preempted since then would have waited longer."""
        preempted = [each for each in self._routers(name) if each.reason == "preempted" and each.since >= begun]
        return max((self._saved.get(each.settings.preempt_delay, 0.0) for each in preempted), default=0.0)

    def _routers(self, name: str) -> list[VirtualRouter]:
        """Those of one instance, where a daemon runs."""
        nodes = [host.node for host in self._lan.hosts.values() if host.node is not None]
        return [node.instances[name].router for node in nodes if name in node.instances]

    # -- at rest ------------------------------------------------------------------------------------------------

    def _is_at_rest(self) -> bool:
        """Whether nothing will change any more: nobody lets go, nobody will take over, nobody is about to try."""
        masters: dict[str, VirtualRouter] = {}
        for name in self._instances:
            here = self._routers(name)
            found = [each for each in here if each.state is State.MASTER]
            if any(each.tenure.held for each in here) or len(found) > 1:
                return False
            if not found and any(each.state is State.BACKUP for each in here):
                return False
            masters |= {each.settings.name: each for each in found}
        nodes = [host.node for host in self._lan.hosts.values() if host.node is not None]
        return all(each.tenure.installed for each in masters.values()) and all(_stays(each, masters) for each in nodes)

    def _states(self, name: str) -> dict[str, str]:
        nodes = {
            host.name: host.node
            for host in self._lan.hosts.values()
            if any(each.router.name == name for each in host.instances)
        }
        return {host: OFF if node is None else _state(node.instances[name].router) for host, node in nodes.items()}


def _stays(node: Node, masters: Mapping[str, VirtualRouter]) -> bool:
    """Whether its routers know the MASTERs, and will leave them be: members of a sync group do unless all want to."""
    waiting = [each.router for each in node.instances.values() if each.router.state is State.BACKUP]
    pairs = [(each, masters[each.settings.name]) for each in waiting]
    return all(_follows(*each) for each in pairs) and not (pairs and all(_wants(*each) for each in pairs))


def _follows(backup: VirtualRouter, master: VirtualRouter) -> bool:
    """Whether it knows this MASTER, which nobody has to relieve."""
    if master.degraded or backup.tenure.bound or backup.peer is None:
        return False
    return backup.peer.source == master.primary and backup.peer.priority > 0


def _wants(backup: VirtualRouter, master: VirtualRouter) -> bool:
    """Whether it takes the role from a living MASTER like this."""
    return (backup.settings.preempt or backup.settings.owner) and backup.priority > master.speaker.priority


def _state(router: VirtualRouter) -> str:
    return DEGRADED if router.degraded else router.state
