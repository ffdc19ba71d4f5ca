"""Pages that are followed to the letter, on hosts of a lab, with real daemons."""

from __future__ import annotations

import os
import tomllib
from ipaddress import ip_interface

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


SERVED = [
    pytest.param(text, id=f"{page.name}-{number}")
    for page in labs.lab_pages().get("serves", [])
    for number, text in enumerate(labs.whole_configurations(page))
]


@pytest.mark.parametrize("configuration", SERVED)
def test_a_configuration_of_a_page_serves_as_it_stands(configuration: str):
    """The first router is MASTER and has every address; the second has heard it and has none."""
    wanted = {
        str(ip_interface(address).ip)
        for instance in tomllib.loads(configuration)["instance"].values()
        for address in instance["virtual_addresses"]
    }
    with labs.serving(configuration) as routers:
        has = {name: lambda name=name: routers[name].machine.lab.addresses(name) & wanted for name in labs.NAMES}
        labs.until(lambda: has["lb1"]() == wanted)
        labs.until(lambda: " BACKUP " in routers["lb2"].shell("hafw status | grep '(150)'")[1])
        assert has["lb2"]() == set()


def test_there_are_pages_to_follow():
    assert set(labs.lab_pages()) == {"tutorial", "pair", "serves"}
    assert len(SERVED) >= 4
