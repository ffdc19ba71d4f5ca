"""Every scenario of tests/scenarios and examples/scenarios, with its whole output.

``HAFW_UPDATE_SCENARIOS=1 pytest tests/sim/test_scenarios.py`` writes the output anew; the diff is the review.
"""

import os
import re
from pathlib import Path

import pytest

from hafw.cli.cluster import instances_by_node
from hafw.sim.commands import COMMANDS
from hafw.sim.conditions import CONDITIONS, LIMITS
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


LINES = [command.words for path in SCENARIOS for command in read(path.read_text("utf-8"), path.name).commands]


@pytest.mark.parametrize("form", [*COMMANDS, *CONDITIONS, *LIMITS], ids=lambda form: form.usage)
def test_every_command_has_its_part_in_some_scenario(form):
    """``verbose`` has none: it shows too much to be read, and has a test of its own."""
    conditions = [words[1:-2] if "since" in words or "within" in words else words[1:] for words in LINES]
    assert form.usage == "verbose SWITCH" or any(form.fits(words) for words in [*LINES, *conditions] if words)


@pytest.mark.parametrize("path", sorted(ROOT.glob("tests/scenarios/hazard_*.txt")), ids=lambda path: path.stem)
def test_a_hazard_says_what_it_shows_and_by_which_requirement(path):
    assert re.match(r"# (?:Hazard|The same)", path.read_text("utf-8"))
    assert re.search(r"\bC-[A-Z]+-\d\d\b|hazard_skew_collapse", path.read_text("utf-8").partition("\n\n")[0])
