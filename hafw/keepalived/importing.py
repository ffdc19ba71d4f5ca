"""``hafw import``: files of keepalived, of one router or of several, to one config.toml and a report."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING

from hafw.keepalived.convert import Conversion
from hafw.keepalived.language import Reader
from hafw.keepalived.merge import merge
from hafw.keepalived.net import catch
from hafw.keepalived.reading import Router, told
from hafw.keepalived.report import Report

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hafw.keepalived.draft import Draft
    from hafw.keepalived.language import Files, Statement

OK, NOTHING_USABLE, DECIDE = 0, 3, 4


@dataclass(frozen=True, slots=True)
class Source:
    """One file of keepalived, and the router that it is for; no name: it is found in the file."""

    file: str
    text: str
    node: str = ""


@dataclass
class Imported:
    """What came of it."""

    text: str
    """config.toml; all comments where nothing was usable."""
    report: Report
    nodes: tuple[str, ...]
    """More than one: values differ by them."""
    usable: bool
    trees: list[list[Statement]] = field(default_factory=list)
    """What was read; every statement of it was carried over or is in the report."""

    @property
    def exit_code(self) -> int:
        """0: all carried over; 3: nothing usable; 4: something needs a decision."""
        if not self.usable:
            return NOTHING_USABLE
        return DECIDE if self.report.counts().get("decide") else OK

    @property
    def summary(self) -> str:
        """The last line of the report."""
        counts = self.report.counts()
        parts = [f"{number} {kind}" for kind, number in counts.items()]
        lines = sum(counts.values())
        if not self.usable and not parts:
            return "nothing usable: there is no vrrp_instance"
        said = (
            f"{lines} {'line' if lines == 1 else 'lines'} in the report: {', '.join(parts)}"
            if parts
            else "all carried over"
        )
        if not self.usable:
            return f"{said}; nothing usable: no instance is complete"
        return (
            f"{said}; decide what is marked so, then `hafw check`"
            if counts.get("decide")
            else f"{said}; next: `hafw check`"
        )


def convert(sources: Sequence[Source], files: Files, identity: str = "") -> Imported:
    """Every file given, as one configuration. ``identity``: of which router ``@id`` lines count; empty: of all."""
    report = Report()
    routers = [router for source in sources for router in _routers(source, files, report, identity)]
    for router in routers:
        Conversion(router).run()
    _name(routers, sources, report)
    draft = merge(routers, report)
    nodes = tuple(router.node for router in routers)
    _head(draft, routers, sources)
    text, usable = catch(draft, nodes, report)
    for router in routers:
        _account(router.tree, report)
    return Imported(text, report, nodes, usable, [router.tree for router in routers])


def _routers(source: Source, files: Files, report: Report, identity: str) -> list[Router]:
    """One, or one for each router that the file's ``@id`` lines name."""
    reader = Reader(identity or source.node or PurePath(source.file).stem, files)
    tree = reader.read(source.file, source.text)
    if identity or not reader.macros.ids or source.node in reader.macros.ids:
        report.take(reader.report)
        return [Router(source.node, tree, files, report)]
    found = []
    for name in reader.macros.ids:
        own = Reader(name, files, report)
        found.append(Router(name, own.read(source.file, source.text), files, report))
    return found


def _name(routers: list[Router], sources: Sequence[Source], report: Report) -> None:
    """By ``--node`` or ``@id``; then by ``router_id`` where each has one of its own; then by the name of the file."""
    given = [router.draft.section("node").get("name") for router in routers]
    distinct = None not in given and len(set(map(str, given))) == len(routers)
    stems = [PurePath(each.file).stem for each in sources]
    taken: set[str] = set()
    for number, router in enumerate(routers):
        if not router.node and distinct:
            router.node = str(given[number])
        elif not router.node:
            router.node = stems[number] if number < len(stems) and stems[number] else f"router{number + 1}"
        while router.node in taken:
            router.node += "_"
        taken.add(router.node)
    _ = report


def _head(draft: Draft, routers: list[Router], sources: Iterable[Source]) -> None:
    names = ", ".join(PurePath(each.file).name for each in sources)
    draft.head = [f"Made from {names} by `hafw import`; what its report says of a line is not all said here."]
    if len(routers) > 1:
        nodes = ", ".join(router.node for router in routers)
        draft.head += [
            f"One file for all routers: {nodes}. Each takes its own values by its short host name; where that is",
            f"another one, `hafw run --node {routers[0].node} ...` or [node] name says which it is.",
        ]


def _account(tree: list[Statement], report: Report) -> None:
    """A statement of which nothing is known would be a line that vanished."""
    todo = list(tree)
    while todo:
        each = todo.pop()
        if not each.told:
            report.add(each.place, each.text, "decide", "has no meaning in this place: left out")
            told(each)
        todo += each.body or ()
