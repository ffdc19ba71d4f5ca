"""One measurement from beginning to end: every run of every scenario in turn, bounded, and kept as it goes."""

from __future__ import annotations

import contextlib
import json
import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bench.bed import Bed
from bench.figures import Spread, spread
from bench.peers import Setup, peer
from bench.plan import FAMILY, HAFW_RFC, RULER, RunFailed
from bench.scenarios import SCENARIOS
from hafw.lab.network import Lab

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from bench.plan import Finding, Scenario


@dataclass
class Results:
    """What the JSON holds: the machine, the options, and a record per run."""

    machine: Mapping[str, str]
    options: Mapping[str, Any]
    runs: list[dict[str, Any]] = field(default_factory=list)

    def spreads(self, scenario: str, key: str) -> dict[str, Spread | None]:
        """What the runs found for one figure, by variant."""
        found: dict[str, Spread | None] = {}
        for variant in FAMILY:
            found[variant] = spread(self.values(scenario, variant, key))
        return found

    def values(self, scenario: str, variant: str, key: str) -> list[float | None]:
        """One figure, run by run."""
        return [
            run["values"].get(key)
            for run in self.runs
            if run["scenario"] == scenario and run["variant"] == variant and not run["failed"]
        ]

    def failures(self, scenario: str) -> list[dict[str, Any]]:
        return [run for run in self.runs if run["scenario"] == scenario and run["failed"]]

    def measured(self) -> list[Scenario]:
        """The scenarios of which there is anything."""
        names = {run["scenario"] for run in self.runs}
        return [scenario for name, scenario in SCENARIOS.items() if name in names]

    def save(self, path: Path) -> None:
        """Whole or not at all: a bench that is interrupted leaves what it has."""
        text = json.dumps({"machine": self.machine, "options": self.options, "runs": self.runs}, indent=1)
        beside = path.with_suffix(".new")
        beside.write_text(text + "\n", encoding="utf-8")
        beside.replace(path)


def load(path: Path) -> Results:
    raw = json.loads(path.read_text(encoding="utf-8"))
    return Results(raw["machine"], raw["options"], raw["runs"])


def variants(scenario: Scenario, families: Collection[str]) -> list[str]:
    """Those that are asked for; the ruler is always."""
    return [one for one in scenario.variants if one == RULER or FAMILY[one] in families]


def schedule(
    scenarios: Sequence[Scenario], families: Collection[str], runs: int
) -> Iterator[tuple[Scenario, int, str]]:
    """Scenario by scenario; within it the variants alternate, so that what drifts drifts for all."""
    for scenario in scenarios:
        for run in range(min(runs, scenario.most_runs)):
            for variant in variants(scenario, families):
                yield scenario, run, variant


def estimate(scenarios: Sequence[Scenario], families: Collection[str], runs: int) -> float:
    """Seconds."""
    return sum(scenario.seconds for scenario, _, _ in schedule(scenarios, families, runs))


def play(scenario: Scenario, variant: str, *, quick: bool) -> Finding:
    """One run, in a lab of its own."""
    setup = Setup(**scenario.setup, rfc_skew=variant == HAFW_RFC)
    with _deadline(scenario.limit), Lab() as lab:
        return scenario.run(Bed(lab, peer(variant), setup, quick=quick))


def measure(
    results: Results,
    todo: Iterator[tuple[Scenario, int, str]],
    *,
    quick: bool,
    save: Callable[[], None],
    tell: Callable[[dict[str, Any]], None],
) -> None:
    """Play it all; a run that fails is recorded with the reason, and the rest goes on."""
    for scenario, run, variant in todo:
        began = time.monotonic()
        record: dict[str, Any] = {"scenario": scenario.name, "run": run, "variant": variant, "failed": ""}
        try:
            finding = play(scenario, variant, quick=quick)
            record |= {"values": dict(finding.values), "remarks": dict(finding.remarks)}
        except Exception as error:  # noqa: BLE001 - whatever it was: the other runs are worth having
            reason = str(error) if isinstance(error, RunFailed) else f"{type(error).__name__}: {error}"
            record |= {"values": {}, "remarks": {}, "failed": reason}
        record["took"] = round(time.monotonic() - began, 1)
        results.runs.append(record)
        save()
        tell(record)


@contextlib.contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    def late(*_: object) -> None:
        raise RunFailed(f"it took longer than {seconds:g} s and was cut off")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
