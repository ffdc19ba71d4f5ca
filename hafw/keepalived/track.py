"""``track_script`` and its like: which checks an instance or a group has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hafw.config.rules import interface_mistake
from hafw.keepalived.checks import Tracked, Watched, put_check, weight_of
from hafw.keepalived.language import Statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hafw.keepalived.checks import Kind, WatchReading
    from hafw.keepalived.groups import Group
    from hafw.keepalived.instance import Instance
    from hafw.keepalived.reading import Router

_KINDS: dict[str, Kind] = {
    "track_script": "script",
    "track_file": "file",
    "track_process": "process",
    "track_interface": "interface",
}


@dataclass
class Tracking:
    """Turns each line of a tracking block into a check."""

    router: Router
    watch: WatchReading
    group_of: Mapping[str, Group]
    """The sync group of each instance that is in one."""

    def of_instance(self, instance: Instance, block: Statement) -> None:
        """``track_script`` and its like in an instance."""
        kind = _KINDS[block.word]
        for line in self._lines(block):
            if kind == "interface" and line.word == instance.interface:
                why = "the instance's own interface is watched always: nothing to say"
                self.router.note(line, "dropped", why)
                continue
            found = self._found(kind, line)
            if found is None:
                continue
            group = self.group_of.get(instance.name)
            if group and ("group", group.name, "check", found.watched.key) in self.router.draft.sections:
                self.router.note(line, "dropped", f"group {group.name} has this check, for all its members")
                continue
            if found.weight and group:
                why = (
                    "keepalived ignores a check with a weight in an instance that belongs to a sync group: put it into "
                    "the group, or let it have no weight"
                )
                self.router.note(line, "decide", why)
                found.watched.tracked = True
                continue
            put_check(self.router, ("instance", instance.name), found)

    def of_group(self, group: Group, block: Statement) -> None:
        """The same in a group."""
        for line in self._lines(block):
            found = self._found(_KINDS[block.word], line)
            if found is None:
                continue
            put_check(self.router, ("group", group.name), found)

    def _lines(self, block: Statement) -> Iterator[Statement]:
        """One for each thing that is tracked."""
        block.told = True
        if block.arguments:
            why = "names belong into { }; keepalived ignored them, and here they count"
            self.router.report.add(block.place, block.text, "changed", why)
            yield from self._names(Statement(block.arguments, block.place, block.quoted[1:]))
        for line in block.body or ():
            if line.body is not None:
                self.router.note(line, "dropped", "opens no block")
            else:
                line.told = True
                yield from self._names(line)

    def _names(self, line: Statement) -> Iterator[Statement]:
        """``a weight 2 b``: keepalived reads one name in a line."""
        words, options = list(line.words), ("weight", "reverse", "noreverse")
        at = 1
        while at < len(words) and (words[at] in options or words[at - 1] == "weight"):
            at += 1
        yield Statement(tuple(words[:at]), line.place, line.quoted[:at])
        if at == len(words):
            return
        if words[at].startswith("//"):
            self.router.report.add(line.place, line.text, "dropped", "a comment begins with # or !")
            return
        why = f"keepalived reads one name in a line and ignored `{words[at]}`; here it counts"
        self.router.report.add(line.place, line.text, "changed", why)
        yield from self._names(Statement(tuple(words[at:]), line.place, line.quoted[at:]))

    def _found(self, kind: Kind, line: Statement) -> Tracked | None:
        """What a line names, with the weight that counts here."""
        watched = self._interface(line) if kind == "interface" else self.watch.lookup(kind, line.word, line)
        if watched is None:
            return None
        weight, reverse = watched.weight, watched.reverse
        if "weight" in line.words:
            at = line.words.index("weight") + 1
            weight, reverse = weight_of(self.router, line, list(line.words[at:]), weight)
        elif "reverse" in line.words:
            reverse = True
        if "noreverse" in line.words:
            reverse = False
        return Tracked(watched, weight, reverse, line)

    def _interface(self, line: Statement) -> Watched | None:
        if mistake := interface_mistake(line.word):
            self.router.note(line, "decide", f"{mistake}: left out")
            return None
        return self.watch.interface(line.word, line)
