"""Where a key of an instance stands in its file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hafw.config.lines import Lines


@dataclass(frozen=True, slots=True)
class Place:
    """A line to look at; 0 when it is unknown."""

    path: str
    line: int
    written: bool
    """False: the key has its default, and the line is that of the table in which it would stand."""


def place(lines: Lines, node: str, instance: str, key: str) -> Place:
    """The line that decides the value of this key for this node."""
    path = f"instance.{instance}.{key}"
    if f"{path}.{node}" in lines:
        path = f"{path}.{node}"
    return Place(path, lines.find(path), path in lines)
