"""The arithmetic of weights: whether a check can ever change who is MASTER, and which weight would.

Only two routers at a time need to be compared: whatever a check changes among many, it changes between the one that
has it and one other, the rest being away or behind. So all combinations of checks and deaths are covered by sums.

A sync group decides as one: a weight shifts all of its members alike, and a router takes the role only where it is
ahead in each of them. So the order is one of standings: the priorities of all members, where an instance has one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hafw.node import PRIORITY_MAX, PRIORITY_MIN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

OWNER_PRIORITY = 255
WEIGHT_MAX = 253
Standing = tuple[int, ...]
"""The effective priority of every member of a sync group; one of an instance that decides alone."""


def beats(one: Standing, other: Standing) -> bool:
    """Whether it is ahead in every member: in one that is level the address decides, and may do so either way."""
    return all(mine > its for mine, its in zip(one, other, strict=True))


def _by_priority(standing: Standing) -> tuple[float, ...]:
    return tuple(-each for each in standing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What the order among the routers of one instance, or of one sync group, is made of, of one router."""

    priority: int
    """The configured one; 255 is an owner's, and never changes."""
    others: Standing = ()
    """Those of the other members of the sync group."""
    preempt: bool = True
    weights: Mapping[str, int]
    """By check, of those that have one."""
    skew: Callable[[Standing], tuple[float, ...]] = _by_priority
    """How late each member may take over from a MASTER that died: the later, the more often another is first."""

    @property
    def may_preempt(self) -> bool:
        """Whether it takes the role from a living MASTER of lower priority (C-FSM-30)."""
        return self.preempt or {self.priority, *self.others} == {OWNER_PRIORITY}

    def standing(self, shift: int) -> Standing:
        """What it counts as when its weights add up to this."""
        return tuple(_bounded(each, shift) for each in (self.priority, *self.others))

    def shifts(self, without: str = "") -> set[int]:
        """Every sum of weights that its checks can make."""
        found = {0}
        for check, weight in self.weights.items():
            if check != without:
                found |= {each + weight for each in found}
        return found

    def reachable(self) -> set[Standing]:
        """Every standing that its checks can make."""
        return {self.standing(each) for each in self.shifts()}

    def stands(self, failing: str = "") -> Standing:
        """Its standing while every check is healthy, or all but this one."""
        weights = self.weights.items()
        return self.standing(sum(weight for check, weight in weights if (weight > 0) == (check != failing)))

    def well(self, failing: str = "") -> int:
        """Its priority then, in the member that is named first."""
        return self.stands(failing)[0]


def _bounded(priority: int, shift: int) -> int:
    """What a sum of priority and weights counts as."""
    return OWNER_PRIORITY if priority == OWNER_PRIORITY else max(PRIORITY_MIN, min(PRIORITY_MAX, priority + shift))


Candidates = dict[str, Candidate]
"""By router, all of one instance or of one sync group."""


def matters(check: str, candidates: Candidates, *, deaths: bool) -> bool:
    """Whether this check, on some router, can change who is MASTER; a tie may go either way.

    ``deaths``: some of the others may be away; else all run and only checks fail.
    """
    return any(_matters(check, node, candidates, deaths=deaths) for node in candidates)


def _matters(check: str, node: str, candidates: Candidates, *, deaths: bool) -> bool:
    own = candidates[node]
    reachable = {name: each.reachable() for name, each in candidates.items()}
    for pair in _pairs(own, check):
        for name, other in candidates.items():
            if name == node:
                continue
            # While all run, who is always behind a third one that would take the role from it is never MASTER.
            thirds = [each for each in candidates if each not in {node, name}]
            lowest = [min(reachable[each]) for each in thirds if not deaths and candidates[each].may_preempt]
            runs = [each for each in reachable[name] if not any(beats(floor, each) for floor in lowest)]
            if any(_displaces(own, other, pair, each) for each in runs):
                return True
            highest = [max(reachable[each]) for each in thirds]
            if deaths and any(_inherits(own, other, pair, each, highest) for each in reachable[name]):
                return True
    return False


def _pairs(own: Candidate, check: str) -> set[tuple[Standing, Standing]]:
    """Its standing with and without the weight of this check, whatever the others say, where they differ."""
    weight = own.weights.get(check, 0)
    pairs = ((own.standing(rest), own.standing(rest + weight)) for rest in own.shifts(without=check))
    return {(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]}


def _displaces(own: Candidate, other: Candidate, pair: tuple[Standing, Standing], rival: Standing) -> bool:
    """Between the two, one being MASTER: whether the other takes the role with one of these standings only."""
    low, high = pair
    taken = other.may_preempt and beats(rival, low) and not beats(rival, high)
    return taken or (own.may_preempt and beats(high, rival) and not beats(low, rival))


def _inherits(
    own: Candidate, other: Candidate, pair: tuple[Standing, Standing], rival: Standing, thirds: Sequence[Standing]
) -> bool:
    """Whether it depends on these standings who is MASTER after a third one, behind whom both waited, has died.

    ``thirds``: the standing of each at its highest.
    """
    low, high = pair

    def waited(third: Standing) -> bool:
        return not (own.may_preempt and beats(high, third)) and not (other.may_preempt and beats(rival, third))

    return any(map(waited, thirds)) and len(_succeeds(own, other, low, rival) | _succeeds(own, other, high, rival)) > 1


def _succeeds(own: Candidate, other: Candidate, standing: Standing, rival: Standing) -> set[bool]:
    """Whether it is MASTER in the end, of these two that both may take over; both answers, if that depends.

    A group takes over when its slowest member may; or that one whose link is gone, since it is the only one that hears
    no goodbye. Those that are level are first together, and the address decides.
    """
    mine, its = own.skew(standing), other.skew(rival)
    found = set()
    for first, second in ((max(mine), max(its)), *zip(mine, its, strict=True)):
        if first <= second:
            found.add(not (other.may_preempt and beats(rival, standing)))
        if second <= first:
            found.add(own.may_preempt and beats(standing, rival))
    return found


def weight_of(check: str, candidates: Candidates) -> int:
    """On the leading router, or on the first one that has this check."""
    first, _ = leaders(candidates)
    weights = [candidates[first].weights, *(each.weights for each in candidates.values())]
    return next(each[check] for each in weights if check in each)


def leaders(candidates: Candidates) -> tuple[str, str]:
    """Who is MASTER while all is well, and the best of those that could take its place; empty: nobody may."""
    first, *others = sorted(candidates, key=lambda node: candidates[node].stands(), reverse=True)
    return first, next((each for each in others if candidates[each].may_preempt), "")


def enough(check: str, candidates: Candidates) -> int:
    """The smallest weight, of the same sign, with which its failure on the MASTER moves the role; 0: none does."""
    first, second = leaders(candidates)
    if not second:
        return 0
    sign = -1 if candidates[first].weights.get(check, 0) < 0 else 1
    for size in range(1, WEIGHT_MAX + 1):
        one, other = (_weighed(candidates[node], check, sign * size) for node in (first, second))
        if beats(other.stands(), one.stands(failing=check)):
            return sign * size
    return 0


def _weighed(candidate: Candidate, check: str, weight: int) -> Candidate:
    return replace(candidate, weights={**candidate.weights, check: weight})


def why_never(check: str, candidates: Candidates) -> str:
    """Why it cannot change who is MASTER, and the least that could."""
    first, second = leaders(candidates)
    own = candidates[first]
    if own.priority == OWNER_PRIORITY:
        return f"{first} owns the addresses, and its 255 never changes: critical = true would"
    if not second:
        willing = {node: replace(each, preempt=True) for node, each in candidates.items()}
        would = enough(check, willing)
        more = f" with {would}" if abs(would) > abs(weight_of(check, candidates)) else ""
        living = "with preempt = false nobody takes over from a living MASTER, whatever its priority"
        return f"{living}: preempt = true{more} would, or critical = true"
    left = f"leaves {first} at {own.well(failing=check)}, still above {second}'s {candidates[second].well()}"
    would = enough(check, candidates)
    least = f"{would} or {'less' if would < 0 else 'more'} moves it, or " if would else ""
    return f"{left}: {least}critical = true{'' if would else ' would'}"
