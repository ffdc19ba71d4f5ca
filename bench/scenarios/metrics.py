"""Figures that several scenarios share."""

from __future__ import annotations

from typing import Final

from bench.plan import ZERO, Goal, Metric

TICK: Final = Metric("tick", "ruler: its own longest pause", plotted=False)
PAUSE: Final = Metric("pause", "longest time between two answers, the ruler's noise included", plotted=False)
ADVERT_TO_GARP: Final = Metric(
    "advert_to_garp", "first advert of the new MASTER to its first claim", goal=Goal(limit=1)
)


def client(goal: Goal | None = ZERO) -> tuple[Metric, ...]:
    """What the client sees, with this goal for what it may lose."""
    return (
        Metric("outage", "outage at the client", goal=goal),
        Metric("lost", "probes lost", unit="", goal=goal, plotted=False),
        PAUSE,
        TICK,
    )
