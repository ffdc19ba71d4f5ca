"""Every scenario of tests/scenarios and examples/scenarios, with its whole output.

``HAFW_UPDATE_SCENARIOS=1 pytest tests/sim/test_scenarios.py`` writes the output anew; the diff is the review.
"""

import os
from pathlib import Path

import pytest

from hafw.cli.cluster import instances_by_node
from hafw.sim.play import play
from hafw.sim.script import read

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = sorted([*ROOT.glob("tests/scenarios/*.txt"), *ROOT.glob("examples/scenarios/*.txt")])
UPDATE = "HAFW_UPDATE_SCENARIOS" in os.environ


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: f"{path.parent.parent.name}-{path.stem}")
def test_scenario_takes_the_course_that_its_file_says(path):
    script = read(path.read_text("utf-8"), path.name)
    played = play(script, lambda name: instances_by_node(path.parent / name))
    if UPDATE and not played.failure:
        path.write_text(script.rewritten(played.outputs), "utf-8")
        return
    assert played.failure == ""
    assert script.difference(played.outputs) == "", "HAFW_UPDATE_SCENARIOS=1 writes what came"
