"""Pages that are followed to the letter, on hosts of a lab, with real daemons."""

from __future__ import annotations

import os

import labs
import pytest
from pages import ROOT

pytestmark = [
    pytest.mark.wire,
    pytest.mark.long,
    pytest.mark.skipif(os.geteuid() != 0, reason="mount and network namespaces need root"),
]


@pytest.mark.parametrize("name", ["tutorial.md"])
def test_the_tutorial_works_on_one_machine(name: str):
    with labs.one_machine() as shell:
        assert labs.play(ROOT / "docs" / name, {"": shell}) > 25


@pytest.mark.parametrize("name", ["tutorial.md"])
def test_the_tutorial_works_on_two_machines(name: str):
    with labs.pair(started=False) as hosts:
        assert labs.play(ROOT / "docs" / name, hosts) > 15


@pytest.mark.parametrize("page", labs.lab_pages().get("pair", []), ids=lambda page: page.name)
def test_a_page_is_followed_on_a_pair_that_serves(page):
    with labs.pair(started=True) as hosts:
        assert labs.play(page, hosts) > 2
