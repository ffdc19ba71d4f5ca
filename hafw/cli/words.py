"""Words and columns for people, as the verbs print them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

Record = dict[str, Any]

DRY_RUN: Final = "DRY RUN: sends, binds and runs nothing"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns aligned by their widest cell."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def on_leave(leave: Record | None) -> str:
    """The maintenance switch, in one line."""
    if leave is None:
        return "maintenance is off"
    since = datetime.fromisoformat(leave["since"]).astimezone()
    today = since.date() == datetime.now().astimezone().date()
    begun = since.strftime("%H:%M" if today else "%Y-%m-%d %H:%M")
    length = f" for {span(leave['for_seconds'])} ({span(leave['left_seconds'])} left)" if leave["until"] else ""
    why = f": {leave['reason']}" if leave["reason"] else ""
    return f"maintenance since {begun}{length}{why}: stays BACKUP"


def brief(seconds: float) -> str:
    """A short time: ``34 ms``, ``3.4 s``."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def counted(number: int, word: str) -> str:
    """``1 event``, ``3 events``."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def span(seconds: float) -> str:
    """A length of time as an operator says it: ``14s``, ``2h 14m``, ``3d 4h``."""
    whole = int(seconds)
    units = [("d", whole // 86400), ("h", whole // 3600 % 24), ("m", whole // 60 % 60), ("s", whole % 60)]
    while len(units) > 1 and units[0][1] == 0:
        units.pop(0)
    return " ".join(f"{value}{unit}" for unit, value in units[:2] if value or unit == units[0][0])
