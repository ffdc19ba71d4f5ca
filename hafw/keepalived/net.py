"""What hafw itself says of the result: a table that it would refuse is kept as a comment, with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hafw.config.file import ConfigErrors, loads
from hafw.config.plugins import PACKAGES
from hafw.keepalived.draft import ByNode
from hafw.keepalived.toml import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hafw.config.problem import Problem
    from hafw.keepalived.draft import Draft, Path, Section, Value
    from hafw.keepalived.report import Place, Report

_INSTALLED = {name: (f"hafw-plugin-{package}",) for name, package in PACKAGES.items()}
"""What is on this machine is no matter: the result is for another one."""
_CHECKING = ("script", "interface", "file", "process")
_ROUNDS = 50
"""Each one switches something off; so many, and more is wrong than can be mended here."""


def catch(draft: Draft, nodes: tuple[str, ...], report: Report) -> tuple[str, bool]:
    """Switch off what hafw refuses; the text that is left, and whether it can run."""
    _orphans(draft)
    for _ in range(_ROUNDS):
        text = text_of(draft)
        errors, warnings = _problems(text, nodes)
        off = {path: each for each in errors if (path := _table(draft, each.path)) is not None}
        if not errors:
            _advise(draft, warnings, report)
            return text, True
        if not off:
            break
        for path, problem in off.items():
            _switch_off(draft, path, problem, report)
        _orphans(draft)
    return text_of(draft), False


def _problems(text: str, nodes: tuple[str, ...]) -> tuple[list[Problem], list[Problem]]:
    """As every router sees the file."""
    errors: dict[Problem, None] = {}
    warnings: dict[Problem, None] = {}
    for node in nodes if len(nodes) > 1 else ("",):
        if errors:  # what the first router's view shows is mended first: the others show most of it too
            break
        try:
            _, found = loads(text, "config.toml", node or None, installed=_INSTALLED)
        except ConfigErrors as error:
            found = error.problems
        for each in found:
            (errors if each.severity == "error" else warnings)[each] = None
    return list(errors), list(warnings)


def _table(draft: Draft, path: str) -> Path | None:
    """The smallest table that can be left out and to which a key path belongs; ``None``: the path names none."""
    best: Path | None = None
    for each, section in draft.sections.items():
        name = ".".join(each)
        able = len(each) != 3 and not section.why_off
        if (
            able
            and (path == name or path.startswith((f"{name}.", f"{name}[")))
            and len(name) > len(".".join(best or ()))
        ):
            best = each
    return best


def _switch_off(draft: Draft, path: Path, problem: Problem, report: Report) -> None:
    section = draft.sections[path]
    joint = " " if problem.message.startswith("= ") else ": "
    why = f"{problem.path}{joint}{problem.message}"
    draft.switch_off(path, f"hafw refuses it: {why}")
    if section.place is not None:
        report.add(section.place, "", "decide", f"stands there as a comment, since hafw refuses it: {why}")


def _orphans(draft: Draft) -> None:
    """What belongs to a table that is switched off is so too; plugins that no check asks any more among it."""
    for path, section in list(draft.sections.items()):
        parent = draft.sections.get(path[:2])
        if parent is not None and parent.why_off and not section.why_off:
            section.why_off = parent.why_off
    asked = {
        str(section.get("plugin") or path[3])
        for path, section in draft.sections.items()
        if len(path) == 4 and path[2] == "check" and not section.why_off
    }
    for path, section in draft.sections.items():
        if path[0] == "plugin" and section.get("plugin") in _CHECKING and path[1] not in asked and not section.why_off:
            section.why_off = "No check asks it:"
    _empty_groups(draft)
    _scripts_of_nobody(draft)
    _routes_of_nobody(draft)


def _empty_groups(draft: Draft) -> None:
    members = {section.get("group") for section in draft.children("instance").values() if not section.why_off}
    for name, section in draft.children("group").items():
        if name not in members and not section.why_off:
            draft.switch_off(("group", name), "No instance belongs to it:")


def _live(draft: Draft) -> set[str]:
    """The instances that are left, and their groups."""
    left = {name: each for name, each in draft.children("instance").items() if not each.why_off}
    return {*left, *(str(each.get("group")) for each in left.values())}


def _scripts_of_nobody(draft: Draft) -> None:
    live = _live(draft)
    general = draft.sections.get(("plugin", "notify_script"))
    below = list(draft.below("plugin", "notify_script"))
    for section in below:
        if section.path[-1] not in live and section.entries and not section.why_off:
            section.why_off = "No such instance is left:"
    if general and set(general.entries) <= {"user"} and all(each.why_off for each in below):
        general.why_off = general.why_off or "No scripts are left:"


def _routes_of_nobody(draft: Draft) -> None:
    section, live = draft.sections.get(("plugin", "routes")), _live(draft)
    if section is None:
        return
    for entry in section.entries.values():
        if isinstance(entry.value, ByNode):
            entry.value = ByNode({node: _of(live, each) for node, each in entry.value.values.items()})
        else:
            entry.value = _of(live, entry.value)
    section.entries = {key: each for key, each in section.entries.items() if each.value}
    if not section.entries:
        del draft.sections["plugin", "routes"]


def _of(live: set[str], routes: Value) -> Value:
    found = routes if isinstance(routes, list) else []
    return [each for each in found if isinstance(each, dict) and each.get("instance") in live]


def _advise(draft: Draft, warnings: Iterable[Problem], report: Report) -> None:
    """Hafw's warnings, at the lines that they come from."""
    names = {".".join(path): section for path, section in draft.sections.items()}
    for each in warnings:
        place = _origin(names, each.path)
        if place is not None:
            joint = " " if each.message.startswith("= ") else ": "
            report.add(place, "", "advice", f"hafw check warns: {each.path}{joint}{each.message}")


def _origin(names: dict[str, Section], path: str) -> Place | None:
    """The line behind a key path: that of its key, or of the table that it stands in."""
    name, key = path, ""
    while name and name not in names:
        name, _, key = name.rpartition(".")
    if not name:
        return None
    entry = names[name].entries.get(key.partition("[")[0])
    return entry.place if entry and entry.place else names[name].place
