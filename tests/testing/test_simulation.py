"""The simulated LAN of authors: verdicts go in, who is MASTER and why comes out."""

from __future__ import annotations

import pytest

from hafw.api import Verdict


def told(sim):
    return [(each.router, each.old, each.new, each.reason) for each in sim.changes]


def test_a_check_that_fails_moves_the_role_after_fall_and_gives_it_back_after_rise(hafw_sim):
    sim = hafw_sim({"lb1": 200, "lb2": 100}, fall=3, rise=2, interval=1.0, flap_hold=0.0)
    sim.run(10)
    assert (sim.master, sim.holders, sim.state("lb2")) == ("lb1", {"lb1"}, "BACKUP")
    began = sim.now
    sim.verdict("lb1", False)
    took = sim.run_until(lambda: sim.master == "lb2")
    assert 2.0 <= took <= 3.1
    assert sim.state("lb1") == "FAULT"
    (fault,) = [each for each in sim.changes if each.new == "FAULT"]
    assert (fault.reason, fault.detail) == ("check-failed", "check tested: says the test")
    assert sim.unheld(began) == 0.0
    sim.verdict("lb1", True)
    sim.run(10)
    assert sim.master == "lb1"


def test_an_immediate_verdict_does_not_wait(hafw_sim):
    sim = hafw_sim(fall=5)
    sim.run(10)
    sim.verdict("lb1", Verdict(False, "died", immediate=True))
    assert sim.run_until(lambda: sim.master == "lb2") < 0.5


def test_a_weight_moves_the_role_only_when_it_is_enough(hafw_sim):
    for weight, master in ((-99, "lb1"), (-101, "lb2")):
        sim = hafw_sim({"lb1": 200, "lb2": 100}, weight=weight)
        sim.run(10)
        sim.verdict("lb1", False)
        sim.run(10)
        assert sim.master == master, weight


def test_routers_die_are_cut_off_unplugged_and_stopped(hafw_sim):
    sim = hafw_sim({"lb1": 200, "lb2": 100}, advertisement_interval=0.1)
    sim.run(3)
    for harm, cure in ((sim.kill, sim.start), (sim.unplug, sim.plug), (sim.stop, sim.start)):
        harm("lb1")
        sim.run(3)
        assert sim.master == "lb2", harm
        cure("lb1")
        sim.run_until(lambda: sim.master == "lb1")
    sim.cut("lb1")
    sim.run(3)
    assert (sim.masters, sim.master) == ({"lb1", "lb2"}, "")
    sim.heal()
    sim.run(3)
    assert sim.master == "lb1"
    assert ("lb1", "MASTER", "STOP", "shutdown") in told(sim)


def test_what_does_not_happen_ends_and_a_router_that_is_not_there_is_named(hafw_sim):
    sim = hafw_sim({"lb1": 200})
    with pytest.raises(AssertionError, match=r"the condition did not hold within 5 s"):
        sim.run_until(lambda: sim.master == "lb9", limit=5)
    with pytest.raises(ValueError, match="router 'lb9': there are lb1"):
        sim.kill("lb9")


def test_a_plugin_is_asked_for_its_verdict_and_told_of_what_comes_of_it(hafw_sim, hafw_plugin, tmp_path):
    (tmp_path / "local.py").write_text(f"""
from hafw.api import *
import os
HERE = {str(tmp_path)!r}

@hookimpl
def check():
    return Verdict(not os.path.exists(HERE + "/drained"), "drained" )

def note(change):
    with open(HERE + "/log", "a") as file:
        print(change.time, change.old, change.new, change.reason, file=file)

@hookimpl
def became_master(change): note(change)

@hookimpl
def became_backup(change): note(change)

@hookimpl
def faulted(change): note(change)
""")
    plugin = hafw_plugin(file=tmp_path / "local.py", user="root" if tmp_path.owner() == "root" else "")
    sim = hafw_sim()
    sim.watch("lb1", plugin)
    sim.follow("lb1", plugin)
    sim.run(10)
    (tmp_path / "drained").touch()
    sim.run_until(lambda: sim.master == "lb2")
    lines = [line.split(maxsplit=1) for line in (tmp_path / "log").read_text().splitlines()]
    assert [rest for _, rest in lines] == [
        f"{each.old} {each.new} {each.reason}" for each in sim.changes if each.router == "lb1"
    ]
    assert lines[-1][1].endswith("FAULT check-failed")
    assert lines[-1][0].startswith("2026-01-01T00:00:1")
