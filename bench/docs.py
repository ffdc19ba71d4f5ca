"""``docs/performance.md``, from the results, with the hand-written text of ``bench/performance.md`` around them."""

from __future__ import annotations

import shutil
import string
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench import report
from bench.plan import HAFW, KEEPALIVED, Goal, told, verdicts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.course import Results
    from bench.plan import Scenario

_TREE: Final = Path(__file__).parents[1]
TEMPLATE: Final = Path(__file__).with_name("performance.md")
REASONS: Final = Path(__file__).with_name("reasons.toml")
_MACHINE: Final = {
    "when": "measured",
    "processors": "processors",
    "kernel": "kernel",
    "python": "Python",
    "hafw": "hafw",
    "trio": "trio",
    "keepalived": "keepalived",
    "nginx": "nginx",
    "autogroup": "sched_autogroup_enabled",
}


def write(results: Results, out: Path, tree: Path = _TREE) -> None:
    """The page, its plots and the raw results beside it; ``out`` is where the plots and the raw results are."""
    folder = tree / "docs" / "performance"
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    drawn = [path for scenario in results.measured() if (path := out / f"{scenario.name}.svg").exists()]
    for path in [*drawn, out / "results.json"]:
        shutil.copyfile(path, folder / path.name)
    template = string.Template(TEMPLATE.read_text(encoding="utf-8"))
    page = template.substitute(
        machine=_table(results),
        runs=results.options["runs"],
        verdict=_verdict(results),
        unmet=_unmet(results),
        sections="\n".join(_sections(results, {path.stem for path in drawn})).strip(),
    )
    (folder.parent / "performance.md").write_text(page, encoding="utf-8")


def _table(results: Results) -> str:
    lines = [f"| {words} | {results.machine[key]} |" for key, words in _MACHINE.items() if key in results.machine]
    return "\n".join(["| | |", "| --- | --- |", *lines])


def _sections(results: Results, drawn: set[str]) -> Iterator[str]:
    before = ""
    for scenario in results.measured():
        if scenario.section != before:
            before = scenario.section
            yield f"\n## {before}\n"
        yield f"### {scenario.title}\n\n{scenario.about}\n"
        if any(run["values"] for run in results.runs if run["scenario"] == scenario.name):
            yield report.markdown(results, scenario) + "\n"
        if scenario.name in drawn:
            yield f"![{scenario.title}](performance/{scenario.name}.svg)\n"
        for line in (*report.failures(results, scenario), *report.notes(results, scenario)):
            yield f"- {line}\n"
        yield f'<sub>`make bench ARGS="--only {scenario.name}"`; {_counts(results, scenario)}.</sub>\n'


def _counts(results: Results, scenario: Scenario) -> str:
    runs = [run for run in results.runs if run["scenario"] == scenario.name]
    failed = sum(bool(run["failed"]) for run in runs)
    each = len(runs) // max(1, len({run["variant"] for run in runs}))
    words = "1 run each" if each == 1 else f"{each} runs each"
    return words + (f", {failed} failed" if failed else "")


def _verdict(results: Results) -> str:
    """How many goals were met."""
    judged = [
        met
        for scenario in results.measured()
        for metric in scenario.metrics
        for met in verdicts(metric, results.spreads(scenario.name, metric.key)).values()
    ]
    return f"{sum(judged)} of {len(judged)} goals met"


def _unmet(results: Results) -> str:
    """Each with its figure and, where somebody wrote it down, the reason."""
    reasons = tomllib.loads(REASONS.read_text(encoding="utf-8"))
    lines = []
    for scenario, metric, variant, found in report.unmet(results):
        goal = metric.goal if variant == HAFW else metric.rfc_goal
        assert isinstance(goal, Goal)
        reason = reasons.get(scenario.name, {}).get(metric.key, "")
        theirs = results.spreads(scenario.name, metric.key)[KEEPALIVED]
        beside = f"; keepalived {told(theirs)}" if theirs else ""
        name = f"{scenario.title}, {metric.label}" + ("" if variant == HAFW else ', with `skew = "rfc"`')
        lines.append(f"- **{name}**: {found}{beside}. Goal: {goal.text(metric.unit)}. {reason}".rstrip())
    return "\n".join(lines) or "Everything that was asked for is reached."
