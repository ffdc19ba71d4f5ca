"""What only the routers of a file together show: their order, and whether a check can ever change it."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from hafw.config.problem import Problem, enumerate_words
from hafw.node import PRIORITY_MAX, PRIORITY_MIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from hafw.config.instance import InstanceReading
    from hafw.config.view import View

OWNER_PRIORITY = 255
DEFAULT_PRIORITY = 100
_WEIGHTS_MAX = 12
"""Beyond it the sums that they can make together take too long to try."""


def known_priorities(table: Mapping[str, Any]) -> dict[str, int] | None:
    """The priority of every node that ``[instance.NAME]`` names, an owner's being 255; ``None``: one cannot be read.

    Empty when they are not all there. A file whose values differ by node serves the nodes that it names and no other,
    so these are all routers of it.
    """
    priority, owner = table.get("priority", DEFAULT_PRIORITY), table.get("owner", False)
    found: dict[str, Any] = {}
    for node in dict.fromkeys(node for each in (priority, owner) if isinstance(each, dict) for node in each):
        own, owns = (each.get(node) if isinstance(each, dict) else each for each in (priority, owner))
        if owns is None or (own is None and not owns):
            return {}
        found[node] = OWNER_PRIORITY if owns else own
        if type(found[node]) is not int:
            return None
    return found


def level_nodes(priorities: Mapping[str, int]) -> list[list[str]]:
    """The nodes by priority, highest first; those of one priority together."""
    ordered = sorted(priorities, key=lambda node: -priorities[node])
    return [list(nodes) for _, nodes in groupby(ordered, key=priorities.__getitem__)]


def is_ranking(priorities: Mapping[str, int]) -> bool:
    """Whether every router knows its place, and no two the same one: else ranked skew would let both take over."""
    return len(priorities) > 1 and len(set(priorities.values())) == len(priorities)


def incomplete(node_tables: Mapping[str, Sequence[str]], nodes: Sequence[str], current: str) -> Iterator[Problem]:
    """Tables that lack another node; that the current one is missing is an error of its own."""
    for path, names in node_tables.items():
        missing = [node for node in nodes if node not in names and node != current]
        if missing:
            message = f"has no value for {enumerate_words(missing)}, which other tables name"
            yield Problem(path, message, severity="warning")


def level_priorities(views: Sequence[View]) -> Iterator[Problem]:
    """Among equal priorities the highest address wins: seldom what was meant. Nobody's mistake without preemption."""
    for name, readings in _by_instance(views).items():
        preempting = {node: each for node, each in readings.items() if each.values.get("preempt")}
        known = {node: each.priority for node, each in preempting.items() if each.priority is not None}
        for nodes in level_nodes(known):
            if len(nodes) > 1:
                who = f"is the same on {enumerate_words(nodes)}: the highest address wins: give each its own"
                yield Problem(f"instance.{name}.priority", f"= {known[nodes[0]]}: {who}", severity="warning")


def idle_weights(views: Sequence[View]) -> Iterator[Problem]:
    """Checks whose weight leaves the same router MASTER whatever they say."""
    for readings in _by_instance(views).values():
        priorities = {node: each.priority or 0 for node, each in readings.items()}
        # An owner's weight has a warning of its own, what cannot be read has an error, and many weights do something.
        known = all(None not in reading.weights.values() for reading in readings.values())
        if len(readings) < 2 or not known or not 0 < min(priorities.values()) <= max(priorities.values()) < 255:
            continue
        checks = next(iter(readings.values())).weights
        for check in checks if len(checks) <= _WEIGHTS_MAX else ():
            if not any(_decides(check, node, readings) for node in readings):
                path = next(iter(readings.values())).weight_paths[check]
                yield _idle(f"{path}.check.{check}.weight", check, priorities, readings)


def _by_instance(views: Sequence[View]) -> dict[str, dict[str, InstanceReading]]:
    """The readings of each instance, by node."""
    names = dict.fromkeys(name for view in views for name in view.instances)
    return {name: {view.node: view.instances[name] for view in views if name in view.instances} for name in names}


def _reachable(reading: InstanceReading, without: str = "") -> set[int]:
    """Every sum of priority and weights that the checks of a router can make."""
    found = {reading.priority or 0}
    for check, weight in reading.weights.items():
        if check != without:
            found |= {each + (weight or 0) for each in found}
    return found


def _bounded(priorities: Iterable[int]) -> set[int]:
    return {max(PRIORITY_MIN, min(PRIORITY_MAX, each)) for each in priorities}


def _decides(check: str, node: str, readings: Mapping[str, InstanceReading]) -> bool:
    """Whether this check, on this node, can make or unmake the highest priority of all; a tie may go either way."""
    weight = readings[node].weights[check] or 0
    others = [_bounded(_reachable(each)) for other, each in readings.items() if other != node]
    floor = max(map(min, others))
    best = {each for reachable in others for each in reachable if each >= floor}
    for rest in _reachable(readings[node], without=check):
        reached = _bounded((rest, rest + weight))
        if len(reached) > 1 and any(min(reached) <= each <= max(reached) for each in best):
            return True
    return False


def _idle(path: str, check: str, priorities: dict[str, int], readings: Mapping[str, InstanceReading]) -> Problem:
    first, second = sorted(priorities, key=lambda node: -priorities[node])[:2]
    weight = readings[first].weights[check] or 0
    enough = (priorities[first] - priorities[second] + 1) * (-1 if weight < 0 else 1)
    order = f"{first} ({priorities[first]}) stays ahead of {second} ({priorities[second]})"
    message = f"= {weight}: never changes who is MASTER while all run: {order}: {enough} would, or critical = true"
    return Problem(path, message, severity="warning")
