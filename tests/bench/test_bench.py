"""The bench runs, and what is stable in it stays so: counts and orders, never milliseconds."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench import course
from bench.bed import Bed
from bench.peers import LB1, LB2, Setup, peer, vip
from bench.plan import HAFW, KEEPALIVED, Finding, RunFailed, Scenario
from bench.scenarios import planned
from hafw.lab.network import Lab

ROOT = Path(__file__).parents[2]


@pytest.mark.wire
@pytest.mark.peer("keepalived")
def test_the_bench_measures_both_keeps_what_it_found_and_tells(tmp_path):
    argv = [sys.executable, "-m", "bench", "--only", "start", "--runs", "1", "--out", str(tmp_path)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "results.json").read_text())
    assert [run["variant"] for run in found["runs"]] == [KEEPALIVED, HAFW]
    assert all(run["values"]["first"] > 0 for run in found["runs"])
    assert found["machine"]["keepalived"].startswith("Keepalived v")
    assert "exec to first advert, ms" in done.stdout


@pytest.mark.wire
def test_a_planned_stop_loses_nothing():
    with Lab() as lab:
        bed = Bed(lab, peer(HAFW), Setup(interval=0.1, vips=2), quick=True)
        found = planned.stop(bed).values
        assert found["lost"] == 0
        said = bed.capture.adverts(LB1)
        assert [one.priority for one in said].count(0) == 1
        assert said[-1].priority == 0
        first = min(bed.masters(LB2, said[-1].time))
        assert set(bed.claimed(LB2, first)) == {vip(0), vip(1)}
        assert [one.time for one in bed.capture.claims(LB2, said[-1].time) if one.time < first] == []


def failing(_):
    raise RunFailed("nobody came")


def broken(_):
    raise ZeroDivisionError("a mistake in the scenario")


@pytest.mark.wire
@pytest.mark.parametrize(
    ("what", "reason"), [(failing, "nobody came"), (broken, "ZeroDivisionError: a mistake in the scenario")]
)
def test_a_run_that_fails_is_kept_with_its_reason_and_the_rest_goes_on(what, reason):
    def scenario(run):
        return Scenario(
            name="x", title="x", about="x.", section="x", run=run, setup={}, metrics=(), seconds=1, variants=("ruler",)
        )

    results, told = course.Results({}, {}), []
    todo = [(scenario(what), 0, "ruler"), (scenario(lambda _: Finding({"y": 1.0})), 1, "ruler")]
    course.measure(results, iter(todo), quick=True, save=lambda: None, tell=told.append)
    assert [run["failed"] for run in results.runs] == [reason, ""]
    assert results.runs[1]["values"] == {"y": 1.0}
    assert told == results.runs
