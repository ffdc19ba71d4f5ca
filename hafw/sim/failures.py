"""What can fail in a cluster, played: every combination, in every order, from rest to rest and back again.

A cluster is the routers of one instance, or of all members of one sync group.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations, permutations
from math import perm
from typing import TYPE_CHECKING

from hafw.node import Instance
from hafw.sim.life import Failure, Kind, Play
from hafw.vrrp.events import VerdictReported

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from hafw.node import InstanceSettings
    from hafw.sim.life import Rest
    from hafw.vrrp.settings import RouterSettings

_DELAY, _DELAY_STEP = 20, 5
"""Intervals that the shortest preempt_delay, and each longer one, is played with: longer than every other timer."""

Course = tuple[frozenset[Failure], ...]
"""Failures one after the other, the cluster coming to rest in between; those of one set at the same moment."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a sequence of failures."""

    failed: Rest
    mended: Rest
    """After everything was mended at the same moment."""
    darkness: Mapping[str, float]
    """By instance, the longest that its addresses were on nobody after any of the failures; seconds."""
    moved: bool
    """Whether another router was MASTER meanwhile, or still is."""

    @property
    def dark(self) -> float:
        """Of the instance that was dark for longest."""
        return max(self.darkness.values())


class Cluster:
    """The routers of one instance, or of a sync group; every play of it is remembered."""

    def __init__(self, routers: Mapping[str, Sequence[InstanceSettings]]) -> None:
        delays = _Delays([each.router for instances in routers.values() for each in instances])
        self._saved = delays.saved
        vrids = _vrids([each.router for instances in routers.values() for each in instances])
        self.routers = {
            name: tuple(_lightened(each, delays, vrids) for each in instances) for name, instances in routers.items()
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
        interfaces = list(dict.fromkeys(each.router.interface for each in self.routers[name]))
        for each in interfaces:
            yield Failure(name, Kind.LINK, interface=each if len(interfaces) > 1 else "")
        for check in dict.fromkeys(check.name for each in self.routers[name] for check in each.checks):
            yield Failure(name, Kind.CHECK, check)

    @cached_property
    def start(self) -> Rest:
        """At rest with nothing failing, after all have started at the same moment."""
        return Play(self.routers, self._saved).rest

    def combinations(self, depth: int) -> Iterator[frozenset[Failure]]:
        """Up to so many failures at once, of which each makes a difference beside the others."""
        for number in range(1, depth + 1):
            for some in combinations(self.failures, number):
                if not any(_is_idle(each, some) for each in some):
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
            darkness, moved = failed.darkness, failed.dark > 0 or failed.masters != self.start.masters
            if before:
                earlier = self.outcome(tuple(before))
                darkness = {name: max(each, earlier.darkness[name]) for name, each in darkness.items()}
                moved = moved or earlier.moved
            self._known[key] = Outcome(failed, play.mend(), darkness, moved)
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
            away = sorted(each for each in mine if each.kind is not Kind.CHECK)
            checks = frozenset(each.check for each in mine)
            verdicts = tuple(judged(each, checks) for each in self.routers[name])
            self._effects[name, mine] = tuple(away) or verdicts
        return self._effects[name, mine]


def _is_idle(failure: Failure, some: Iterable[Failure]) -> bool:
    """Whether it changes nothing: a router without power, or without one of its links, is out whatever else fails."""
    others = [each.kind for each in some if each.router == failure.router and each is not failure]
    stronger = {Kind.POWER} if failure.kind is Kind.LINK else {Kind.POWER, Kind.LINK}
    return failure.kind is not Kind.POWER and not stronger.isdisjoint(others)


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


def _vrids(every: Sequence[RouterSettings]) -> dict[tuple[str, int], int]:
    """By name and VRID, another VRID, in the same order: two members may have one VRID on two interfaces."""
    found = dict.fromkeys((each.name, each.vrid) for each in every)
    return {each: number for number, each in enumerate(sorted(found, key=lambda each: each[1]), 1)}


def _lightened(settings: InstanceSettings, delays: _Delays, vrids: Mapping[tuple[str, int], int]) -> InstanceSettings:
    """With one address for all, which move together, and without idle waiting."""
    router = settings.router
    lighter = replace(
        router,
        vrid=vrids[router.name, router.vrid],
        virtual_addresses=router.virtual_addresses[:1],
        excluded_addresses=(),
        preempt_delay=delays.played.get(router.preempt_delay, router.preempt_delay),
        flap_hold=0.0,  # so often nothing fails here
    )
    return replace(settings, router=lighter)
