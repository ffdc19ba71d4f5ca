"""``python -m bench``: hafw and keepalived in turn, through everything that can happen to a MASTER.

Needs root (or a user who may make namespaces), keepalived, nginx, curl and iproute2, and a machine that is otherwise
idle. Results are kept as they come, in DIR/results.json.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, Final

from bench import course, machine, report
from bench.figures import shown
from bench.plan import HAFW, KEEPALIVED, Scenario
from bench.scenarios import SCENARIOS
from hafw.lab import namespaces, routers

OUT: Final = Path("bench/out")
RUNS: Final = 5
PACKAGE: Final = {"ip": "iproute2"}


def main() -> int:
    """Exit status 1 when a run failed, 2 when there is nothing to run or nothing to run it with."""
    chosen = arguments().parse_args()
    if chosen.report:
        results = course.load(chosen.report)
        chosen.out = chosen.report.parent
    else:
        scenarios = [SCENARIOS[name] for name in chosen.only or SCENARIOS]
        runs = chosen.runs or (1 if chosen.quick else RUNS)
        if chosen.list:
            overview(scenarios, chosen.peer, runs)
            return 0
        missing = [name for name in ("keepalived", "nginx", "curl", "ip") if routers.program(name) is None]
        if missing:
            print(
                f"not installed: {', '.join(missing)}: apt-get install keepalived nginx curl iproute2", file=sys.stderr
            )
            return 2
        namespaces.enter()
        machine.compile_all()
        results = measured(scenarios, chosen, runs)
    print("\n" + report.terminal(results, results.measured()))
    if chosen.plots or chosen.write_docs:
        from bench import plots  # noqa: PLC0415 - matplotlib is heavy, and installed for this alone

        plots.draw(results, chosen.out)
    if chosen.write_docs:
        from bench import docs  # noqa: PLC0415

        docs.write(results, chosen.out)
    return 1 if any(run["failed"] for run in results.runs) else 0


def needed(scenarios: list[Scenario], families: list[str]) -> list[str]:
    """Programs that these scenarios run."""
    web = any(one.setup.get("web") for one in scenarios)
    return ["ip", *([KEEPALIVED] if KEEPALIVED in families else []), *(["nginx", "curl"] if web else [])]


def measured(scenarios: list[Scenario], chosen: argparse.Namespace, runs: int) -> course.Results:
    chosen.out.mkdir(parents=True, exist_ok=True)
    path = chosen.out / "results.json"
    results = course.Results(machine.describe(), {"runs": runs, "quick": chosen.quick, "peers": chosen.peer})
    todo = list(course.schedule(scenarios, chosen.peer, runs))
    seconds = course.estimate(scenarios, chosen.peer, runs)
    print(f"{len(todo)} runs, about {seconds / 60:.0f} minutes; raw results in {path}", flush=True)

    def tell(record: dict[str, Any]) -> None:
        scenario = SCENARIOS[record["scenario"]]
        said = ", ".join(
            f"{metric.key} {shown(record['values'][metric.key])}"
            for metric in scenario.metrics
            if record["values"].get(metric.key) is not None
        )
        number = f"{len(results.runs)}/{len(todo)}"
        name = f"{record['scenario']} {record['variant']}"
        print(f"{number:>8}  {name:32} {record['took']:5.1f} s  {said or 'FAILED: ' + record['failed']}", flush=True)

    course.measure(results, iter(todo), quick=chosen.quick, save=lambda: results.save(path), tell=tell)
    return results


def overview(scenarios: list[Scenario], families: list[str], runs: int) -> None:
    for one in scenarios:
        print(f"{one.name:14} {course.estimate([one], families, runs):5.0f} s  {one.title}")
    print(f"{'':14} {course.estimate(scenarios, families, runs):5.0f} s  with {runs} runs")


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--peer", type=_names({HAFW, KEEPALIVED}), default=[HAFW, KEEPALIVED], metavar="NAME,...")
    parser.add_argument("--runs", type=int, default=0, help=f"of each scenario and peer; {RUNS} unless --quick")
    parser.add_argument("--only", type=_names(set(SCENARIOS)), default=[], metavar="SCENARIO,...")
    parser.add_argument("--quick", action="store_true", help="one run, shorter stretches: to see that it works")
    parser.add_argument("--list", action="store_true", help="the scenarios and how long each takes")
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help=f"{OUT} unless told otherwise")
    parser.add_argument("--plots", action="store_true", help="a plot per scenario, as PNG and SVG; needs matplotlib")
    parser.add_argument("--write-docs", action="store_true", help="the plots, and docs/performance.md from the results")
    parser.add_argument("--report", type=Path, metavar="FILE", help="measure nothing: take this results.json")
    return parser


def _names(known: set[str]) -> Any:  # noqa: ANN401 - what argparse calls a type
    def parse(text: str) -> list[str]:
        given = text.split(",")
        unknown = [one for one in given if one not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: unknown; known are {', '.join(sorted(known))}")
        return given

    return parse


if __name__ == "__main__":
    sys.exit(main())
