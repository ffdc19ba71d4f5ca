"""Pages that are followed to the letter, on hosts of a lab, with real daemons.

Most of the time is waiting for three adverts, so the labs, which know nothing of each other, run beside each other.
"""

from __future__ import annotations

import os
import tomllib
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from ipaddress import ip_interface
from typing import TYPE_CHECKING

import labs
import pytest
from pages import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.wire,
    pytest.mark.long,
    pytest.mark.skipif(os.geteuid() != 0, reason="mount and network namespaces need root"),
]
AT_ONCE = 4
TUTORIAL = ROOT / "docs/tutorial.md"


def on_one_machine() -> None:
    with labs.one_machine() as shell:
        assert labs.play(TUTORIAL, {"": shell}) > 25


def on_two_machines() -> None:
    with labs.pair(started=False) as hosts:
        assert labs.play(TUTORIAL, hosts) > 15


def on_a_pair_that_serves(page: Path) -> None:
    with labs.pair(started=True) as hosts:
        assert labs.play(page, hosts) > 2


def as_it_stands(configuration: str) -> None:
    """The first router is MASTER and has every address; the second has heard it and has none."""
    wanted = {
        str(ip_interface(address).ip)
        for instance in tomllib.loads(configuration)["instance"].values()
        for address in instance["virtual_addresses"]
    }
    with labs.serving(configuration) as routers:
        lab = routers["lb1"].machine.lab
        labs.until(lambda: lab.addresses("lb1") & wanted == wanted)
        labs.until(lambda: " BACKUP " in routers["lb2"].shell("hafw status | grep '(150)'")[1])
        assert lab.addresses("lb2") & wanted == set()


JOBS: dict[str, Callable[[], None]] = {
    "tutorial on one machine": on_one_machine,
    "tutorial on two machines": on_two_machines,
    **{page.name: partial(on_a_pair_that_serves, page) for page in labs.lab_pages()["pair"]},
    **{
        f"{page.name} {number}": partial(as_it_stands, text)
        for page in labs.lab_pages()["serves"]
        for number, text in enumerate(labs.whole_configurations(page))
    },
}


@pytest.fixture(scope="module")
def under_way(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[None]]]:
    """All that was asked for, begun at once; the longest first."""
    asked = {
        each.callspec.params["job"]
        for each in request.session.items
        if hasattr(each, "callspec") and "job" in each.callspec.params
    }
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {name: pool.submit(job) for name, job in JOBS.items() if name in asked}


@pytest.mark.parametrize("job", JOBS)
def test_a_page_is_followed_to_the_letter(job: str, under_way: dict[str, Future[None]]):
    under_way[job].result()


def test_every_page_that_wants_a_lab_gets_one():
    assert set(labs.lab_pages()) == {"tutorial", "pair", "serves"}
    assert labs.lab_pages()["tutorial"] == [TUTORIAL]
    assert len(JOBS) >= 9
