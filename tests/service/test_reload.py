"""``hafw reload`` and SIGHUP on a MASTER that others hear: all of the new file, or none of it."""

import os
import signal
import time

import pytest

pytestmark = pytest.mark.wire

VIP, ADDED = "10.77.0.250", "10.77.0.251"
INTERVAL = 0.1
PICKY = """
from dataclasses import dataclass
from hafw.api import hookimpl

@dataclass
class Options:
    colour: str = "green"

@hookimpl
def options():
    return Options

@hookimpl
def configure(options):
    if options.colour != "green":
        raise ValueError(f"colour: {options.colour} is not green")
"""


LEAVE = """
import subprocess
from hafw.api import hookimpl

@hookimpl
def before_release(router):
    there = router.addresses[0].address in subprocess.check_output(["ip", "address"], text=True)
    with open({note!r}, "a") as note:
        note.write(f"{{router.name}} {{'serves' if there else 'is gone'}}\\n")

@hookimpl
def stopped(router, change):
    with open({note!r}, "a") as note:
        note.write(f"{{router.name}} {{change.old}} {{change.new}} {{change.reason}}\\n")
"""


@pytest.fixture(scope="module")
def elected(tools):
    with tools.two_routers() as (lb1, lb2):
        plugin = lb1.config.with_name("picky.py")
        plugin.write_text(PICKY)
        tools.elect(lb1, lb2)
        yield lb1, lb2, lb1.lab.capture()


@pytest.fixture
def lb1(elected, tools):
    """MASTER with the configuration that every test begins with."""
    router = elected[0]
    router.write(tools.instance())
    assert router.ask("reload").keys() == {"changes"}
    tools.until(lambda: router.instance()["state"] == "MASTER")
    return router


@pytest.fixture
def capture(elected):
    return elected[2]


def seen_of(router):
    """Everything that a reload could change."""
    instance = router.instance()
    keys = ("name", "vrid", "state", "priority", "advertisement_interval")
    addresses = [(each["address"], each["state"], each["kernel"]) for each in instance["addresses"]]
    with router.stream() as stream:
        seen = {key: instance[key] for key in keys} | {"addresses": addresses}
        return seen | {"at": router.has(VIP), "events": stream.so_far()}


def test_a_reload_of_the_same_file_says_so(lb1):
    before = seen_of(lb1)
    done = lb1.hafw("reload")
    assert (done.returncode, done.stdout) == (0, "nothing to change\n")
    assert seen_of(lb1) == before


@pytest.mark.parametrize("way", ["hafw reload", "SIGHUP"])
def test_a_new_priority_is_advertised_without_a_gap(lb1, capture, tools, way):
    lb1.write(tools.instance(priority={"lb1": 210, "lb2": 100}))
    began = time.time()
    with lb1.news() as stream:
        if way == "SIGHUP":
            os.kill(lb1.guard.pid, signal.SIGHUP)
        else:
            done = lb1.hafw("reload")
            assert (done.returncode, done.stdout) == (0, "VI_1: priority 200 -> 210\n")
        assert stream.wait("config_reloaded")["changes"] == "VI_1: priority 200 -> 210"
        assert stream.snapshot["status"]["instances"][0]["state"] == "MASTER"
        capture.wait_for_advert(lambda advert: advert.priority == 210, since=began, timeout=5)
        assert capture.wait_for_advert(lambda _: True, since=time.time() + 2 * INTERVAL, timeout=5)
        sent = capture.adverts(since=began)
        assert {(advert.host, advert.priority) for advert in sent} == {("lb1", 200), ("lb1", 210)}
        assert len(sent) == pytest.approx((sent[-1].time - sent[0].time) / INTERVAL + 1, abs=0.5)
        assert [event["type"] for event in stream.events] == ["config_reloaded"]


def test_c_arp_09_an_address_that_is_added_is_bound_and_announced_and_one_that_is_removed_is_gone(lb1, capture, tools):
    lb1.write(tools.instance(virtual_addresses=[VIP, ADDED]))
    began = time.time()
    done = lb1.hafw("reload")
    assert done.stdout == f"VI_1: virtual_addresses [{VIP}] -> [{VIP}, {ADDED}]\n"
    tools.until(lambda: lb1.has(ADDED))
    tools.until(lambda: ADDED in {str(claim.address) for claim in capture.claims("lb1", began)})
    lb1.write(tools.instance(virtual_addresses=[VIP]))
    assert lb1.hafw("reload").returncode == 0
    tools.until(lambda: not lb1.has(ADDED))
    assert lb1.has(VIP)
    assert lb1.instance()["state"] == "MASTER"
    assert all(advert.priority == 200 and advert.host == "lb1" for advert in capture.adverts(since=began))


def test_an_instance_that_is_added_is_elected_and_one_that_is_removed_hands_over(lb1, capture, tools):
    second = tools.instance("VI_2", vrid=52, virtual_addresses=[ADDED])
    note = lb1.config.with_name("released")
    lb1.config.with_name("leave.py").write_text(LEAVE.format(note=str(note)))
    leave = '[plugin.leave]\nfile = "leave.py"\n'
    lb1.write(tools.instance(), second, leave)
    assert "VI_2: added\n" in lb1.hafw("reload").stdout
    lb1.wait_for("MASTER", "VI_2")
    tools.until(lambda: lb1.has(ADDED))
    lb1.write(tools.instance(), leave)
    began = time.time()
    assert lb1.hafw("reload").stdout == "VI_2: removed\n"
    tools.until(lambda: note.read_text() == "VI_2 serves\nVI_2 MASTER DELETED removed\n")
    assert not lb1.has(ADDED)
    assert [advert.priority for advert in capture.adverts(since=began) if advert.vrid == 52][-1] == 0
    assert 0 not in {advert.priority for advert in capture.adverts(since=began) if advert.vrid == 51}
    assert [each["name"] for each in lb1.ask()["instances"]] == ["VI_1"]


def test_a_new_vrid_hands_over_and_starts_anew(lb1, elected, capture, tools):
    lb1.write(tools.instance(vrid=53))
    began = time.time()
    with elected[1].news() as heard:
        done = lb1.hafw("reload")
        assert (done.returncode, done.stdout) == (0, "VI_1: vrid 51 -> 53 (hands over and starts anew)\n")
        assert heard.state("MASTER")["reason"] == "master-resigned"
    assert [advert.priority for advert in capture.adverts("lb1", began) if advert.vrid == 51][-1] == 0
    assert capture.wait_for_advert(lambda advert: (advert.host, advert.vrid) == ("lb1", 53), since=began, timeout=5)
    assert lb1.instance()["vrid"] == 53


def test_a_bad_file_changes_nothing_and_every_mistake_is_printed(lb1, tools):
    before = seen_of(lb1)
    wrong = tools.instance(priority=300, vird=51, virtual_addresses=[VIP, "10.77.0.999"])
    lb1.write(wrong, '[plugin.picky]\nfile = "picky.py"\ncolour = "red"\n')
    done = lb1.hafw("reload")
    assert (done.returncode, done.stdout) == (1, "")
    for mistake in (
        "hafw: nothing was changed",
        "config.toml:4: instance.VI_1.priority = 300",
        "did you mean vrid?",
        "10.77.0.999",
        "red is not green",
    ):
        assert mistake in done.stderr
    assert seen_of(lb1) == before


def test_an_option_that_a_plugin_refuses_changes_nothing(lb1, tools):
    before = seen_of(lb1)
    lb1.write(tools.instance(priority={"lb1": 210, "lb2": 100}), '[plugin.picky]\nfile = "picky.py"\ncolour = "red"\n')
    done = lb1.hafw("reload")
    assert (done.returncode, done.stdout) == (1, "")
    assert "config.toml:10: plugin.picky.colour: red is not green" in done.stderr
    assert seen_of(lb1) == before


def test_a_dry_run_says_what_would_change_and_changes_nothing(lb1, tools):
    before = seen_of(lb1)
    lb1.write(tools.instance(priority={"lb1": 210, "lb2": 100}, vrid=53))
    done = lb1.hafw("reload", "--dry-run")
    assert done.returncode == 0
    assert done.stdout == "VI_1: vrid 51 -> 53, priority 200 -> 210 (hands over and starts anew)\n"
    assert seen_of(lb1) == before
