"""``vrrp_sync_group``: instances that are MASTER together."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hafw.keepalived.instance import ORDER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hafw.keepalived.instance import Instance
    from hafw.keepalived.language import Statement
    from hafw.keepalived.reading import Router


@dataclass
class Group:
    """One sync group."""

    name: str
    statement: Statement
    members: dict[str, Statement] = field(default_factory=dict)
    tracks: list[Statement] = field(default_factory=list)
    notifies: list[Statement] = field(default_factory=list)


class GroupReading:
    """Reads the blocks of sync groups."""

    def __init__(self, router: Router) -> None:
        self.found: dict[str, Group] = {}
        self.of_instance: dict[str, Group] = {}
        """The group of each instance that is in one."""
        self._router = router

    def read(self, statement: Statement, body: list[Statement]) -> None:
        """One block, whose statements are known to belong there."""
        given = " ".join(statement.arguments) or f"VG_{len(self.found) + 1}"
        name = re.sub(r"[^A-Za-z0-9_.:-]+", "_", given).lstrip("-.:")[:60] or "VG"
        if name != " ".join(statement.arguments):
            self._router.report.add(statement.place, statement.text, "changed", f"here it is called {name}")
        if name in self.found:
            self._router.note(
                statement, "decide", f"`{name}` is defined before: keepalived ignored this one, and so does hafw"
            )
            return
        group = self.found[name] = Group(name, statement)
        for each in body:
            if each.word == "group":
                self._members(group, each)
            elif each.word.startswith("track_"):
                group.tracks.append(each)
            else:
                group.notifies.append(each)

    def _members(self, group: Group, statement: Statement) -> None:
        for name in statement.arguments:
            group.members[name] = statement
        for each in statement.body or ():
            each.told = True
            for name in each.words:
                group.members[name] = each
        for name in group.members:
            self.of_instance.setdefault(name, group)

    def complete(self, instances: Mapping[str, Instance]) -> Iterator[Group]:
        """Write the groups that bind something together; those whose checks and scripts count."""
        for group in self.found.values():
            members = [name for name in group.members if self._is_member(group, name, instances)]
            if not members:
                self._router.note(group.statement, "dropped", "has no instance in it")
                for each in [*group.tracks, *group.notifies]:
                    self._router.note(each, "dropped", "its group has no instance in it")
                continue
            if group.name in instances:
                group.name = f"{group.name}_group"
                why = f"an instance is called so too: the group is called {group.name} here"
                self._router.report.add(group.statement.place, group.statement.text, "changed", why)
            for name in members:
                section = self._router.draft.section("instance", name)
                section.put("group", group.name, group.members[name].place)
                section.entries = {key: section.entries[key] for key in ORDER if key in section.entries}
            yield group

    def _is_member(self, group: Group, name: str, instances: Mapping[str, Instance]) -> bool:
        line = group.members[name]
        if name not in instances:
            why = f"there is no vrrp_instance {name}: keepalived ignored it in the group, and so does hafw"
            self._router.report.add(line.place, line.text, "decide", why)
            return False
        if self.of_instance[name] is not group:
            why = f"{name} is in group {self.of_instance[name].name} already: it can move with one group only"
            self._router.report.add(line.place, line.text, "decide", why)
            return False
        return True
