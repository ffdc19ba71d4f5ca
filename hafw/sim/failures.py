"""What can fail in a cluster, played: every combination, in every order, from rest to rest and back again.

A cluster is the routers of one instance, or of several that move together. It is at rest when nothing will change any
more unless something happens to it. Each failure befalls it at the worst moment: just after an advert of the MASTER,
so that the others wait longest.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from ipaddress import ip_address
from itertools import combinations, permutations
from math import inf, perm
from random import Random
from typing import TYPE_CHECKING

from hafw.node import Instance
from hafw.sim.lan import Runaway
from hafw.sim.story import DEGRADED
from hafw.sim.troubles import TroubledLan
from hafw.vrrp.actions import SendAdvertisement
from hafw.vrrp.events import VerdictReported
from hafw.vrrp.settings import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from hafw.node import InstanceSettings
    from hafw.vrrp.router import VirtualRouter
    from hafw.vrrp.settings import IPAddress, RouterSettings

OFF = "OFF"
"""Beside the states of a router: the machine has no power."""
_DELAY, _DELAY_STEP = 20, 5
"""Intervals that the shortest preempt_delay, and each longer one, is played with: longer than every other timer."""
_PATIENCE = 30
"""So many times a MASTER may be waited for, until a cluster counts as one that never rests."""


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

    def __str__(self) -> str:
        """``power``, ``link``, or the check's name, which may be one of these words too."""
        if self.kind is not Kind.CHECK:
            return self.kind
        return f"check {self.check}" if self.check in set(Kind) else self.check


Course = tuple[frozenset[Failure], ...]
"""Failures one after the other, the cluster coming to rest in between; those of one set at the same moment."""


@dataclass(frozen=True, slots=True)
class Rest:
    """How a cluster came to rest. All durations are seconds."""

    states: Mapping[str, Mapping[str, str]]
    """By instance and router: a state, ``DEGRADED`` or ``OFF``."""
    after: float
    """How long it took; 0: nothing moved."""
    dark: float
    """How long the addresses were on nobody, after the failures or the repair; ``inf``: they still are."""
    rests: bool = True
    """False: it never came to rest."""

    @property
    def masters(self) -> tuple[tuple[str, ...], ...]:
        """By instance, who is MASTER: one, or none, or several that do not hear each other."""
        serving = {State.MASTER, DEGRADED}
        return tuple(
            tuple(host for host, state in states.items() if state in serving) for states in self.states.values()
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a sequence of failures."""

    failed: Rest
    mended: Rest
    """After everything was mended at the same moment."""
    dark: float
    """The longest that the addresses were on nobody after any of the failures."""
    moved: bool
    """Whether another router was MASTER meanwhile, or still is."""


class Cluster:
    """The routers of one instance, or of several that move together; every play of it is remembered."""

    def __init__(self, routers: Mapping[str, Sequence[InstanceSettings]]) -> None:
        delays = _Delays([each.router for instances in routers.values() for each in instances])
        self._saved = delays.saved
        self.routers = {
            name: tuple(_lightened(each, delays) for each in instances) for name, instances in routers.items()
        }
        self._known: dict[tuple[object, ...], Outcome] = {}
        self._effects: dict[tuple[str, frozenset[Failure]], object] = {}
        self._rests: dict[Course, bytes] = {}
        """Clusters at rest after a course, to be gone on with more than once."""

    @property
    def plays(self) -> int:
        """How many had to be played so far: the others come to the same."""
        return len(self._known)

    @cached_property
    def failures(self) -> list[Failure]:
        """Everything that can fail, router by router."""
        return [each for name in self.routers for each in self._failures(name)]

    def _failures(self, name: str) -> Iterator[Failure]:
        yield Failure(name, Kind.POWER)
        yield Failure(name, Kind.LINK)
        for check in dict.fromkeys(check.name for each in self.routers[name] for check in each.checks):
            yield Failure(name, Kind.CHECK, check)

    @cached_property
    def start(self) -> Rest:
        """At rest with nothing failing, after all have started at the same moment."""
        return Play(self.routers, self._saved).rest

    def combinations(self, depth: int) -> Iterator[frozenset[Failure]]:
        """Up to so many failures at once. Of a router without power or link, nothing else matters."""
        for number in range(1, depth + 1):
            for some in combinations(self.failures, number):
                gone = [each.router for each in some if each.kind is not Kind.CHECK]
                routers = [each.router for each in some]
                if all(routers.count(name) == 1 for name in gone):
                    yield frozenset(some)

    def count(self, depth: int) -> int:
        """How many orders of failures there are at most."""
        return sum(perm(len(self.failures), number) for number in range(1, depth + 1))

    def courses(self, combination: frozenset[Failure]) -> dict[Course, Outcome]:
        """What becomes of it: all at the same moment first, then in every order that may make a difference."""
        orders = [self.condensed(order) for order in permutations(sorted(combination, key=self.failures.index))]
        return {course: self.outcome(course) for course in dict.fromkeys([(combination,), *orders])}

    def condensed(self, order: Iterable[Failure]) -> Course:
        """What moves nothing is as good as at the same moment as the next."""
        course: list[frozenset[Failure]] = []
        for failure in order:
            if course and self.outcome(tuple(course)).failed.after == 0:
                course[-1] |= {failure}
            else:
                course.append(frozenset({failure}))
        return tuple(course)

    def outcome(self, course: Course) -> Outcome:
        """Play it, or remember one that was the same to every Node."""
        key = self._key(course)
        if key not in self._known:
            *before, last = course
            play = self._after(tuple(before))
            failed = play.fail(last)
            dark, moved = failed.dark, failed.dark > 0 or failed.masters != self.start.masters
            if before:
                earlier = self.outcome(tuple(before))
                dark, moved = max(dark, earlier.dark), moved or earlier.moved
            self._known[key] = Outcome(failed, play.mend(), dark, moved)
        return self._known[key]

    def _after(self, course: Course) -> Play:
        """A cluster that has come to rest after this course. To copy one is quicker than to live through it again."""
        if course not in self._rests:
            play = self._after(course[:-1]) if course else Play(self.routers, self._saved)
            if course:
                play.fail(course[-1])
            play.wait_for_advert()
            self._rests[course] = pickle.dumps(play)
        play = pickle.loads(self._rests[course])  # noqa: S301 - what was written three lines above
        assert isinstance(play, Play)
        return play

    def _key(self, course: Course) -> tuple[object, ...]:
        """What the Nodes see of it: checks that do the same to a router are the same."""
        failing: set[Failure] = set()
        steps = []
        for step in course:
            failing |= step
            steps.append(tuple(self._effect(name, failing) for name in self.routers))
        return tuple(steps)

    def _effect(self, name: str, failing: Iterable[Failure]) -> object:
        mine = frozenset(each for each in failing if each.router == name)
        if (name, mine) not in self._effects:
            away = [each.kind for each in mine if each.kind is not Kind.CHECK]
            checks = frozenset(each.check for each in mine)
            self._effects[name, mine] = away[0] if away else tuple(judged(each, checks) for each in self.routers[name])
        return self._effects[name, mine]


def judged(settings: InstanceSettings, failing: frozenset[str]) -> tuple[int, bool]:
    """The effective priority while these checks fail and the others are well, and whether that means FAULT."""
    instance = Instance(settings, 0.0)
    for each in settings.checks:
        instance.handle(VerdictReported(instance.name, each.name, each.name not in failing), 0.0)
    return instance.router.priority, bool(instance.causes)


class _Delays:
    """Minutes of preempt_delay, played in fewer intervals: nothing else happens in them, and their order is kept."""

    def __init__(self, every: Sequence[RouterSettings]) -> None:
        unit = max(each.advertisement_interval for each in every)
        long = sorted({each.preempt_delay for each in every if each.preempt_delay > _DELAY * unit})
        played = {each: (_DELAY + _DELAY_STEP * place) * unit for place, each in enumerate(long)}
        self.played = {each: min(each, seconds) for each, seconds in played.items()}
        self.saved = {seconds: each - seconds for each, seconds in self.played.items()}
        """By the delay that is played, what is missing."""


def _lightened(settings: InstanceSettings, delays: _Delays) -> InstanceSettings:
    """With one address for all, which move together, and without idle waiting."""
    router = settings.router
    delay = delays.played.get(router.preempt_delay, router.preempt_delay)
    addresses = router.virtual_addresses[:1]
    return replace(
        settings, router=replace(router, virtual_addresses=addresses, excluded_addresses=(), preempt_delay=delay)
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
            self._lan.add(name, instances, *_own(instances[0].router, number))
        for name in routers:
            self._start(name)
        self.rest = self._settle()

    def fail(self, failures: Iterable[Failure]) -> Rest:
        """Let this happen, all of it at the same moment, and wait until it is over."""
        self.wait_for_advert()
        for each in sorted(failures):
            self._failing.append(each)
            match each.kind:
                case Kind.POWER:
                    self._lan.power_off(each.router)
                case Kind.LINK:
                    self._lan.link(each.router, up=False)
                case Kind.CHECK:
                    self._judge(each.router, each.check)
        return self._settle()

    def mend(self) -> Rest:
        """Mend everything at the same moment, and wait until that is over."""
        self.wait_for_advert()
        failed, self._failing = self._failing, []
        for each in failed:
            match each.kind:
                case Kind.POWER:
                    self._start(each.router)
                case Kind.LINK:
                    self._lan.link(each.router, up=True)
                case Kind.CHECK:
                    self._judge(each.router, each.check)
        return self._settle()

    def _start(self, name: str) -> None:
        self._lan.start(name)
        for check in dict.fromkeys(each.name for one in self._lan.hosts[name].instances for each in one.checks):
            self._judge(name, check)

    def _judge(self, name: str, check: str) -> None:
        """Let every instance that has the check hear of it."""
        healthy = Failure(name, Kind.CHECK, check) not in self._failing
        for each in self._lan.hosts[name].instances:
            if check in {one.name for one in each.checks}:
                self._lan.inject(name, VerdictReported(each.router.name, check, healthy, "", immediate=True))

    # -- time ---------------------------------------------------------------------------------------------------

    def wait_for_advert(self) -> None:
        """Until a MASTER has just been heard by all, and has to be missed for longest. Without one: at once."""
        self._lan.log.clear()
        if not any(host.masters() for host in self._lan.hosts.values()):
            return
        log = self._lan.log
        self._lan.drive_bounded(lambda: any(type(each.action) is SendAdvertisement for each in log), 2 * self._interval)
        self._lan.drive_bounded(lambda: self._lan.is_quiet, self._interval)

    @property
    def _interval(self) -> float:
        every = [each.router for host in self._lan.hosts.values() for each in host.instances]
        return max(each.advertisement_interval for each in every)

    @property
    def _patience(self) -> float:
        every = [each.router for host in self._lan.hosts.values() for each in host.instances]
        longest = max((each.down_timer_adverts + 1) * each.advertisement_interval for each in every)
        return _PATIENCE * longest + 2 * max(each.preempt_delay for each in every)

    def _settle(self) -> Rest:
        lan, begun = self._lan, self._lan.now
        try:
            lan.drive_bounded(lambda: all(map(self._rests, self._instances)), self._patience)
            rests = True
        except Runaway:
            rests = False
        vips = {each.router.virtual_addresses[0] for host in lan.hosts.values() for each in host.instances}
        dark = max(inf if not lan.holders(vip) else sum(s.seconds for s in lan.unheld(vip, begun)) for vip in vips)
        after = lan.now - begun + max((self._missing(name, begun) for name in self._instances), default=0.0)
        return Rest({name: self._states(name) for name in self._instances}, after, dark, rests)

    def _missing(self, name: str, begun: float) -> float:
        """What whoever preempted since then would have waited longer."""
        here = [host.node.instances[name].router for host in self._lan.hosts.values() if host.node is not None]
        preempted = [each for each in here if each.reason == "preempted" and each.since >= begun]
        return max((self._saved.get(each.settings.preempt_delay, 0.0) for each in preempted), default=0.0)

    def _rests(self, name: str) -> bool:
        """Whether nothing will change any more: nobody lets go, nobody will take over, nobody is about to try."""
        here = [host.node.instances[name].router for host in self._lan.hosts.values() if host.node is not None]
        backups = [each for each in here if each.state is State.BACKUP]
        masters = [each for each in here if each.state is State.MASTER]
        if any(each.tenure.held for each in here) or len(masters) > 1:
            return False
        if not masters:
            return not backups
        return masters[0].tenure.installed and all(_stays(each, masters[0]) for each in backups)

    def _states(self, name: str) -> dict[str, str]:
        nodes = {host.name: host.node for host in self._lan.hosts.values()}
        return {host: OFF if node is None else _state(node.instances[name].router) for host, node in nodes.items()}


def _stays(backup: VirtualRouter, master: VirtualRouter) -> bool:
    """Whether it knows this MASTER, and will leave it be."""
    if master.degraded or backup.tenure.bound or backup.peer is None or backup.peer.source != master.primary:
        return False
    wants = backup.settings.preempt or backup.settings.owner
    return backup.peer.priority > 0 and not (wants and backup.priority > master.speaker.priority)


def _state(router: VirtualRouter) -> str:
    return DEGRADED if router.degraded else router.state


def _own(settings: RouterSettings, number: int) -> tuple[IPAddress, IPAddress]:
    """Its own addresses: the one that the file gives it, or in the order of the routers."""
    own: dict[int, IPAddress] = {4: ip_address(f"192.0.2.{number}"), 6: ip_address(f"fe80::{number:x}")}
    if settings.source_address is not None:
        own[settings.family] = settings.source_address
    return own[4], own[6]
