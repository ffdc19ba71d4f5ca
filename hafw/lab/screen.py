"""What the demo shows: a live picture on a terminal, and plain lines with the time anywhere else."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING, Final, TextIO

from hafw.lab import classic
from hafw.lab.scenario import CLIENT, DOWN, ROUTERS, Row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hafw.lab.ruler import Probe
    from hafw.lab.scenario import Cluster

_REDRAW: Final = 0.2
_CELL: Final = 0.25
"""Seconds of one character in the strips."""
_LINES_KEPT: Final = 8
_HEIGHT: Final = 7 + len(ROUTERS) + _LINES_KEPT
"""Lines of the live picture: a head, the routers, the client's strips, the last of the story."""
_COLOURS: Final = {"MASTER": "32", "BACKUP": "36", "FAULT": "31", DOWN: "31", "lost": "31", "bold": "1"}
_FATE: Final = 0.25
"""Seconds after which the fate of a probe is known."""


class Screen:
    """Watches a cluster. ``live``: redraw in place; ``colour``: with ANSI colours."""

    def __init__(self, cluster: Cluster, stream: TextIO, *, live: bool, colour: bool) -> None:
        self._cluster = cluster
        self._stream = stream
        self._live = live
        self._colour = colour
        self._began = time.time()
        self._drawn = 0.0
        self._height = 0
        self._said: list[str] = []
        self._states = dict(cluster.states)
        cluster.watch(self._watch)

    @staticmethod
    def fits() -> bool:
        """Whether this terminal can show the live picture."""
        return shutil.get_terminal_size().lines > _HEIGHT and os.environ.get("TERM") != "dumb"

    def say(self, text: str) -> None:
        """Add a line to the story."""
        line = f"{time.time() - self._began:6.1f}  {text}"
        self._said.append(line)
        if self._live:
            self._draw()
        else:
            print(line, file=self._stream, flush=True)

    def finish(self, rows: Sequence[Row]) -> None:
        """Leave the last picture standing, and print the table below it."""
        if self._live:
            self._draw()
        print("\n" + table(rows), file=self._stream, flush=True)

    def _watch(self) -> None:
        for router, state in self._cluster.states.items():
            if state != self._states[router]:
                before, self._states[router] = self._states[router], state
                self.say(f"{router}: {before} -> {state}")
        if self._live and time.time() - self._drawn > _REDRAW:
            self._draw()

    def _draw(self) -> None:
        self._drawn = time.time()
        width = shutil.get_terminal_size().columns
        lines = [line[: width - 1] for line in self._head()]
        lines += self._strips(max(10, min(60, width - 17)))
        lines += ["", *(line[: width - 1] for line in self._said[-_LINES_KEPT:])]
        lines += [""] * (_HEIGHT - len(lines))
        up = f"\x1b[{self._height}F" if self._height else ""
        self._stream.write(up + "".join(f"{line}\x1b[K\n" for line in lines))
        self._stream.flush()
        self._height = len(lines)

    def _head(self) -> list[str]:
        cluster = self._cluster
        flavour = "VRRPv3, 100 ms" if cluster.fast else "VRRPv2, 1 s"
        lines = [f"hafw demo   {time.time() - self._began:5.1f} s   {classic.ADDRESS}   {flavour} adverts", ""]
        for router in ROUTERS:
            state = f"{cluster.states[router]:<10}"
            lines.append(f"  {router}   priority {classic.PRIORITY[router]:<4}  {self._paint(state, state.strip())}")
        return [*lines, ""]

    def _strips(self, cells: int) -> list[str]:
        """The last seconds as the client saw them: a dot or the router's number, ``x`` where a probe was lost."""
        end = time.time() - _FATE
        ping = _strip(self._cluster.ping.read(), end, cells)
        pages = _strip(self._cluster.pages.read(), end, cells)
        recent = [page for page in self._cluster.pages.read()[-60:] if end - 1 <= page.sent < end]
        served = sum(1 for page in recent if page.answered)
        return [
            f"  {CLIENT}",
            f"  ping   {self._paint_lost(ping)}",
            f"  pages  {self._paint_lost(pages)}  {served}/s",
        ]

    def _paint(self, text: str, kind: str) -> str:
        return f"\x1b[{_COLOURS[kind]}m{text}\x1b[0m" if self._colour and kind in _COLOURS else text

    def _paint_lost(self, strip: str) -> str:
        return "".join(self._paint(cell, "lost") if cell == "x" else cell for cell in strip)


def _strip(probes: Sequence[Probe], end: float, cells: int) -> str:
    strip = [" "] * cells
    for probe in reversed(probes):
        # Cells are aligned to the clock, so that they move and do not flicker.
        cell = cells - 1 - (int(end / _CELL) - int(probe.sent / _CELL))
        if cell < 0:
            break
        if cell < cells and strip[cell] != "x":
            strip[cell] = "x" if not probe.answered else "." if probe.who == "-" else probe.who[-1]
    return "".join(strip)


def table(rows: Sequence[Row]) -> str:
    """Return the result, aligned."""
    lines = [("FAILURE", "NEW MASTER", "AFTER", "ADDRESS OUT", "PAGES OUT", "PAGES LOST", "WAIT BY RFC 9568")]
    for row in rows:
        new = (row.winner, _ms(row.takeover)) if row.winner else ("none", "-")
        out = (_ms(row.ping.longest), _ms(row.pages.longest), str(row.pages.lost))
        lines.append((row.what, *new, *out, row.floor))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    right = {2, 3, 4, 5}
    return "\n".join(
        "  ".join(
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
