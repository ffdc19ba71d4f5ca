"""The arithmetic of weights: whether a check can ever change who is MASTER, and which weight would.

Only two routers at a time need to be compared: whatever a check changes among many, it changes between the one that
has it and one other, the rest being away or behind. So all combinations of checks and deaths are covered by sums.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from operator import neg
from typing import TYPE_CHECKING

from hafw.node import PRIORITY_MAX, PRIORITY_MIN

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

OWNER_PRIORITY = 255
WEIGHT_MAX = 253


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What the order among the routers of one instance is made of, of one router."""

    priority: int
    """The configured one; 255 is an owner's, and never changes."""
    preempt: bool = True
    weights: Mapping[str, int]
    """By check, of those that have one."""
    skew: Callable[[int], float] = neg
    """How late it takes over from a MASTER that died, by its priority: the later, the more often another is first."""

    @property
    def may_preempt(self) -> bool:
        """Whether it takes the role from a living MASTER of lower priority (C-FSM-30)."""
        return self.preempt or self.priority == OWNER_PRIORITY

    def bounded(self, total: int) -> int:
        """What a sum of priority and weights counts as."""
        if self.priority == OWNER_PRIORITY:
            return OWNER_PRIORITY
        return max(PRIORITY_MIN, min(PRIORITY_MAX, total))

    def sums(self, without: str = "") -> set[int]:
        """Every sum of priority and weights that its checks can make."""
        found = {self.priority}
        for check, weight in self.weights.items():
            if check != without:
                found |= {each + weight for each in found}
        return found

    def reachable(self) -> set[int]:
        """Every priority that its checks can make."""
        return {self.bounded(each) for each in self.sums()}

    def well(self, failing: str = "") -> int:
        """Its priority while every check is healthy, or all but this one."""
        weights = self.weights.items()
        return self.bounded(self.priority + sum(w for check, w in weights if (w > 0) == (check != failing)))


Candidates = dict[str, Candidate]
"""By router, all of one instance."""


def matters(check: str, candidates: Candidates, *, deaths: bool) -> bool:
    """Whether this check, on some router, can change who is MASTER; a tie may go either way.

    ``deaths``: some of the others may be away; else all run and only checks fail.
    """
    return any(_matters(check, node, candidates, deaths=deaths) for node in candidates)


def _matters(check: str, node: str, candidates: Candidates, *, deaths: bool) -> bool:
    own = candidates[node]
    reachable = {name: each.reachable() for name, each in candidates.items()}
    for low, high in _pairs(own, check):
        for name, other in candidates.items():
            if name == node:
                continue
            # While all run, who is always behind a third one that would take the role from it is never MASTER.
            thirds = [each for each in candidates if each not in {node, name}]
            runs = [each for each in thirds if not deaths and candidates[each].may_preempt]
            floor = max((min(reachable[each]) for each in runs), default=0)
            if any(_displaces(own, other, (low, high), each) for each in reachable[name] if each >= floor):
                return True
            highest = max((max(reachable[each]) for each in thirds), default=0)
            if deaths and any(_inherits(own, other, (low, high), each, highest) for each in reachable[name]):
                return True
    return False


def _pairs(own: Candidate, check: str) -> set[tuple[int, int]]:
    """Its priorities with and without the weight of this check, whatever the others say, where they differ."""
    weight = own.weights.get(check, 0)
    pairs = ((own.bounded(rest), own.bounded(rest + weight)) for rest in own.sums(without=check))
    return {(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]}


def _displaces(own: Candidate, other: Candidate, pair: tuple[int, int], rival: int) -> bool:
    """Between the two, one being MASTER: whether the other takes the role with one of these priorities only."""
    low, high = pair
    return (other.may_preempt and low < rival <= high) or (own.may_preempt and low <= rival < high)


def _inherits(own: Candidate, other: Candidate, pair: tuple[int, int], rival: int, third: int) -> bool:
    """Whether it depends on these priorities who is MASTER after a third one, behind whom both waited, has died.

    ``third``: its priority at the highest; 0: there is none.
    """
    low, high = pair

    def is_next(priority: int) -> bool:
        first = (own.skew(priority), -priority) <= (other.skew(rival), -rival)
        if first:
            return not (other.may_preempt and rival > priority)
        return own.may_preempt and priority > rival

    both_wait = not (own.may_preempt and high > third) and not (other.may_preempt and rival > third)
    return third > 0 and both_wait and is_next(low) != is_next(high)


def weight_of(check: str, candidates: Candidates) -> int:
    """On the leading router, or on the first one that has this check."""
    first, _ = leaders(candidates)
    weights = [candidates[first].weights, *(each.weights for each in candidates.values())]
    return next(each[check] for each in weights if check in each)


def leaders(candidates: Candidates) -> tuple[str, str]:
    """Who is MASTER while all is well, and the best of those that could take its place; empty: nobody may."""
    first, *others = sorted(candidates, key=lambda node: -candidates[node].well())
    return first, next((each for each in others if candidates[each].may_preempt), "")


def enough(check: str, candidates: Candidates) -> int:
    """The smallest weight, of the same sign, with which its failure on the MASTER moves the role; 0: none does."""
    first, second = leaders(candidates)
    if not second:
        return 0
    sign = -1 if candidates[first].weights.get(check, 0) < 0 else 1
    for size in range(1, WEIGHT_MAX + 1):
        one, other = (_weighed(candidates[node], check, sign * size) for node in (first, second))
        if one.well(failing=check) < other.well():
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
