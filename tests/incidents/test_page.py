"""docs/incidents.md has every incident, with what was asked and what has to be in the answers; it is one run's."""

import re
from pathlib import Path

import pytest

from incidents.bed import Said
from incidents.cases import INCIDENTS
from incidents.page import anchor, page
from incidents.play import Played

PAGE = Path(__file__).parents[2] / "docs/incidents.md"


def sections():
    return dict(zip((each.title for each in INCIDENTS), PAGE.read_text().split("\n## ")[1:], strict=True))


@pytest.mark.parametrize("incident", INCIDENTS, ids=lambda each: each.name)
def test_the_page_has_each_incident_with_the_answers_that_name_its_cause(incident):
    section = sections()[incident.title]
    assert section.startswith(incident.title + "\n")
    asked = [f"`{host}# {command}`" for host, command in incident.asked]
    assert [line for line in section.splitlines() if line.startswith("`lb")] == asked
    answers = dict(zip(incident.asked, re.findall(r"```text\n(.*?)\n```", section, re.DOTALL), strict=True))
    for where, pattern in incident.named.items():
        assert re.search(pattern, answers[where]), (where, pattern)


def played(incident, text):
    return Played(incident, (Said("lb1", "hafw status", text),), ())


def test_a_page_is_made_of_what_was_said():
    made = page([played(INCIDENTS[0], "lb1   MASTER")])
    assert f"- [{INCIDENTS[0].title}](#{anchor(INCIDENTS[0].title)})" in made
    assert "`lb1# hafw status`\n\n```text\nlb1   MASTER\n```" in made


def test_what_was_not_played_this_time_is_as_it_was_and_in_its_place():
    before = page([played(INCIDENTS[1], "as it was"), played(INCIDENTS[0], "old")])
    after = page([played(INCIDENTS[0], "new")], before)
    assert after == page([played(INCIDENTS[0], "new"), played(INCIDENTS[1], "as it was")])
    assert after.index("new") < after.index("as it was")


def test_the_incidents_are_twelve_and_each_names_its_cause_in_status_or_events():
    assert len(INCIDENTS) == 12
    for each in INCIDENTS:
        assert any(command.startswith(("hafw status", "hafw events")) for _, command in each.named), each.name
