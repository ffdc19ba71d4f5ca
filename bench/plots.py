"""A plot per scenario, as PNG and SVG: every run a dot, the median a bar, the goal a dashed line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.figures import shown
from bench.plan import HAFW, HAFW_RFC, KEEPALIVED, RULER
from bench.report import HEADINGS, columns

if TYPE_CHECKING:
    from pathlib import Path

    from bench.course import Results
    from bench.plan import Metric, Scenario

COLOURS: Final = {KEEPALIVED: "#8a5a00", HAFW: "#0a6b4b", HAFW_RFC: "#4d8fb8", RULER: "#555555"}
_WIDTH: Final = 8.0
_HEIGHT: Final = {"metric": 0.55, "variant": 0.30, "title": 0.55}
"""Inches."""


def draw(results: Results, out: Path) -> list[Path]:
    """Write them all; return the SVG files."""
    # Text stays text, and the same results make the same file.
    with mpl.rc_context(
        {"svg.fonttype": "none", "svg.hashsalt": "hafw", "font.size": 9.0, "axes.edgecolor": "#999999"}
    ):
        return [path for scenario in results.measured() if (path := _draw(results, scenario, out)) is not None]


def _draw(results: Results, scenario: Scenario, out: Path) -> Path | None:
    """``None`` where there is nothing to draw."""
    metrics = [one for one in scenario.metrics if one.plotted and any(results.spreads(scenario.name, one.key).values())]
    if not metrics:
        return None
    chosen = columns(scenario)
    each = _HEIGHT["metric"] + _HEIGHT["variant"] * len(chosen)
    figure = Figure(figsize=(_WIDTH, _HEIGHT["title"] + each * len(metrics)), facecolor="white", layout="constrained")
    figure.suptitle(scenario.title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    for metric, axes in zip(metrics, figure.subplots(len(metrics), squeeze=False)[:, 0], strict=True):
        _strip(axes, results, scenario, metric)
    path = out / f"{scenario.name}.svg"
    figure.savefig(path, metadata={"Date": None})
    figure.savefig(path.with_suffix(".png"), dpi=120)
    return path


def _strip(axes: Any, results: Results, scenario: Scenario, metric: Metric) -> None:  # noqa: ANN401 - matplotlib's
    chosen = columns(scenario)
    spreads = results.spreads(scenario.name, metric.key)
    for height, variant in enumerate(chosen):
        found = spreads[variant]
        if found is None:
            continue
        values = [one for one in results.values(scenario.name, variant, metric.key) if one is not None]
        colour = COLOURS[variant]
        axes.barh(height, found.median, height=0.55, color=colour, alpha=0.25)
        axes.plot(values, [height] * len(values), "o", color=colour, markersize=4, alpha=0.8, clip_on=False)
        axes.annotate(
            f" {shown(found.median)}", (max(found.median, found.most), height), xytext=(6, 0),
            textcoords="offset points", va="center", color=colour,
        )  # fmt: skip
    if metric.goal is not None and metric.goal.limit:
        axes.axvline(metric.goal.limit, color="#b03030", linestyle="--", linewidth=1)
    axes.set_yticks(range(len(chosen)), [HEADINGS[one] for one in chosen])
    axes.set_ylim(len(chosen) - 0.4, -0.6)
    axes.set_xlim(0, 1.15 * max(found.most for found in spreads.values() if found) or 1)
    goal = f" (goal {metric.goal.text(metric.unit)})" if metric.goal else ""
    axes.set_title(metric.label + goal, loc="left", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color="#e6e6e6")
    axes.set_axisbelow(True)
