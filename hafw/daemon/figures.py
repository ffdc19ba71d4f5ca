"""Numbers that add up: how long takeovers took, how late the timer was, and how often what happened.

All of them grow by additions, so they may be kept in the middle of the election.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hafw.records import Record

TAKEOVER = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds; upper bounds."""
LATENESS = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
"""Seconds; upper bounds."""


class Histogram:
    """How often a value was at most one of these bounds, as Prometheus counts it."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        """Count one."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def record(self) -> Record:
        """``buckets``: upper bound and how many were at most that; ``count`` has those above the last bound too."""
        total, buckets = 0, []
        for bound, count in zip(self._bounds, self._counts, strict=False):
            total += count
            buckets.append([bound, total])
        return {"buckets": buckets, "count": total + self._counts[-1], "sum": round(self._sum, 6)}


class Figures:
    """Of one daemon, from its event stream."""

    def __init__(self) -> None:
        self.events: Counter[str] = Counter()
        """By type."""
        self._takeovers: dict[str, Histogram] = {}

    def take(self, event: Record) -> None:
        """One event of the stream."""
        self.events[event["type"]] += 1
        if event["type"] == "takeover_complete":
            self._takeovers.setdefault(event["instance"], Histogram(TAKEOVER)).add(event["seconds"])

    def takeovers(self, instance: str) -> Record:
        """From the decision to serve until the kernel had every address, in seconds."""
        return self._takeovers.get(instance, Histogram(TAKEOVER)).record()
