"""The short part of the sequence, by three casts; ``make parity`` plays all of it, by four at the same time."""

import os

import pytest

from parity.compare import complaints
from parity.play import CASTS, play_all
from parity.steps import SHORT

pytestmark = [
    pytest.mark.wire,
    pytest.mark.long,
    pytest.mark.peer("keepalived"),
    pytest.mark.skipif(os.geteuid() != 0, reason="mount and network namespaces need root"),
]


@pytest.fixture(scope="module")
def rests():
    return play_all(CASTS[:2], SHORT) | play_all(CASTS[2:3], SHORT)  # three at once are much for two processors


def test_the_same_router_wins_and_the_scripts_are_told_the_same(rests):
    assert complaints(rests, SHORT) == []


def test_the_failures_did_move_things_and_the_scripts_were_called(rests):
    """What never moves compares well."""
    for played in rests.values():
        assert {who for rest in played for who in rest.masters.values()} == {"lb1", "lb2", "-"}
        assert sum(len(told) for rest in played for told in rest.told.values()) > 80
