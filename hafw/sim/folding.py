"""Hundreds of combinations of failures as a few rows: those that come to the same are told once.

Three things are told once only: the same end whatever else happens to some routers; the same end for several failures
of a router; the same end whatever comes first. What depends on the order is told with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import combinations, permutations
from math import floor, inf, isfinite, log10
from typing import TYPE_CHECKING

from hafw.sim.life import Failure
from hafw.sim.story import DEGRADED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from hafw.sim.failures import Cluster, Outcome
    from hafw.sim.life import Rest

Masters = tuple[tuple[str, ...], ...]
Choice = frozenset[Failure]
"""What fails of one router, all of it."""


class Timing(StrEnum):
    """When the failures of a row happen."""

    ANY = "any"
    """At the same moment or in any order."""
    ORDER = "order"
    """One after the other, the cluster coming to rest in between."""
    ORDER_OR_ONCE = "order-or-once"
    """In this order, or at the same moment."""
    ONCE = "once"
    """At the same moment."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an operator needs to know of an end. Durations are seconds, at most, to two digits."""

    masters: Masters
    moved: bool
    degraded: bool
    rests: bool
    dark: float
    mended: Masters
    mended_after: float
    """Until the MASTER after the repair is MASTER; 0: it is already."""
    mended_dark: float


@dataclass(frozen=True, slots=True)
class Case:
    """One combination, and when it happens."""

    failures: tuple[Failure, ...]
    timing: Timing
    verdict: Verdict
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Row:
    """Cases that end the same."""

    routers: tuple[str, ...]
    """In order, where the timing has one."""
    choices: tuple[frozenset[Choice], ...]
    """By router: what fails of it, one of these."""
    whatever: tuple[str, ...]
    """On these anything may fail beside it, or nothing."""
    timing: Timing
    verdict: Verdict


def verdict(outcome: Outcome) -> Verdict:
    """What is worth telling of it."""
    failed, mended = outcome.failed, outcome.mended
    returns = mended.masters != failed.masters
    return Verdict(
        masters=failed.masters,
        moved=outcome.moved,
        degraded=any(DEGRADED in states.values() for states in failed.states.values()),
        rests=failed.rests and mended.rests,
        dark=rounded(outcome.dark),
        mended=mended.masters,
        mended_after=rounded(mended.after) if returns else 0.0,
        mended_dark=rounded(mended.dark) if all(failed.masters) else 0.0,
    )


def unmoved(start: Rest) -> Verdict:
    """The end of what changes nothing."""
    return Verdict(start.masters, False, False, True, 0.0, start.masters, 0.0, 0.0)


def rounded(seconds: float) -> float:
    """Upwards to two digits or whole seconds, since it is a limit; what is below a millisecond counts as none."""
    if not isfinite(seconds) or seconds < 0.001:
        return seconds if seconds == inf else 0.0
    unit = min(10.0 ** (floor(log10(seconds)) - 1), 1.0)
    return round(-(-(seconds - 1e-9) // unit) * unit, 6)


def cases(cluster: Cluster, depth: int) -> Iterator[Case]:
    """Every combination; one that ends differently by its order once for each end."""
    for combination in cluster.combinations(depth):
        yield from _of(cluster, combination)


def _of(cluster: Cluster, combination: frozenset[Failure]) -> list[Case]:
    failures = tuple(sorted(combination, key=cluster.failures.index))
    found = {course: cluster.outcome(course) for course in cluster.courses(combination)}
    ends = {replace(verdict(each), moved=False, dark=0.0, mended_after=0.0) for each in found.values()}
    if len(ends) == 1:
        worst = max(found.values(), key=lambda each: (each.dark, each.moved, each.mended.after))
        return [Case(failures, Timing.ANY, verdict(worst), worst)]
    once = cluster.outcome((combination,))
    ordered = {order: cluster.outcome(cluster.condensed(order)) for order in permutations(failures)}
    told = [Case(failures, Timing.ONCE, verdict(once), once)] if once not in ordered.values() else []
    for order, each in ordered.items():
        told.append(Case(order, Timing.ORDER_OR_ONCE if each is once else Timing.ORDER, verdict(each), each))
    return told


def fold(cluster: Cluster, found: Iterable[Case], depth: int) -> list[Row]:
    """The rows, those that change nothing first, then with as few failures as possible first."""
    found = list(found)
    fixed = {frozenset[Failure](): unmoved(cluster.start)}
    fixed |= {frozenset(each.failures): each.verdict for each in found if each.timing is Timing.ANY}
    folding = _Folding(cluster, fixed, depth)
    rows = [row for core in fixed if (row := folding.row(core)) is not None]
    rows += [_row(each.failures, each.timing, each.verdict) for each in found if each.timing is not Timing.ANY]
    return _merged(rows)


class _Folding:
    """Takes together what ends the same whatever else happens."""

    def __init__(self, cluster: Cluster, ends: Mapping[frozenset[Failure], Verdict], depth: int) -> None:
        self._cluster, self._ends, self._depth = cluster, ends, depth
        self._covered: set[frozenset[Failure]] = set()
        self._played = set(cluster.combinations(depth))

    def row(self, core: frozenset[Failure]) -> Row | None:
        """The row that begins with this one; ``None``: an earlier one tells it."""
        if core in self._covered:
            return None
        free: list[Failure] = []
        whatever = []
        for router in self._cluster.routers:
            own = [each for each in self._cluster.failures if each.router == router]
            if router in {each.router for each in core}:
                continue
            if len(core) < self._depth and self._same(core, [*free, *own]):
                free += own
                whatever.append(router)
        for each in self._cluster.failures:
            if each not in core and each.router in {one.router for one in core} and self._same(core, [*free, each]):
                free.append(each)
        self._covered |= {each for each in self._extensions(core, free) if self._is_clear(each)}
        if not core:
            return Row((), (), tuple(whatever), Timing.ANY, self._ends[core]) if whatever else None
        failures = tuple(sorted(core, key=self._cluster.failures.index))
        return _row(failures, Timing.ANY, self._ends[core], tuple(whatever))

    def _same(self, core: frozenset[Failure], free: Sequence[Failure]) -> bool:
        return all(self._ends.get(each) == self._ends[core] for each in self._extensions(core, free))

    def _is_clear(self, combination: frozenset[Failure]) -> bool:
        """Whether several failures of one router do what each of them does, or nothing alone: as a reader takes it."""
        several = (each for each in combination if sum(one.router == each.router for one in combination) > 1)
        expected = {self._ends[combination], self._ends[frozenset()]}
        return all(self._ends.get(combination - {each}) in expected for each in several)

    def _extensions(self, core: frozenset[Failure], free: Sequence[Failure]) -> Iterator[frozenset[Failure]]:
        for number in range(1, self._depth - len(core) + 1):
            for more in combinations(free, number):
                if core | {*more} in self._played:
                    yield core | {*more}


def _row(failures: Sequence[Failure], timing: Timing, end: Verdict, whatever: tuple[str, ...] = ()) -> Row:
    if timing in {Timing.ORDER, Timing.ORDER_OR_ONCE}:
        single = tuple(frozenset({frozenset({each})}) for each in failures)
        return Row(tuple(each.router for each in failures), single, whatever, timing, end)
    routers = tuple(dict.fromkeys(each.router for each in failures))
    choices = (frozenset(each for each in failures if each.router == router) for router in routers)
    return Row(routers, tuple(frozenset({each}) for each in choices), whatever, timing, end)


def _merged(rows: Iterable[Row]) -> list[Row]:
    """Rows that differ in what fails of one router, and in nothing else, are one."""
    merged: list[Row] = []
    for row in rows:
        _add(merged, row)
    return merged


def _add(merged: list[Row], row: Row) -> None:
    """In the place of the first one that it joins; what comes of it may join a third."""
    place = len(merged)
    while (index := next((i for i, other in enumerate(merged) if _joined(other, row)), None)) is not None:
        row = _joined(merged.pop(index), row) or row
        place = min(place, index)
    merged.insert(place, row)


def _joined(one: Row, other: Row) -> Row | None:
    """Both as one; ``None``: they cannot be."""
    if replace(one, choices=other.choices) != other:
        return None
    differing = [index for index, pair in enumerate(zip(one.choices, other.choices, strict=True)) if pair[0] != pair[1]]
    if len(differing) != 1:
        return None
    (at,) = differing
    both = one.choices[at] | other.choices[at]
    return replace(one, choices=(*one.choices[:at], both, *one.choices[at + 1 :]))


def is_anything(cluster: Cluster, choice: frozenset[Choice]) -> bool:
    """Whether these are all the failures that this router can have, one at a time."""
    router = next(iter(next(iter(choice)))).router
    return {frozenset({each}) for each in cluster.failures if each.router == router} <= choice
