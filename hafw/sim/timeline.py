"""A scenario as a timeline for a terminal: the states of every router and the holder of every address, over time."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from hafw.sim.excerpt import clock
from hafw.sim.story import DEGRADED, SEVERAL, STOPPED
from hafw.vrrp.settings import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hafw.sim.excerpt import Excerpt
    from hafw.sim.story import Mark, Stretch

NARROW = 40
LABEL = 10
"""Columns that a time on the axis has, with the blanks behind it."""
FACES = {
    State.MASTER: ("█", "#", "32"),
    DEGRADED: ("▓", "%", "33"),
    State.BACKUP: ("─", "-", "34"),
    State.FAULT: ("x", "x", "31"),
    STOPPED: (" ", " ", "0"),
}
"""By state: how it is drawn, how in plain ASCII, and its colour. All can be told apart without the colour."""
HELD, SHARED, NOBODY = "=", "+", "!"


def draw(title: str, excerpt: Excerpt, *, width: int = 80, colour: bool = False, plain: bool = False) -> str:
    """The whole picture, ``width`` columns wide. ``plain``: ASCII only."""
    margin = max(map(len, excerpt.names)) + 2
    scale = _Scale(excerpt, max(width, NARROW) - margin)
    groups = excerpt.gather(scale.column, 1)
    letters = scale.put({scale.column(marks[0].time): letter for letter, marks in groups})
    rows = [("", line) for line in [*scale.axis(plain=plain), letters]]
    for name, stretches in excerpt.routers:
        rows.append((name, "".join(_face(state, number, colour, plain) for state, number in _runs(stretches, scale))))
    held = [(name, _holders(stretches, scale)) for name, stretches in excerpt.addresses]
    rows += held
    lines = [title, "", *(f"{name.ljust(margin)}{row}".rstrip() for name, row in rows), ""]
    lines += [*_legend(excerpt, "".join(row for _, row in held), colour, plain), ""]
    return "\n".join([*lines, *_told(groups), *([""] if groups else []), *excerpt.notes(), *excerpt.facts()])


class _Scale:
    """Columns for times, all of the same length."""

    def __init__(self, excerpt: Excerpt, columns: int) -> None:
        self.columns = columns
        self._start, self._length = excerpt.start, excerpt.end - excerpt.start
        step = excerpt.step(columns / LABEL)
        self._ticks = {self.column(time): clock(time, step) for time in excerpt.moments(step)}

    def _place(self, time: float) -> float:
        return (time - self._start) / self._length * self.columns

    def column(self, time: float) -> int:
        """Where this moment is."""
        return min(int(self._place(time) + 1e-9), self.columns - 1)

    def columns_of(self, stretch: Stretch) -> range:
        """Every column of which it has the middle; empty when it is too short for any."""
        return range(round(self._place(stretch.start)), round(self._place(stretch.end)))

    def axis(self, *, plain: bool) -> list[str]:
        """Times, and below them the line that they stand on."""
        line, tick = ("-", "|") if plain else ("─", "┬")
        return [self.put(self._ticks), self.put(dict.fromkeys(self._ticks, tick)).replace(" ", line)]

    def put(self, texts: Mapping[int, str]) -> str:
        """Texts at their columns; one that does not fit in the line is left out."""
        line = [" "] * self.columns
        for column, text in texts.items():
            if column + len(text) <= self.columns:
                line[column : column + len(text)] = text
        return "".join(line)


# -- rows -------------------------------------------------------------------------------------------------------


def _runs(stretches: Sequence[Stretch], scale: _Scale) -> list[tuple[str, int]]:
    """States and for how many columns. One that is too short for a column has one all the same."""
    cells = [STOPPED] * scale.columns
    for stretch in stretches:
        columns = scale.columns_of(stretch)
        cells[columns.start : columns.stop] = [stretch.what] * len(columns)
    for stretch in stretches:
        if not scale.columns_of(stretch):
            cells[scale.column(stretch.start)] = stretch.what
    return [(state, len(list(same))) for state, same in groupby(cells)]


def _face(state: str, number: int, colour: bool, plain: bool) -> str:  # noqa: FBT001 - passed through
    fancy, ascii_, code = FACES[state]
    text = (ascii_ if plain else fancy) * number
    return f"\033[{code}m{text}\033[0m" if colour and state != STOPPED else text


def _holders(stretches: Sequence[Stretch], scale: _Scale) -> str:
    """The holder's name, and a line for as long as it holds."""
    line = [" "] * scale.columns
    for stretch in stretches:
        columns = scale.columns_of(stretch)
        fill = SHARED if SEVERAL in stretch.what else HELD if stretch.what else NOBODY
        name = stretch.what if len(stretch.what) + 1 < len(columns) else ""
        line[columns.start : columns.stop] = (name + fill * len(columns))[: len(columns)]
    for stretch in stretches:
        if not stretch.what and not scale.columns_of(stretch):  # too short to be seen, and what matters most
            line[max(scale.columns_of(stretch).start - 1, 0)] = NOBODY
    return "".join(line)


def _told(groups: Sequence[tuple[str, list[Mark]]]) -> list[str]:
    """What was done, by letter."""
    return [
        f"{letter if mark is marks[0] else ' '} {mark.time:9.3f}s  {mark.text}"
        for letter, marks in groups
        for mark in marks
    ]


def _legend(excerpt: Excerpt, held: str, colour: bool, plain: bool) -> list[str]:  # noqa: FBT001 - passed through
    """What the faces mean, of those that occur."""
    seen = {stretch.what for _, stretches in excerpt.routers for stretch in stretches}
    states = [f"{_face(state, 2, colour, plain)} {state}" for state in FACES if state in seen and state != STOPPED]
    states += ["blank: stopped"] if STOPPED in seen else []
    lines = [(HELD, "has the address"), (SHARED, "on several"), (NOBODY, "on nobody")]
    addresses = [f"{line * 2} {text}" for line, text in lines if line in held]
    addresses += ["blank: not yet on anybody"] if excerpt.is_late else []
    return ["   ".join(states), "   ".join(addresses)]
