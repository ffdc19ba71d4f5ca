"""A draft as the text of config.toml, the way a person would write it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hafw.config.toml import key, value
from hafw.keepalived.draft import ByNode
from hafw.keepalived.report import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafw.keepalived.draft import Draft, Entry, Path, Section

_WIDTH = 110
_ORDER = ("node", "instance", "group", "plugin", "control", "process", "journal")


def text_of(draft: Draft) -> str:
    """The whole file."""
    parts = ["\n".join(_comments(draft.head))] if draft.head else []
    at = {path: number for number, path in enumerate(draft.sections)}
    ordered = sorted(draft.sections.values(), key=lambda each: _rank(each.path, at))
    shown = (each for each in ordered if each.entries or each.above or each.below)
    parts += ["\n".join(_lines(each)) for each in shown]
    return "\n\n".join(parts) + "\n"


def _rank(path: Path, at: dict[Path, int]) -> tuple[object, ...]:
    """By kind; the tables of an instance follow it at once."""
    return (_ORDER.index(path[0]), at.get(path[:2], at[path]), len(path) > 2, at[path])


def _lines(section: Section) -> Iterator[str]:
    mark = "# " if section.why_off else ""
    yield from _comments(section.above)
    if section.why_off and (len(section.path) == 2 or section.path[0] == "plugin"):
        yield from _comments([section.why_off])
    yield f"{mark}[{'.'.join(map(key, section.path))}]"
    for name, entry in section.entries.items():
        for line in _entry(name, entry):
            yield mark + line
    yield from _comments(section.below)


def _comments(lines: list[str]) -> Iterator[str]:
    for line in lines:
        yield f"# {printable(line)}" if line else "#"


def _entry(name: str, entry: Entry) -> Iterator[str]:
    comment = f"  # {printable(entry.comment)}" if entry.comment else ""
    found = entry.value.values if isinstance(entry.value, ByNode) else entry.value
    line = f"{key(name)} = {value(found)}"
    if not isinstance(found, list) or len(line) <= _WIDTH:
        yield line + comment
        return
    yield f"{key(name)} = [{comment}"
    for each in found:
        yield f"  {value(each)},"
    yield "]"
