"""A stretch of a story, to be drawn: the whole of it, or the milliseconds in which an address moved."""

from __future__ import annotations

from itertools import cycle
from math import ceil, floor
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING

from hafw.sim.story import Stretch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hafw.sim.seen import Span
    from hafw.sim.story import Mark, Story
    from hafw.vrrp.settings import IPAddress

STEPS = tuple(base * 10.0**power for power in range(-4, 7) for base in (1, 2, 5))
SHORTEST = 0.001
"""Seconds that are drawn at least: there are scenarios in which no time passes."""
FACTS_SHOWN = 12


class Excerpt:
    """What pictures are made of, from ``start`` to ``end``; both in seconds since the beginning."""

    def __init__(self, story: Story, start: float = 0.0, end: float | None = None) -> None:
        last = story.lan.now if end is None else min(end, story.lan.now)
        self.start = min(start, last)
        self.end = max(last, self.start + SHORTEST)
        self._story = story

    @property
    def addresses(self) -> list[tuple[str, list[Stretch]]]:
        """By what it is called, who had each virtual address."""
        return [(self._story.called(vip), self._holders(vip)) for vip in self._story.vips]

    @property
    def is_late(self) -> bool:
        """Whether some address was on nobody yet in the beginning."""
        return any(not some or some[0].start > self.start for _, some in self.addresses)

    @property
    def routers(self) -> list[tuple[str, list[Stretch]]]:
        """By name, what each router was."""
        return [(name, self._cut(stretches)) for name, stretches in self._story.routers]

    @property
    def names(self) -> list[str]:
        """What stands before the rows."""
        return [*(name for name, _ in self._story.routers), *map(self._story.called, self._story.vips)]

    @property
    def marks(self) -> list[Mark]:
        """What was done in this time."""
        return [mark for mark in self._story.marks if self.start <= mark.time <= self.end]

    def _holders(self, vip: IPAddress) -> list[Stretch]:
        """From when it was first on somebody."""
        stretches = self._story.holders(vip)
        return self._cut(stretches if stretches and stretches[0].what else stretches[1:])

    def _cut(self, stretches: Sequence[Stretch]) -> list[Stretch]:
        cut = (Stretch(max(each.start, self.start), min(each.end, self.end), each.what) for each in stretches)
        return [each for each in cut if each.start < each.end]

    # -- words --------------------------------------------------------------------------------------------------

    def gather(self, place: Callable[[float], float], apart: float) -> list[tuple[str, list[Mark]]]:
        """Under one letter each: what was done at places of the axis that are not ``apart``."""
        groups: list[list[Mark]] = []
        for mark in self.marks:
            if groups and place(mark.time) - place(groups[-1][0].time) < apart:
                groups[-1].append(mark)
            else:
                groups.append([mark])
        return list(zip(cycle(ascii_lowercase + ascii_uppercase), groups, strict=False))

    def notes(self) -> list[str]:
        """What nobody sees in a picture: who moves together."""
        return [
            f"{', '.join(members)}: sync group {group}, MASTER together or not at all"
            for group, members in self._story.groups.items()
        ]

    def facts(self) -> list[str]:
        """What a picture may be too small to show: when an address was on nobody, and when there were two MASTERs."""
        found = [
            f"{vip} was on nobody {told}"
            for vip in self._story.vips
            for told in map(self._told, self._story.outages(vip))
            if told
        ]
        rivalled = [(name, span) for name in self._story.instances for span in self._story.lan.rivalled(name, 0.0)]
        found += [f"{name} had several MASTERs {told}" for name, span in rivalled if (told := self._told(span))]
        more = [f"and {len(found) - FACTS_SHOWN} more such times"] if len(found) > FACTS_SHOWN else []
        travel = self._story.lan.travel
        if any(self._told(span) and span.seconds <= travel + 1e-9 for _, span in rivalled):
            more.append(f"(several for {brief(travel)}, while an advert is on its way, are normal)")
        return [*found[:FACTS_SHOWN], *more] or [
            "nothing was missing: every address always on somebody, never two MASTERs"
        ]

    def _told(self, span: Span) -> str:
        if span.end < self.start or span.start > self.end:
            return ""
        return f"for {brief(span.seconds)}, from {clock(span.start)} to {clock(span.end)}"

    # -- the axis -----------------------------------------------------------------------------------------------

    def step(self, labels: float) -> float:
        """The time between two round moments, when there is room for so many labels."""
        wanted = (self.end - self.start) / labels
        return next((step for step in STEPS if step >= wanted), STEPS[-1])

    def moments(self, step: float) -> list[float]:
        """The round times."""
        first, last = ceil(self.start / step - 1e-9), floor(self.end / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


def clock(time: float, step: float = 0.001) -> str:
    """A time, with no more digits than it needs beside others of this step."""
    digits = next((digits for digits in range(4) if step >= 10.0**-digits), 4)
    return f"{time:.{digits}f}s"


def brief(seconds: float) -> str:
    """A length of time: ``2.050s``, ``1.0ms``."""
    return f"{seconds * 1000:.1f}ms" if seconds < 0.1 else f"{seconds:.3f}s"
