"""What is measured: scenarios, their figures, and what hafw is to reach; ``bench.scenarios`` fills it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from bench.figures import Spread, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bench.bed import Bed

HAFW: Final = "hafw"
HAFW_RFC: Final = "hafw-rfc"
"""hafw with ``skew = "rfc"``: the protocol's own wait."""
KEEPALIVED: Final = "keepalived"
RULER: Final = "ruler"
"""Nobody fails over: what the instrument itself shows."""

FAMILY: Final = {HAFW: HAFW, HAFW_RFC: HAFW, KEEPALIVED: KEEPALIVED, RULER: RULER}


class RunFailed(Exception):  # noqa: N818 - the run failed, and the message says why
    """This run measured nothing; the rest goes on."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What hafw is to reach: a limit in the figure's unit, or one in keepalived's figures of the same run."""

    limit: float | None = None
    ratio: float | None = None
    every_run: bool = False
    """Judge the worst run, not the median."""

    def met(self, ours: Spread | None, theirs: Spread | None) -> bool | None:
        """``None``: cannot be judged."""
        if ours is None:
            return None
        value = ours.most if self.every_run else ours.median
        if self.limit is not None:
            return value <= self.limit
        return None if theirs is None or self.ratio is None else value <= self.ratio * theirs.median

    def text(self, unit: str) -> str:
        """For a table."""
        if self.limit is not None:
            limit = "0" if self.limit == 0 else f"<= {f'{self.limit:.2f}'.rstrip('0').rstrip('.')} {unit}".rstrip()
            return f"{limit}, every run" if self.every_run else limit
        assert self.ratio is not None
        return f"<= {self.ratio:g} x keepalived" if self.ratio != 1 else "not above keepalived"


ZERO: Final = Goal(limit=0, every_run=True)


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of a scenario; lower is better for all of them."""

    key: str
    title: str
    unit: str = "ms"
    goal: Goal | None = None
    rfc_goal: Goal | None = None
    """The same for hafw with the protocol's own skew."""
    plotted: bool = True

    @property
    def label(self) -> str:
        return f"{self.title}, {self.unit}" if self.unit else self.title


@dataclass(frozen=True, slots=True)
class Finding:
    """What one run found: figures by the key of their metric (a missing one was not to be had), and remarks.

    The remark ``note`` is shown with the table.
    """

    values: Mapping[str, float | None]
    remarks: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One thing that happens, to each of the variants in turn."""

    name: str
    title: str
    about: str
    """What happens and what is looked at, in a sentence or two; for the documentation."""
    section: str
    run: Callable[[Bed], Finding]
    setup: Mapping[str, Any]
    """Arguments of ``bench.peers.Setup``."""
    metrics: tuple[Metric, ...]
    seconds: float
    """Estimate for one run of one variant; it is cut off after four times as long, and some."""
    variants: tuple[str, ...] = (KEEPALIVED, HAFW)
    most_runs: int = 100
    """For what is long and steady in itself."""

    @property
    def limit(self) -> float:
        return 4 * self.seconds + 20


def verdicts(metric: Metric, spreads: Mapping[str, Spread | None]) -> dict[str, bool]:
    """Which goals were met, by variant; one that cannot be judged is left out."""
    goals = {HAFW: metric.goal, HAFW_RFC: metric.rfc_goal}
    judged = {
        variant: goal.met(spreads.get(variant), spreads.get(KEEPALIVED)) for variant, goal in goals.items() if goal
    }
    return {variant: met for variant, met in judged.items() if met is not None}


def told(found: Spread | None) -> str:
    """Median and spread, for a table."""
    if found is None:
        return "-"
    if found.runs == 1:
        return shown(found.median)
    return f"{shown(found.median)} ({shown(found.least)}-{shown(found.most)})"
