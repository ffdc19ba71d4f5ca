"""Each incident, staged on real daemons: the commands name its cause in plain words, and after its mending no more."""

import os

import pytest

from incidents.cases import INCIDENTS
from incidents.play import play_all

pytestmark = [
    pytest.mark.wire,
    pytest.mark.long,
    pytest.mark.peer("nginx"),
    pytest.mark.skipif(os.geteuid() != 0, reason="mount and network namespaces need root"),
]


@pytest.fixture(scope="module")
def played():
    return {one.incident.name: one for one in play_all(INCIDENTS)}


@pytest.mark.parametrize("name", [each.name for each in INCIDENTS])
def test_the_cause_is_named_and_after_the_mending_no_more(played, name):
    assert played[name].complaints == ()
