"""The stream of events beside the transitions of a test, as the daemon has both."""

from __future__ import annotations

import json
from ipaddress import ip_address

import pytest

from hafw.records import event_record, group_event_record
from hafw.testing import HookFailed
from hafw.vrrp.actions import GroupTransition, Transition
from hafw.vrrp.settings import RouterSettings, State

FOLLOWER = """
from hafw.api import hookimpl
from hafw.role import RoleFollower


class Follower(RoleFollower):
    @hookimpl
    def configure(self, routers):
        group = routers[0].group
        self.follow("" if group else routers[0].name, group, routers)

    def fit(self, change):
        given_up = change.new == "MASTER" and self.superseded(change, 20.0)
        return {"output": f"given up for {self.newest}" if given_up else change.new, "exit": 0}


plugin = Follower()
"""
EAR = """
import json
from pathlib import Path

from hafw.api import hookimpl

LOG = Path(__file__).with_name("log")


@hookimpl
def event(event):
    with LOG.open("a") as file:
        print(json.dumps(event), file=file)
    if event.get("reason") == "nonsense":
        raise KeyError("nonsense")


@hookimpl
def became_master(change):
    return {"output": change.time, "exit": 0}


@hookimpl
def group_changed(change):
    return {"output": change.time, "exit": 0}
"""
GROUP = {"VI_1": {"group": "G"}}


@pytest.fixture
def start(hafw_plugin, tmp_path):
    def start(source, **more):
        (tmp_path / "local.py").write_text(source)
        return hafw_plugin(file=tmp_path / "local.py", **more)

    return start


def heard(tmp_path):
    return [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]


@pytest.mark.parametrize(("then", "newest"), [("BACKUP", "BACKUP"), ("FAULT", "FAULT"), ("STOP", "INITIALIZE")])
def test_what_a_newer_change_has_made_pointless_is_given_up(start, then, newest):
    plugin = start(FOLLOWER)
    master = plugin.send("MASTER")
    assert plugin.become(then).output == then
    assert master.wait().output == f"given up for {newest}"


def test_of_a_group_too(start):
    plugin = start(FOLLOWER, instances=GROUP)
    master = plugin.send_group("MASTER")
    assert plugin.group("FAULT").output == "FAULT"
    assert master.wait().output == "given up for FAULT"


def test_the_events_are_those_of_the_daemon(start, tmp_path):
    plugin = start(EAR, instances=GROUP)
    plugin.become("BACKUP", reason="startup")
    plugin.become("MASTER", reason="no-response", peer="192.0.2.9")
    plugin.group("MASTER", reason="no-response")
    plugin.stop()
    first, second, third, last = heard(tmp_path)
    settings = RouterSettings(name="VI_1", interface="eth0", vrid=51, virtual_addresses=())
    about = {"router": "VI_1", "old": State.BACKUP, "new": State.MASTER, "reason": "no-response", "seq": 0}
    assert second == {
        "seq": 2,
        "time": "2026-01-01T00:00:01.000Z",
        **event_record(Transition(**about, priority=100, peer=ip_address("192.0.2.9")), settings),
    }
    about |= {"group": "G", "old": State.INITIALIZE}
    assert third == {"seq": 3, "time": "2026-01-01T00:00:02.000Z", **group_event_record(GroupTransition(**about))}
    assert [(each["from"], each["to"]) for each in (first, last)] == [
        ("INITIALIZE", "BACKUP"),
        ("MASTER", "INITIALIZE"),
    ]


def test_each_change_has_a_later_time_which_the_test_may_choose(start):
    plugin = start(EAR)
    told = [plugin.become("MASTER", time=time).output for time in ("", "2026-11-22T21:14:02.118Z", "", "soon", "")]
    assert told == [
        "2026-01-01T00:00:00.000Z",
        "2026-11-22T21:14:02.118Z",
        "2026-11-22T21:14:03.118Z",
        "soon",
        "2026-11-22T21:14:04.118Z",
    ]


def test_what_comes_again_is_not_in_the_stream_again_and_what_changes_nothing_never(start, tmp_path):
    plugin = start(EAR)
    plugin.become("MASTER")
    assert plugin.again().output == "2026-01-01T00:00:00.000Z"
    plugin.become("MASTER", reason="resumed")
    assert len(heard(tmp_path)) == 1


def test_an_event_that_fails_is_no_secret(start):
    plugin = start(EAR)
    with pytest.raises(HookFailed, match="event: event raised KeyError"):
        plugin.become("MASTER", reason="nonsense")
