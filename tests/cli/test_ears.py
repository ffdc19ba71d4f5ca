"""``hafw listen`` listens for as long as it was told, however long it took to begin."""

import time

import pytest

from hafw.cli import ears
from hafw.cli.ears import LiveEar

pytestmark = pytest.mark.wire


def test_the_time_begins_when_it_listens_and_not_when_it_was_started(monkeypatch):
    looks = []
    with LiveEar(["lo"], (), 0.2, "/nowhere", "") as ear:
        begun = time.monotonic()
        while time.monotonic() < begun + 0.3:  # what is to be loaded, and the daemon that is asked first
            pass
        monkeypatch.setattr(ears.select, "select", lambda *_: (looks.append(time.monotonic()), ([], [], []))[1])
        assert list(ear.frames()) == []
    assert looks[-1] - looks[0] > 0.1
