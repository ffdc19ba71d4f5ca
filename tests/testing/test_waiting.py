"""What a call of the plugin under test waits for: its own answer."""

from __future__ import annotations

import time

import pytest

SLOW = """
import time
from pathlib import Path

from hafw.api import hookimpl

HERE = Path(__file__).parent
delivery = "{delivery}"


def work(router):
    while (HERE / f"{{router.name}} held").exists():
        time.sleep(0.005)


@hookimpl
def became_master(router):
    work(router)


@hookimpl
def faulted(router):
    work(router)
"""
SOON = 20.0
"""Seconds; who waits for something else waits for the deadline of a hook, 30 s, or longer."""


@pytest.fixture
def start(hafw_plugin, tmp_path):
    """A hook of an instance for which there is a file ``NAME held`` works until that is gone."""

    def start(delivery, **more):
        (tmp_path / "slow.py").write_text(SLOW.format(delivery=delivery))
        return hafw_plugin(file=tmp_path / "slow.py", **more)

    return start


def test_a_call_does_not_wait_for_another_instance(start, tmp_path):
    plugin = start("every", instances=("A", "B"))
    (tmp_path / "A held").touch()
    of_a, began = plugin.send("MASTER", "A"), time.monotonic()
    assert plugin.become("MASTER", "B").attempts == 1
    assert time.monotonic() < began + SOON
    assert plugin.status.queued == 1, "A is still at work"
    (tmp_path / "A held").unlink()
    assert of_a.wait().attempts == 1
    assert plugin.status.queued == 0


def test_of_several_events_of_one_instance_each_waits_for_its_own_answer(start):
    plugin = start("every")
    master, fault = plugin.send("MASTER"), plugin.send("FAULT")
    assert [each.wait().seq for each in (fault, master)] == [2, 1]
    assert [each.hook for each in plugin.calls()] == ["became_master", "faulted"]


def test_what_gave_way_to_something_newer_is_not_waited_for(start, tmp_path):
    plugin = start("latest")
    (tmp_path / "VI_1 held").touch()
    first, second, third = [plugin.send(state) for state in ("MASTER", "FAULT", "MASTER")]
    began = time.monotonic()
    assert (second.wait().attempts, plugin.status.queued) == (0, 2)
    assert time.monotonic() < began + SOON
    (tmp_path / "VI_1 held").unlink()
    assert (first.wait().attempts, third.wait().attempts) == (1, 1)
