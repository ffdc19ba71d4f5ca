from __future__ import annotations

import pytest
from hafw_checks import settle
from hafw_checks.settle import Settled

from hafw.api import Verdict


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0
        sees = True

        def look(self) -> Verdict:
            return Verdict(self.sees, "well" if self.sees else "ill")

    clock = Clock()
    monkeypatch.setattr(settle.time, "monotonic", lambda: clock.now)
    return clock


def test_without_delays_everything_counts_at_once(clock):
    settled = Settled(clock.look, down=0.0, up=0.0)
    assert settled.now() == Verdict(True, "well")
    clock.sees = False
    assert settled.now() == Verdict(False, "ill")
    assert settled.left is None


def test_the_first_look_counts_whatever_it_says(clock):
    clock.sees = False
    assert Settled(clock.look, down=5.0, up=5.0).now() == Verdict(False, "ill")


def test_a_change_counts_when_it_has_lasted(clock):
    settled = Settled(clock.look, down=2.0, up=3.0)
    settled.now()
    clock.sees = False
    assert settled.now() == Verdict(True, "ill, which counts in 2.0s")
    clock.now += 1.5
    assert settled.now().healthy
    assert settled.left == 0.5
    clock.now += 0.5
    assert settled.now() == Verdict(False, "ill")
    clock.sees = True
    assert not settled.now().healthy
    clock.now += 3.0
    assert settled.now() == Verdict(True, "well")


def test_what_comes_back_in_time_never_counted(clock):
    settled = Settled(clock.look, down=2.0, up=0.0)
    settled.now()
    clock.sees = False
    settled.now()
    clock.now, clock.sees = clock.now + 1.9, True
    assert settled.now() == Verdict(True, "well")
    assert settled.left is None
    clock.now, clock.sees = clock.now + 1.9, False
    assert settled.now().healthy, "counted anew"
    assert settled.left == 2.0


def test_a_monitor_is_given_a_failure_once_and_the_first_verdict_never(clock):
    settled = Settled(clock.look, down=0.0, up=0.0)
    clock.sees = False
    assert settled.failure() is None, "nothing was well before"
    clock.sees = True
    assert settled.failure() is None
    clock.sees = False
    assert settled.failure() == Verdict(False, "ill", immediate=True)
    assert settled.failure() is None, "it lasts, and was told"
    clock.sees = True
    settled.now()
    clock.sees = False
    settled.now()
    assert settled.failure() == Verdict(False, "ill", immediate=True), "the check knew first"


def test_a_monitor_is_given_no_failure_that_does_not_count_yet(clock):
    settled = Settled(clock.look, down=2.0, up=0.0)
    settled.now()
    clock.sees = False
    assert settled.failure() is None
    clock.now += 2.0
    assert settled.failure() == Verdict(False, "ill", immediate=True)
