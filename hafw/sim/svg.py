"""A scenario as a picture: one SVG without scripts, fonts or links, legible on light and dark ground."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from hafw.sim.excerpt import clock
from hafw.sim.story import DEGRADED, SEVERAL, STOPPED
from hafw.vrrp.settings import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hafw.sim.excerpt import Excerpt
    from hafw.sim.story import Mark, Stretch

WIDTH, EDGE = 960, 20
ROW, BAR = 34, 22
LETTER = 8.2
"""Pixels that a character of a label is wide, at most."""
LABEL, MARK_WIDTH = 60, 20
"""Pixels that a time on the axis, and a letter above it, have to themselves."""
TITLE_LENGTH = 98
THIN = 2.0
"""Pixels that even the shortest stretch has."""
CLASSES = {State.MASTER: "master", DEGRADED: "degraded", State.BACKUP: "backup", State.FAULT: "fault"}
STYLE = """
    text { font: 13px system-ui, "DejaVu Sans", Verdana, sans-serif; fill: var(--ink) }
    svg { --ground: #ffffff; --ink: #1f2328; --soft: #59636e; --line: #d1d9e0; --no: #cf222e; --shared: #8250df }
    svg { --master: #1a7f37; --degraded: #9a6700; --backup: #ddf4ff; --fault: #82071e; --held: #eaeef2 }
    @media (prefers-color-scheme: dark) {
      svg { --ground: #0d1117; --ink: #e6edf3; --soft: #9198a1; --line: #3d444d; --no: #ff7b72; --shared: #8957e5 }
      svg { --master: #238636; --degraded: #9e6a03; --backup: #12304d; --fault: #da3633; --held: #2b323b }
    }
    .ground { fill: var(--ground) } .soft { fill: var(--soft) } .no { fill: var(--no) }
    .title { font-size: 16px; font-weight: 600 } .name { font-weight: 600 }
    .grid { stroke: var(--line) } .mark { stroke: var(--soft); stroke-dasharray: 3 3 }
    .letter { fill: var(--ink) } .inverse { fill: var(--ground); font-weight: 600 }
    .master { fill: var(--master) } .degraded { fill: var(--degraded) } .fault { fill: var(--fault) }
    .backup { fill: var(--backup) } .held { fill: var(--held) }
    .shared { fill: var(--shared) } .none { fill: var(--no) }
    .on-master, .on-degraded, .on-fault, .on-shared, .on-none { fill: #ffffff }
    .code { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, monospace; font-size: 12px }
"""


def draw(title: str, excerpt: Excerpt) -> str:
    """The whole document. The same story is always the same text."""
    return _Picture(title, excerpt).document()


class _Picture:
    """Draws from the top down; ``y`` is where the next thing goes."""

    def __init__(self, title: str, excerpt: Excerpt) -> None:
        self.title = title if len(title) <= TITLE_LENGTH else f"{title[: TITLE_LENGTH - 1]}…"
        self.excerpt = excerpt
        self.left = EDGE + 12 + max(map(len, excerpt.names)) * LETTER
        self.groups = excerpt.gather(self.x, MARK_WIDTH)
        self.parts: list[str] = []
        self.y = 34.0

    def document(self) -> str:
        """From top to bottom; the lines that go through all of it are laid under the rest."""
        self._text(EDGE, self.y, self.title, "title")
        self.y += 56
        top = self.y
        for name, stretches in self.excerpt.routers:
            self._row(name, [(each, CLASSES.get(each.what, ""), each.what) for each in stretches])
        for name, stretches in self.excerpt.addresses:
            self._row(name, [(each, *_held(each)) for each in stretches])
        lines = [*self._axis(top, self.y - 6), *self._letters(top, self.y - 6)]
        self._legend()
        size = f'width="{WIDTH}" height="{self.y:.0f}" viewBox="0 0 {WIDTH} {self.y:.0f}"'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(self.title)}" {size}>'
        ground = f'<rect class="ground" width="{WIDTH}" height="{self.y:.0f}" rx="6"/>'
        return "\n".join([head, f"  <style>{STYLE}  </style>", ground, *lines, *self.parts, "</svg>", ""])

    def x(self, time: float) -> float:
        """Where a moment is."""
        start, end = self.excerpt.start, self.excerpt.end
        return self.left + (time - start) / (end - start) * (WIDTH - EDGE - self.left)

    # -- parts --------------------------------------------------------------------------------------------------

    def _text(self, x: float, y: float, text: str, style: str = "", anchor: str = "") -> None:
        self.parts.append(_text(x, y, text, style, anchor))

    def _row(self, name: str, bars: Sequence[tuple[Stretch, str, str]]) -> None:
        self._text(EDGE, self.y + 16, name, "name")
        for stretch, style, label in bars:
            if style:
                self._bar(stretch, style, label)
        self.y += ROW

    def _bar(self, stretch: Stretch, style: str, label: str) -> None:
        x, end = self.x(stretch.start), self.x(stretch.end)
        width = max(end - x, THIN)
        tip = f"{label}, {clock(stretch.start)} to {clock(stretch.end)}"
        box = f'x="{x:.1f}" y="{self.y:.0f}" width="{width:.1f}" height="{BAR}" rx="{min(3.0, width / 2):.1f}"'
        self.parts.append(f'<rect class="{style}" {box}><title>{escape(tip)}</title></rect>')
        if len(label) * LETTER + 12 <= width:
            self._text(x + 7, self.y + 16, label, f"on-{style}")

    def _axis(self, top: float, bottom: float) -> Iterator[str]:
        step = self.excerpt.step((WIDTH - self.left) / LABEL)
        for time in self.excerpt.moments(step):
            x = self.x(time)
            yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top - 8:.0f}" y2="{bottom:.0f}"/>'
            if x < WIDTH - 2 * EDGE:
                yield _text(x, top - 32, clock(time, step), "soft", "middle")

    def _letters(self, top: float, bottom: float) -> Iterator[str]:
        for letter, marks in self.groups:
            x = self.x(marks[0].time)
            yield f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{top - 8:.0f}" y2="{bottom:.0f}"/>'
            yield f'<circle class="letter" cx="{x:.1f}" cy="{top - 16:.0f}" r="9"/>'
            yield _text(x, top - 12, letter, "inverse", "middle")

    def _legend(self) -> None:
        self.y += 14
        x = float(EDGE)
        for style, text in self._meanings():
            width = (28 if style else 0) + _width(text)
            if x + width > WIDTH - EDGE:
                x, self.y = float(EDGE), self.y + 24
            if style:
                box = f'x="{x:.0f}" y="{self.y:.0f}" width="22" height="14" rx="3"'
                self.parts.append(f'<rect class="{style}" {box}/>')
            self._text(x + (28 if style else 0), self.y + 12, text, "" if style else "soft")
            x += width + 16
        self.y += 40
        for note in self.excerpt.notes():
            self._text(EDGE, self.y, note)
            self.y += 20
        for fact in self.excerpt.facts():
            self._text(EDGE, self.y, fact, "no" if " on nobody for" in fact else "soft" if fact[0] == "(" else "")
            self.y += 20
        self.y += 8
        for letter, mark in ((letter, mark) for letter, marks in self.groups for mark in marks):
            self._told(letter, mark)
        self.y += 4

    def _meanings(self) -> list[tuple[str, str]]:
        """Every style that occurs, and what it says; what is empty has none."""
        seen = {stretch.what for _, stretches in self.excerpt.routers for stretch in stretches}
        held = {stretch.what for _, stretches in self.excerpt.addresses for stretch in stretches}
        swatches = [(style, state) for state, style in CLASSES.items() if state in seen]
        swatches += [("held", "who has the address")]
        swatches += [("shared", "several have it")] if any(SEVERAL in what for what in held) else []
        swatches += [("none", "nobody has it")] if "" in held else []
        empty = [("empty: stopped", STOPPED in seen), ("empty address: not yet on anybody", self.excerpt.is_late)]
        told = ", ".join(text for text, applies in empty if applies)
        return [*swatches, *([("", told)] if told else [])]

    def _told(self, letter: str, mark: Mark) -> None:
        self._text(EDGE, self.y, letter, "name")
        self._text(EDGE + 90, self.y, clock(mark.time), "soft", "end")
        self._text(EDGE + 104, self.y, mark.text, "code")
        self.y += 20


def _width(text: str) -> float:
    """Pixels that it is wide, at most."""
    return sum(10.0 if letter.isupper() else 7.6 for letter in text)


def _held(stretch: Stretch) -> tuple[str, str]:
    """How a stretch of an address is drawn, and what stands on it."""
    if not stretch.what:
        return "none", "nobody"
    return ("shared" if SEVERAL in stretch.what else "held"), stretch.what


def _text(x: float, y: float, text: str, style: str = "", anchor: str = "") -> str:
    given = (f' class="{style}"' if style else "") + (f' text-anchor="{anchor}"' if anchor else "")
    return f'<text x="{x:.1f}" y="{y:.0f}"{given}>{escape(text)}</text>'
