"""Sync groups as one node sees them: who is in which, what ``[group.NAME]`` adds, and what must not differ in one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hafw.config.checks import NAME, ChecksReading
from hafw.config.problem import Problem, enumerate_words, show
from hafw.config.tables import GroupTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hafw.config.instance import InstanceReading
    from hafw.config.nodes import NodeReader
    from hafw.config.view import View

_ALIKE = ("advertisement_interval", "preempt", "preempt_delay", "down_timer_adverts", "last_resort")
"""What the slowest or the most cautious member decides for all."""


class GroupsReading:
    """The groups that instances name. The checks of a group's table are added to each of its members."""

    def __init__(self, tables: dict[str, Any], instances: Sequence[InstanceReading], reader: NodeReader) -> None:
        self.plugins: dict[str, str] = {}
        """The plugin of each check, by the key path that names it."""
        self.members: dict[str, list[InstanceReading]] = {}
        self._reader = reader
        for each in instances:
            if group := each.group:
                self.members.setdefault(group, []).append(each)
        self._names({each.name for each in instances})
        for name, members in self.members.items():
            self._differences(name, members)
        for name, table in tables.items():
            self._read(name, table)

    def _blame(self, path: str, message: str, severity: Any = "error") -> None:  # noqa: ANN401
        self._reader.problems.append(Problem(self._reader.place(path), message, severity=severity))

    def _names(self, instances: set[str]) -> None:
        for group, members in self.members.items():
            first = members[0]
            if not NAME.fullmatch(group):
                rule = "a group's name must be letters, digits, _ . : and -, at most 64"
                first.blame("group", f"= {show(group)}: {rule}")
            elif group in instances:
                first.blame("group", f"= {show(group)}: an instance is called so: choose another name for the group")
            elif len(members) == 1:
                rule = "no other instance is in it, and a group of one changes nothing"
                first.blame("group", f"= {show(group)}: {rule}: leave it out, or add the others", "warning")

    def _differences(self, group: str, members: list[InstanceReading]) -> None:
        first, *others = members
        for other in others:
            for key in _ALIKE:
                mine, its = first.values.get(key), other.values.get(key)
                if mine is not None and its is not None and mine != its:
                    said = f"{first.name} of group {group} has {_shown(mine)}, and they wait for each other"
                    other.blame(key, f"= {_shown(its)}: {said}: give them the same", "warning")

    def _read(self, name: str, table: Any) -> None:  # noqa: ANN401
        path, members = f"group.{name}", self.members.get(name, [])
        if not isinstance(table, dict):
            self._blame(path, f"must be a table: [{path}]")
            return
        self._reader.read_keys({key: each for key, each in table.items() if key != "check"}, GroupTable, path)
        owner = bool(members) and all(each.values.get("owner") for each in members)
        checks = ChecksReading(table.get("check", {}), path, self._reader, owner=owner, group="")
        self.plugins |= checks.plugins
        if not members:
            self._blame(path, f"no instance is in it: group = {show(name)} in each of its members, or leave it out")
        for each in members:
            for check in checks.configs:
                self._join(each, replace(check, group=name), path)
            each.join(checks)

    def _join(self, member: InstanceReading, check: Any, path: str) -> None:  # noqa: ANN401
        """Give a member this check, too."""
        called = check.settings.name
        if called in member.check_names:
            way_out = "it holds for all members: remove this one, or name it differently"
            member.blame(f"check.{called}", f"[{path}.check.{called}] has the name already: {way_out}")
        elif member.config is not None:
            member.config = replace(member.config, checks=(*member.config.checks, check))


def _shown(value: Any) -> str:  # noqa: ANN401
    return show(str(value) if isinstance(value, float) else value)


def crossed(views: Sequence[View]) -> Iterator[Problem]:
    """Members in which the routers rank differently: each router would be the better one somewhere, and yield there."""
    for view in views[:1]:
        for group, members in view.groups.items():
            for other in members[1:]:
                yield from _crossed(group, members[0].name, other.name, views)


def _crossed(group: str, first: str, other: str, views: Sequence[View]) -> Iterator[Problem]:
    known = {
        view.node: (mine, its)
        for view in views
        if first in view.instances
        and other in view.instances
        and (mine := view.instances[first].priority) is not None
        and (its := view.instances[other].priority) is not None
    }
    nodes = list(known)
    for number, node in enumerate(nodes):
        for rival in nodes[number + 1 :]:
            orders = [_order(one, two) for one, two in zip(known[node], known[rival], strict=True)]
            if orders[0] != orders[1]:
                both = enumerate_words([node, rival])
                rule = f"orders {both} otherwise than {first} does, and group {group} has one MASTER for both"
                yield Problem(f"instance.{other}.priority", f"{rule}: give its members the same order")
                return


def _order(one: int, two: int) -> int:
    return (one > two) - (one < two)
