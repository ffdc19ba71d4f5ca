"""What only the routers of a file together show: their order, and whether a check can ever change it."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from hafw.config.plugins import weighs_by_number
from hafw.config.problem import Problem, enumerate_words
from hafw.config.weights import OWNER_PRIORITY, Candidate, enough, leaders, matters, weight_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hafw.config.instance import InstanceReading
    from hafw.config.view import View
    from hafw.config.weights import Candidates

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
    for name, readings in _by_instance(views).items():
        priorities = {node: each.priority or 0 for node, each in readings.items()}
        # An owner's weight has a warning of its own, what cannot be read has an error, and many weights do something.
        known = all(None not in reading.weights.values() for reading in readings.values())
        if len(readings) < 2 or not known or not 0 < min(priorities.values()) <= max(priorities.values()) < 255:
            continue
        checks = next(iter(readings.values())).weights
        candidates = {node: _candidate(each) for node, each in readings.items()}
        # With a number that a file says, any priority may come, and every check may count.
        judged = len(checks) <= _WEIGHTS_MAX and not any(_numbered(name, views))
        for check in checks if judged else ():
            if not matters(check, candidates, deaths=False):
                path = next(iter(readings.values())).weight_paths[check]
                yield idle(f"{path}.check.{check}.weight", check, candidates)


def _by_instance(views: Sequence[View]) -> dict[str, dict[str, InstanceReading]]:
    """The readings of each instance, by node."""
    names = dict.fromkeys(name for view in views for name in view.instances)
    return {name: {view.node: view.instances[name] for view in views if name in view.instances} for name in names}


def _numbered(name: str, views: Sequence[View]) -> Iterator[str]:
    """The checks of an instance whose weight a number multiplies."""
    for view in views:
        plugins = view.config.plugins
        for check, plugin in view.instances[name].checked_by.items() if name in view.instances else ():
            if plugin in plugins and weighs_by_number(plugins[plugin]) and check in view.instances[name].weights:
                yield check


def _candidate(reading: InstanceReading) -> Candidate:
    weights = {check: weight or 0 for check, weight in reading.weights.items()}
    preempt = reading.values.get("preempt", True)
    return Candidate(priority=reading.priority or 0, preempt=preempt, weights=weights)


def idle(path: str, check: str, candidates: Candidates) -> Problem:
    """The warning of a check that decides nothing while all run."""
    first, second = leaders(candidates)
    weight = weight_of(check, candidates)
    message = f"= {weight}: never changes who is MASTER while all run: {_why(check, candidates, first, second)}"
    return Problem(path, message, severity="warning")


def _why(check: str, candidates: Candidates, first: str, second: str) -> str:
    if not second:
        return "with preempt = false nobody takes over from a living MASTER: critical = true would hand over"
    order = f"{first} ({candidates[first].priority}) stays ahead of {second} ({candidates[second].priority})"
    would = enough(check, candidates)
    return f"{order}: {f'{would} would, or ' if would else 'use '}critical = true"
