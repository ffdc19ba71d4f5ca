"""The drafts of several routers as one: values by node where they may differ, contradictions named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hafw.keepalived.draft import ByNode, Draft, Section
from hafw.keepalived.instance import ORDER

if TYPE_CHECKING:
    from hafw.keepalived.draft import Entry, Path, Value
    from hafw.keepalived.reading import Router
    from hafw.keepalived.report import Place, Report

_AGREE = {
    "vrid": "routers with different numbers never hear each other",
    "version": "routers with different versions never hear each other",
    "advertisement_interval": "with different intervals one takes the other for dead",
    "auth": "a router with another password or key is not heard",
    "virtual_addresses": "each would serve other addresses",
    "excluded_addresses": "each would serve other addresses",
    "down_timer_adverts": "with different patience they change roles at different times",
    "multicast_group": "routers in different groups never hear each other",
    "group": "a group is the same on all routers",
    "virtual_mac": "neighbours see another MAC address with each",
}
"""Keys that must be the same on all routers, and what happens otherwise."""
_ONE = ("version", "auth")
"""Those of them that have to fit each other."""
_DEFAULTS: dict[str, Value] = {
    "priority": 100,
    "owner": False,
    "version": 3,
    "advertisement_interval": "1s",
    "down_timer_adverts": 3,
    "preempt": True,
    "preempt_delay": "0s",
    "checksum": "auto",
    "virtual_mac": False,
    "track_primary": True,
    "excluded_addresses": [],
    "repeat": ["0s", "50ms", "250ms", "1s", "5s"],
    "refresh": "1m",
    "rate": 50000,
    "interval": "1s",
    "rise": 2,
    "fall": 2,
    "critical": False,
    "reverse": False,
    "user": "",
    "startup_delay": "0s",
    "route": [],
    "rule": [],
    "realtime": False,
    "lock_memory": False,
    **dict.fromkeys(("notify", "notify_master", "notify_backup", "notify_fault", "notify_stop", "notify_deleted"), ""),
    "notify_master_rx_lower_pri": "",
}
"""What a router has that does not name the key; the others have no value that says so."""


def merge(routers: list[Router], report: Report) -> Draft:
    """One draft; that of the only router, if it is one."""
    if len(routers) == 1:
        return routers[0].draft
    for router in routers:
        node = router.draft.sections.get(("node",))
        if node is not None:
            node.entries.pop("name", None)
    _match_instances(routers, report)
    _part_plugins(routers)
    return _Merging(routers, report).merged()


def _match_instances(routers: list[Router], report: Report) -> None:
    """The same virtual router may have another name elsewhere: its number and family make it, not its name."""
    first = routers[0].draft
    for router in routers[1:]:
        for name, section in router.draft.children("instance").items():
            if name in first.children("instance"):
                continue
            same = [
                other
                for other, each in first.children("instance").items()
                if _identity(each) == _identity(section) and other not in router.draft.children("instance")
            ]
            if len(same) == 1 and section.place is not None:
                why = f"the same virtual router is called {same[0]} in the first file, and so here"
                report.add(section.place, "", "changed", why)
                _rename(router.draft, name, same[0])


def _part_plugins(routers: list[Router]) -> None:
    """A script here and a process there that are called the same are two checks."""
    kinds: dict[str, object] = {}
    for router in routers:
        for name, section in router.draft.children("plugin").items():
            kind, new, number = section.get("plugin"), name, 2
            while kinds.setdefault(new, kind) != kind:
                new, number = f"{name}_{number}", number + 1
            if new != name:
                _rename_check(router.draft, name, new)


def _rename_check(draft: Draft, old: str, new: str) -> None:
    sections = {}
    for path, section in draft.sections.items():
        if path == ("plugin", old) or (path[2:3] == ("check",) and path[-1] == old):
            path = (*path[:-1], new)  # noqa: PLW2901 - the new path of the same table
            section.path = path
        sections[path] = section
    draft.sections = sections


def _identity(section: Section) -> tuple[object, bool]:
    addresses = section.get("virtual_addresses")
    first = addresses[0] if isinstance(addresses, list) and addresses else ""
    return section.get("vrid"), ":" in str(first["address"] if isinstance(first, dict) else first)


def _rename(draft: Draft, old: str, new: str) -> None:
    sections = {}
    for path, section in draft.sections.items():
        if path[:2] == ("instance", old):
            path = ("instance", new, *path[2:])  # noqa: PLW2901 - the new path of the same table
            section.path = path
        sections[path] = section
    draft.sections = sections


class _Merging:
    """Tables one after the other, key by key."""

    def __init__(self, routers: list[Router], report: Report) -> None:
        self._routers = routers
        self._report = report
        self._files = {router.node: router for router in routers}

    def merged(self) -> Draft:
        draft = Draft()
        self._scripts()
        for path in dict.fromkeys(path for router in self._routers for path in router.draft.sections):
            there = {each.node: each.draft.sections[path] for each in self._routers if path in each.draft.sections}
            draft.sections[path] = self._section(path, there)
        for name, section in draft.children("instance").items():
            self._priorities(section)
            section.entries = {key: section.entries[key] for key in ORDER if key in section.entries}
            self._instance(name)
        return draft

    def _scripts(self) -> None:
        """Scripts of instances and groups: where they differ, by node; hafw takes the tables of its own node."""
        for kind in ("instance", "group"):
            path = ("plugin", "notify_script", kind)
            own = {each.node: each.draft.children(*path) for each in self._routers}
            said = {
                repr({name: {key: entry.value for key, entry in each.entries.items()} for name, each in found.items()})
                for found in own.values()
            }
            for router in self._routers if len(said) > 1 else ():
                for name in own[router.node]:
                    section = router.draft.sections.pop((*path, name))
                    section.path = (*path, router.node, name)
                    self._routers[0].draft.sections[section.path] = section
                if not own[router.node]:
                    empty = self._routers[0].draft.section(*path, router.node)
                    empty.below.append("None on this router.")

    def _section(self, path: Path, there: dict[str, Section]) -> Section:
        one = next(iter(there.values()))
        off = next((each.why_off for each in there.values() if each.why_off), "")
        found = Section(path, {}, one.above, one.below, one.place, off)
        missing = [router.node for router in self._routers if router.node not in there]
        if missing and path[0] in ("instance", "group") and len(path) != 3 and one.place is not None:
            what = "check" if len(path) > 3 else path[0]
            why = f"is not in the file of {_listed(missing)}: with one file all routers have this {what}"
            self._report.add(one.place, "", "decide", why)
        if path[0] in ("instance", "group", "plugin") and path[-1] not in ("announce", "notify_script"):
            there = {router.node: there.get(router.node, one) for router in self._routers}
        for key in dict.fromkeys(key for each in there.values() for key in each.entries):
            self._key(found, key, {node: each.entries[key] for node, each in there.items() if key in each.entries})
        return found

    def _key(self, section: Section, key: str, entries: dict[str, Entry]) -> None:
        values = {node: entry.value for node, entry in entries.items() if not isinstance(entry.value, ByNode)}
        nodes = [router.node for router in self._routers]
        first = next(iter(entries.values()))
        absent = [node for node in nodes if node not in values]
        if not absent and len({_exact(each) for each in values.values()}) == 1:
            section.entries[key] = first
            return
        differs = key in _AGREE and self._contradiction(key, entries, absent)
        if key in _ONE:
            section.entries[key] = first
            return
        for node in absent:
            default = self._default(section, key, node)
            if default is not None:
                values[node] = default
        if len(values) == len(nodes) and len({_exact(each) for each in values.values()}) > 1:
            comment = "must be the same on all routers" if differs else first.comment
            section.put(key, ByNode({node: values[node] for node in nodes}), first.place, comment)
            return
        section.entries[key] = first
        if absent and key not in _AGREE and first.place is not None and len(values) < len(nodes):
            why = f"{_listed(absent)} has none: all routers get it, for there is no value that says so"
            self._report.add(first.place, "", "decide", why)

    def _default(self, section: Section, key: str, node: str) -> Value | None:
        if key == "priority":
            own = self._files[node].draft.sections.get(section.path)
            if own is not None and own.get("owner"):
                return 255
        if key == "timeout" and section.path[0] == "instance":
            return "800ms"
        if key == "multicast_group":
            return "224.0.0.18"
        if key == "unicast_peers":
            return self._sources(section.path, node)
        return _DEFAULTS.get(key)

    def _sources(self, path: Path, node: str) -> Value | None:
        """The peers of a router that names none: the other routers' own addresses, where all say them."""
        found: list[Value] = []
        for router in self._routers:
            section = router.draft.sections.get(path)
            source = section.get("source_address") if section else None
            if router.node != node and isinstance(source, str):
                found.append(source)
        return found if len(found) == len(self._routers) - 1 else None

    def _contradiction(self, key: str, entries: dict[str, Entry], absent: list[str]) -> bool:
        """Named in every file that says something else than the first; whether there is one."""
        (_, first), *others = entries.items()
        taken = "; that of the first file is taken" if key in _ONE else ""
        differing = [each for _, each in others if _comparable(key, each.value) != _comparable(key, first.value)]
        for entry in differing:
            if entry.place is not None and first.place is not None:
                why = f"{key} differs from {_at(first.place)}: {_AGREE[key]}{taken}"
                self._report.add(entry.place, "", "decide", why)
        if absent and first.place is not None:
            why = f"{key} stands here, and not in the file of {_listed(absent)}: {_AGREE[key]}{taken}"
            self._report.add(first.place, "", "decide", why)
        return bool(differing or absent)

    def _priorities(self, section: Section) -> None:
        """By router always, for this is how the file names its routers."""
        found = section.entries.get("priority")
        own: Value | ByNode = 255 if section.get("owner") is True else 100
        if found is not None:
            own = found.value
        if not isinstance(own, ByNode):
            place = found.place if found is not None else section.place
            section.put("priority", ByNode(dict.fromkeys((router.node for router in self._routers), own)), place)

    def _instance(self, name: str) -> None:
        """What only the values of all routers together show."""
        found = {
            router.node: router.draft.sections["instance", name]
            for router in self._routers
            if ("instance", name) in router.draft.sections
        }
        sources = {node: each.get("source_address") for node, each in found.items()}
        for node, section in found.items():
            peers = section.get("unicast_peers")
            entry = section.entries.get("unicast_peers")
            if not isinstance(peers, list) or entry is None or entry.place is None:
                continue
            for other, source in sources.items():
                if other != node and source and source not in peers:
                    why = f"{other} sends from {source}, which is not among these: {node} does not hear it"
                    self._report.add(entry.place, "", "decide", why)
        self._first_states(name, found)

    def _first_states(self, name: str, found: dict[str, Section]) -> None:
        """``state MASTER`` on a router of lower priority."""
        priorities = {node: _priority(each) for node, each in found.items()}
        best = max(priorities, key=lambda node: priorities[node])
        for router in self._routers:
            line = router.masters.get(name)
            if line is not None and priorities.get(router.node, 0) < priorities[best]:
                why = (
                    f"{best} has priority {priorities[best]}, this one {priorities[router.node]}: {best} becomes MASTER"
                )
                self._report.add(line.place, line.text, "advice", why)


def _priority(section: Section) -> int:
    found = section.get("priority")
    return 255 if section.get("owner") else found if isinstance(found, int) else 100


def _comparable(key: str, value: Value | ByNode) -> object:
    """Addresses are the same in whatever order, and on whatever interface."""
    if key not in ("virtual_addresses", "excluded_addresses") or not isinstance(value, list):
        return value
    plain = [str(each["address"]) if isinstance(each, dict) else str(each) for each in value]
    return sorted(plain)


def _exact(value: Value) -> str:
    """The same for values that say the same; the order of a list says nothing here."""
    return repr(sorted(map(repr, value)) if isinstance(value, list) else value)


def _at(place: Place) -> str:
    return f"{place.file}:{place.line}"


def _listed(names: list[str]) -> str:
    return " and ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} and {names[-1]}"
