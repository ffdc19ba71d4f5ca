"""A scenario as a timeline for a terminal: the states of every router and the holder of every address, over time."""

from __future__ import annotations

from itertools import cycle, groupby
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING

from hafw.sim.story import DEGRADED, SEVERAL, STOPPED
from hafw.vrrp.settings import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hafw.sim.story import Mark, Story, Stretch

NARROW = 40
LABEL = 10
STEPS = tuple(base * 10.0**power for power in range(-3, 7) for base in (1, 2, 5))
FACES = {
    State.MASTER: ("█", "#", "32"),
    DEGRADED: ("▓", "%", "33"),
    State.BACKUP: ("─", "-", "34"),
    State.FAULT: ("x", "x", "31"),
    STOPPED: (" ", " ", "0"),
}
"""By state: how it is drawn, how in plain ASCII, and its colour. All can be told apart without the colour."""
HELD, SHARED, NOBODY = "=", "+", "!"


def draw(title: str, story: Story, *, width: int = 80, colour: bool = False, plain: bool = False) -> str:
    """The whole picture, ``width`` columns wide. ``plain``: ASCII only."""
    margin = max(len(name) for name in [*(name for name, _ in story.routers), *map(str, story.vips)]) + 2
    scale = Scale(story.lan.now, max(width, NARROW) - margin)
    groups = gather(story.marks, scale.column)
    letters = scale.put({scale.column(marks[0].time): letter for letter, marks in groups})
    rows = [("", line) for line in [*scale.axis(plain=plain), letters]]
    for name, stretches in story.routers:
        rows.append((name, "".join(_face(state, number, colour, plain) for state, number in _runs(stretches, scale))))
    held = {str(vip): _holders(story.holders(vip), scale) for vip in story.vips}
    rows += held.items()
    lines = [title, "", *(f"{name.ljust(margin)}{row}".rstrip() for name, row in rows), ""]
    return "\n".join(
        [*lines, *_legend(story, "".join(held.values()), colour, plain), "", *told(groups), "", *facts(story)]
    )


class Scale:
    """Columns for times, all of the same length."""

    def __init__(self, end: float, columns: int, *, label: int = LABEL) -> None:
        """``label``: how many columns a time on the axis takes, with the blanks behind it."""
        self.end = max(end, STEPS[0])
        self.columns = columns
        wanted = self.end * label / columns
        self.step = next((step for step in STEPS if step >= wanted), STEPS[-1])

    def column(self, time: float) -> int:
        """Where this moment is."""
        return min(int(time / self.end * self.columns + 1e-9), self.columns - 1)

    def columns_of(self, stretch: Stretch) -> range:
        """Every column of which it has the middle; empty when it is too short for any."""
        return range(*(round(time / self.end * self.columns) for time in (stretch.start, stretch.end)))

    def moments(self) -> list[float]:
        """The round times on the axis."""
        return [number * self.step for number in range(int(self.end / self.step + 1e-9) + 1)]

    def axis(self, *, plain: bool) -> list[str]:
        """Times, and below them the line that they stand on."""
        line, tick = ("-", "|") if plain else ("─", "┬")
        ticks = {self.column(time): clock(time, self.step) for time in self.moments()}
        return [self.put(ticks), self.put(dict.fromkeys(ticks, tick)).replace(" ", line)]

    def put(self, texts: Mapping[int, str]) -> str:
        """Texts at their columns; one that does not fit in the line is left out."""
        line = [" "] * self.columns
        for column, text in texts.items():
            if column + len(text) <= self.columns:
                line[column : column + len(text)] = text
        return "".join(line)


def clock(time: float, step: float = 0.001) -> str:
    """A time, with no more digits than it needs beside others of this step."""
    digits = next((digits for digits in range(3) if step >= 10.0**-digits), 3)
    return f"{time:.{digits}f}s"


def brief(seconds: float) -> str:
    """A length of time: ``2.050s``, ``1.0ms``."""
    return f"{seconds * 1000:.1f}ms" if seconds < 0.1 else f"{seconds:.3f}s"


def gather(marks: Sequence[Mark], place: Callable[[float], int]) -> list[tuple[str, list[Mark]]]:
    """Under one letter each: what was done at the same place of the axis."""
    places: dict[int, list[Mark]] = {}
    for mark in marks:
        places.setdefault(place(mark.time), []).append(mark)
    return list(zip(cycle(ascii_lowercase + ascii_uppercase), places.values(), strict=False))


def told(groups: Sequence[tuple[str, list[Mark]]]) -> list[str]:
    """What was done, by letter."""
    return [
        f"{letter if mark is marks[0] else ' '} {mark.time:9.3f}s  {mark.text}"
        for letter, marks in groups
        for mark in marks
    ]


def facts(story: Story) -> list[str]:
    """What a picture may be too small to show: when an address was on nobody, and when there were two MASTERs."""
    found = [
        f"{vip} was on nobody for {brief(gap.seconds)}, from {clock(gap.start)} to {clock(gap.end)}"
        for vip in story.vips
        for gap in story.outages(vip)
    ]
    found += [
        f"{instance} had several MASTERs for {brief(span.seconds)}, from {clock(span.start)} to {clock(span.end)}"
        for instance in story.instances
        for span in story.lan.rivalled(instance, 0.0)
    ]
    return found or ["once up, no address was ever on nobody, and there were never two MASTERs"]


# -- rows -------------------------------------------------------------------------------------------------------


def _runs(stretches: Sequence[Stretch], scale: Scale) -> list[tuple[str, int]]:
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


def _holders(stretches: Sequence[Stretch], scale: Scale) -> str:
    """The holder's name, and a line for as long as it holds; nothing before the first one."""
    line = [" "] * scale.columns
    for stretch in stretches:
        columns = scale.columns_of(stretch)
        before = not stretch.what and stretch is stretches[0]
        fill = " " if before else SHARED if SEVERAL in stretch.what else HELD if stretch.what else NOBODY
        name = stretch.what if len(stretch.what) + 1 < len(columns) else ""
        line[columns.start : columns.stop] = (name + fill * len(columns))[: len(columns)]
    return "".join(line)


def _legend(story: Story, held: str, colour: bool, plain: bool) -> list[str]:  # noqa: FBT001 - passed through
    """What the faces mean, of those that occur."""
    seen = {stretch.what for _, stretches in story.routers for stretch in stretches}
    states = [f"{_face(state, 2, colour, plain)} {state}" for state in FACES if state in seen and state != STOPPED]
    states += ["blank: stopped"] if STOPPED in seen else []
    lines = [(HELD, "has the address"), (SHARED, "on several"), (NOBODY, "on nobody")]
    return ["   ".join(states), "   ".join(f"{line * 2} {text}" for line, text in lines if line in held)]
