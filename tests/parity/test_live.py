"""A pair in traffic moves from keepalived to hafw and back, by the commands of the documentation."""

import os

import pytest

from hafw.lab.network import Lab
from parity.live import LANGUAGES, Migration, commands, page_of

STALL = 0.2
"""Seconds. keepalived gives way when it hears hafw's advert, which the announcement follows: 3 ms; more on a stall."""

pytestmark = [
    pytest.mark.wire,
    pytest.mark.long,
    pytest.mark.peer("keepalived"),
    pytest.mark.skipif(os.geteuid() != 0, reason="mount and network namespaces need root"),
]


@pytest.fixture(scope="module")
def chapters():
    with Lab() as lab:
        migration = Migration(lab)
        return [migration.control(), *migration.run(commands(page_of(LANGUAGES[0]), LANGUAGES[0]))]


def test_the_client_loses_less_than_keepalived_loses_when_it_is_stopped(chapters):
    control, *moved, _ = chapters
    assert all(each.ping.sent for each in moved)
    assert sum(each.ping.lost for each in moved) < control.ping.lost
    assert sum(each.pages.lost for each in moved) < control.pages.lost


def test_no_step_of_hafw_is_an_outage(chapters):
    """The last one is keepalived's own: it preempts keepalived."""
    worst = max(chapters[1:-1], key=lambda each: each.ping.longest)
    assert worst.ping.longest < STALL, worst


def test_it_was_served_by_the_router_that_the_page_says(chapters):
    assert [each.holder for each in chapters] == ["lb1", "lb1", "lb1", "lb2", "lb2", "lb1", "lb1", "lb2", "lb1"]
