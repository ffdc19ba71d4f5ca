"""The results as tables: for the terminal, and as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench.figures import ratio, shown
from bench.plan import HAFW, HAFW_RFC, KEEPALIVED, RULER, told, verdicts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bench.course import Results
    from bench.plan import Metric, Scenario

HEADINGS: Final = {RULER: "ruler", KEEPALIVED: "keepalived", HAFW: "hafw", HAFW_RFC: 'hafw, skew = "rfc"'}
_REASON: Final = 300


def columns(scenario: Scenario) -> list[str]:
    return [variant for variant in HEADINGS if variant in scenario.variants]


def rows(results: Results, scenario: Scenario) -> Iterator[list[str]]:
    """A heading, then a row per figure that any run has."""
    chosen = columns(scenario)
    compared = {KEEPALIVED, HAFW} <= set(chosen)
    yield [
        "",
        *(HEADINGS[one] for one in chosen),
        *(["hafw / keepalived", "goal", ""] if compared else []),
    ]
    for metric in scenario.metrics:
        found = results.spreads(scenario.name, metric.key)
        if not any(found.values()):
            continue
        row = [metric.label, *(told(found[one]) for one in chosen)]
        if compared:
            row += [shown(ratio(found[HAFW], found[KEEPALIVED])), metric.goal.text(metric.unit) if metric.goal else ""]
            row += [_judgement(results, scenario, metric)]
        yield row


def _judgement(results: Results, scenario: Scenario, metric: Metric) -> str:
    judged = verdicts(metric, results.spreads(scenario.name, metric.key))
    words = {variant: "met" if met else "NOT MET" for variant, met in judged.items()}
    if HAFW_RFC not in words:
        return words.get(HAFW, "")
    return f"{words.get(HAFW, '-')}; rfc, not above keepalived: {words[HAFW_RFC]}"


def terminal(results: Results, scenarios: Iterable[Scenario]) -> str:
    """Aligned columns."""
    blocks = []
    for scenario in scenarios:
        table = list(rows(results, scenario))
        widths = [max(len(row[at]) for row in table) for at in range(len(table[0]))]
        lines = [f"{scenario.name}: {scenario.title} ({_counts(results, scenario)})"]
        lines += ["  " + "  ".join(cell.ljust(widths[at]) for at, cell in enumerate(row)).rstrip() for row in table]
        lines += [f"  ! {line}" for line in (*failures(results, scenario), *notes(results, scenario))]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def markdown(results: Results, scenario: Scenario) -> str:
    """One table."""
    heading, *body = rows(results, scenario)
    lines = [_row(heading), _row(["---"] * len(heading)), *map(_row, body)]
    return "\n".join(lines)


def failures(results: Results, scenario: Scenario) -> list[str]:
    """Every run that failed, and why; the same reason once."""
    found: dict[str, int] = {}
    for run in results.failures(scenario.name):
        line = f"{run['variant']}: {' '.join(run['failed'].split())[:_REASON]}"
        found[line] = found.get(line, 0) + 1
    return [f"{line} ({count} runs)" if count > 1 else line for line, count in found.items()]


def notes(results: Results, scenario: Scenario) -> list[str]:
    """What runs remark beside their figures; the same remark once."""
    found = (
        f"{run['variant']}: {run['remarks']['note'][:_REASON]}"
        for run in results.runs
        if run["scenario"] == scenario.name and "note" in run["remarks"]
    )
    return list(dict.fromkeys(found))


def unmet(results: Results) -> list[tuple[Scenario, Metric, str, str]]:
    """Every goal that was not reached: the scenario, the figure, the variant, and what was found."""
    return [
        (scenario, metric, variant, told(results.spreads(scenario.name, metric.key)[variant]))
        for scenario in results.measured()
        for metric in scenario.metrics
        for variant, met in verdicts(metric, results.spreads(scenario.name, metric.key)).items()
        if not met
    ]


def _counts(results: Results, scenario: Scenario) -> str:
    parts = []
    for variant in columns(scenario):
        runs = [run for run in results.runs if (run["scenario"], run["variant"]) == (scenario.name, variant)]
        failed = sum(bool(run["failed"]) for run in runs)
        parts.append(f"{variant} {len(runs) - failed}/{len(runs)}")
    return "runs that succeeded: " + ", ".join(parts)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"
