"""docs/simulation.md says what the code does: every command and the SVG.

``HAFW_UPDATE_SCENARIOS=1 pytest tests/sim`` writes tables and pictures anew.
"""

import os
import re
from pathlib import Path

import pytest

from hafw.sim.commands import HAPPENING, SETTING, TIMING
from hafw.sim.conditions import CONDITIONS, LIMITS
from hafw.sim.excerpt import Excerpt
from hafw.sim.play import play
from hafw.sim.script import read
from hafw.sim.stage import LAN_KEYS, ROUTER_KEYS
from hafw.sim.svg import draw as draw_picture

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/simulation.md"
EXAMPLE = ROOT / "examples/scenarios/failover.txt"
UPDATE = "HAFW_UPDATE_SCENARIOS" in os.environ
COMMANDS = re.compile(r"(?<=<!-- commands -->\n).*(?=<!-- end of commands -->)", re.DOTALL)


def example(start=0.0, end=None):
    script = read(EXAMPLE.read_text("utf-8"), EXAMPLE.name)
    return script.title, Excerpt(play(script).story, start, end)


def table(head, says, rows):
    return "\n".join([f"| {head} | {says} |", "|---|---|", *(f"| `{left}` | {right} |" for left, right in rows)])


def tables():
    """Every command and key, as the page lists them."""

    def forms(title, some, head="command", says="what it does"):
        return f"### {title}\n\n{table(head, says, ((form.usage, form.summary) for form in some))}"

    def keys(title, some):
        return f"### {title}\n\n{table('key', 'what it says', ((key, summary) for key, (_, summary) in some.items()))}"

    parts = [
        forms("The routers and the network", SETTING),
        keys("Keys of `router` and `defaults`", ROUTER_KEYS),
        keys("Keys of `lan`", LAN_KEYS),
        forms("What happens to them", HAPPENING),
        forms("Time, and looking", TIMING),
        forms("Conditions, for `until` and `expect`", CONDITIONS, "condition", "holds when"),
        forms("Limits, for `expect`", LIMITS, "limit", "holds when"),
    ]
    return "\n" + "\n\n".join(parts) + "\n\n"


def written(pattern, text):
    """What the page has in this place; put there first when updating."""
    page = PAGE.read_text("utf-8")
    if UPDATE:
        page = pattern.sub(lambda _: text, page)
        PAGE.write_text(page, "utf-8")
    (found,) = pattern.findall(page)
    return found


def test_the_page_lists_every_command_as_the_code_has_it():
    assert written(COMMANDS, tables()) == tables()


@pytest.mark.parametrize(("name", "window"), [("failover", ()), ("handover", (31.99, 32.05))])
def test_the_pictures_are_those_of_the_example(name, window):
    picture = draw_picture(*example(*window))
    path = ROOT / f"docs/images/{name}.svg"
    if UPDATE:
        path.write_text(picture, "utf-8")
    assert path.read_text("utf-8") == picture
