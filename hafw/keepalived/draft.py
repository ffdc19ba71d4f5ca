"""The configuration while it is made: tables with their keys, each knowing the line that it comes from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafw.keepalived.report import Place

Path = tuple[str, ...]
Value = str | int | bool | list["Value"] | dict[str, "Value"]


@dataclass(frozen=True, slots=True)
class ByNode:
    """A value that differs from router to router."""

    values: dict[str, Value]


@dataclass(slots=True)
class Entry:
    """One key: its value, where it comes from, and what is to be said about it behind it."""

    value: Value | ByNode
    place: Place | None = None
    comment: str = ""


@dataclass(slots=True)
class Section:
    """A table of config.toml."""

    path: Path
    entries: dict[str, Entry] = field(default_factory=dict)
    above: list[str] = field(default_factory=list)
    """Comments before its heading."""
    below: list[str] = field(default_factory=list)
    """Comments behind its last key."""
    place: Place | None = None
    why_off: str = ""
    """Why it stands there as a comment only; empty: it does not."""

    def put(self, key: str, value: Value | ByNode, place: Place | None = None, comment: str = "") -> None:
        """Set a key; a later one counts, as with keepalived."""
        self.entries[key] = Entry(value, place, comment)

    def get(self, key: str) -> Value | ByNode | None:
        """Its value; ``None``: it has none."""
        return self.entries[key].value if key in self.entries else None


@dataclass
class Draft:
    """All tables by their paths, in the order in which they came up."""

    sections: dict[Path, Section] = field(default_factory=dict)
    head: list[str] = field(default_factory=list)
    """Comments at the top of the file."""

    def section(self, *path: str, place: Place | None = None) -> Section:
        """The table of this path; an empty one if there was none."""
        found = self.sections.setdefault(path, Section(path))
        found.place = found.place or place
        return found

    def below(self, *path: str) -> Iterator[Section]:
        """The tables that stand in this one."""
        depth = len(path)
        return (each for key, each in list(self.sections.items()) if key[:depth] == path and len(key) > depth)

    def children(self, *path: str) -> dict[str, Section]:
        """Its direct ones, by name: ``children("instance")`` are the instances."""
        return {key[-1]: each for key, each in self.sections.items() if key[:-1] == path}

    def switch_off(self, path: Path, why: str) -> None:
        """Keep a table and all that stands in it as comments only."""
        for each in (self.section(*path), *self.below(*path)):
            each.why_off = why
