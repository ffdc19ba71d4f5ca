"""The arithmetic of the bench: what probes, adverts and claims say, and what several runs say together. Pure."""

from __future__ import annotations

import itertools
import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hafw.lab.ruler import Probe


@dataclass(frozen=True, slots=True)
class Spread:
    """What several runs found for one figure."""

    runs: int
    median: float
    least: float
    most: float


def spread(values: Iterable[float | None]) -> Spread | None:
    """``None`` where no run found anything; a run without a value does not count."""
    found = [value for value in values if value is not None]
    return Spread(len(found), statistics.median(found), min(found), max(found)) if found else None


def ratio(ours: Spread | None, theirs: Spread | None) -> float | None:
    """Of the medians; ``None`` where there is nothing to divide by."""
    if ours is None or theirs is None or theirs.median == 0:
        return None
    return ours.median / theirs.median


def percentile(values: Sequence[float], hundredths: int) -> float:
    """The nearest-rank percentile: a value that occurred; not a number when there are none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * hundredths / 100) - 1)] if ordered else math.nan


def gaps(times: Sequence[float]) -> list[float]:
    """The times between each and the next."""
    return [after - before for before, after in itertools.pairwise(sorted(times))]


def bursts(times: Sequence[float], pause: float) -> int:
    """How many groups these moments form, when a longer pause than this separates two."""
    return bool(times) + sum(gap > pause for gap in gaps(times))


def longest_pause(probes: Iterable[Probe], since: float, until: float) -> float:
    """The longest time without an answer in a stretch, whatever the reason: the ruler's own noise is in it."""
    answers = sorted(probe.answered for probe in probes if since <= probe.answered <= until)
    return max(gaps([since, *answers, until]))


def dark(probes: Sequence[Probe]) -> float | None:
    """How long a newcomer had no answer, at the longest: from its first request on; ``None``: it never asked.

    By the arrival of answers, because the kernel keeps the first requests until it knows whom to send them to, and
    so loses none of them.
    """
    if not probes:
        return None
    first = min(probe.sent for probe in probes)
    answers = [probe.answered for probe in probes if probe.answered]
    return max(gaps([first, *answers])) if answers else max(probe.sent for probe in probes) - first


def overlap(one: Sequence[tuple[float, bool]], other: Sequence[tuple[float, bool]], until: float) -> float:
    """Seconds in which two hosts held the same address; each is a list of when it was bound (``True``) or removed."""
    changes = sorted([(when, 0, bound) for when, bound in one] + [(when, 1, bound) for when, bound in other])
    held, since, total = [False, False], 0.0, 0.0
    for when, which, bound in changes:
        if all(held):
            total += when - since
        held[which], since = bound, when
    return total + (max(0.0, until - since) if all(held) else 0.0)


def first_of_each(claims: Iterable[tuple[float, str]]) -> Mapping[str, float]:
    """When each address was claimed first."""
    found: dict[str, float] = {}
    for when, address in sorted(claims):
        found.setdefault(address, when)
    return found


def shown(value: float | None) -> str:
    """Three digits or four, as far as they say something."""
    if value is None or math.isnan(value):
        return "-"
    if value == 0:
        return "0"
    magnitude = abs(value)
    return f"{value:.{0 if magnitude >= 999.5 else 1 if magnitude >= 9.995 else 2}f}"
