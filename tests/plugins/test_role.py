"""The example of docs/plugins/role.md with its test, and what ``RoleFollower`` promises, in real processes."""

from __future__ import annotations

import pytest

from hafw.testing import HookFailed, PluginRefused

FOLLOWER = """\
import time
from dataclasses import dataclass

from hafw.api import hookimpl, refuse
from hafw.command import environment, mistakes, run, split
from hafw.role import RoleFollower, subject_mistakes

TIMEOUT = 5.0  # seconds of one attempt
PATIENCE = 20.0  # of all; the hook has 30
PAUSE = 0.5


@dataclass
class Options:
    command: str  # gets one argument, primary or replica; may be told what it is already
    instance: str = ""
    group: str = ""


class Replication(RoleFollower):
    def __init__(self):
        super().__init__()
        self.argv = []

    @hookimpl
    def options(self):
        return Options

    @hookimpl
    def configure(self, options, routers):
        wrong = [("command", each) for each in mistakes(options.command)]
        refuse([*wrong, *subject_mistakes(options.instance, options.group, routers)])
        self.argv = split(options.command)
        self.follow(options.instance, options.group, routers)

    def fit(self, change):
        role = "primary" if change.new == "MASTER" else "replica"  # FAULT, STOP and DELETED too
        deadline = time.monotonic() + PATIENCE
        while True:
            ended = run([*self.argv, role], environment(HAFW_REASON=change.reason), TIMEOUT)
            if ended.exit == 0:
                return {"output": f"is {role}", "exit": 0}
            if time.monotonic() > deadline:
                return {"output": ended.output, "exit": ended.exit}
            if self.superseded(change, PAUSE):  # the pause before the next attempt, too
                return {"output": f"left: it is {self.newest} by now", "exit": 0}


plugin = Replication()
"""
TEST = """\
# test_replication.py
from pathlib import Path

import pytest


@pytest.fixture
def plugin(hafw_plugin, tmp_path):
    command = tmp_path / "role.sh"  # the database cannot become primary before there is a file called ready
    command.write_text(f'#!/bin/sh\\n[ "$1" = replica ] || [ -e {tmp_path}/ready ]\\n')
    command.chmod(0o755)
    return hafw_plugin(file=Path(__file__).with_name("replication.py"), options={"command": str(command)})


def test_a_master_is_the_primary_as_soon_as_it_can(plugin, tmp_path):
    master = plugin.send("MASTER")
    (tmp_path / "ready").touch()
    assert master.wait().output == "is primary"


def test_what_is_over_is_left(plugin):
    master = plugin.send("MASTER")
    assert plugin.become("BACKUP").output == "is replica"
    assert master.wait().output == "left: it is BACKUP by now"
"""
SHOWS = """
from hafw.api import hookimpl
from hafw.role import RoleFollower


class Shows(RoleFollower):
    @hookimpl
    def configure(self, routers):
        self.follow({follows})

    def fit(self, change):
        words = [change.new, "replayed" if change.replayed else "", str(self.superseded(change))]
        print(*words, flush=True)


plugin = Shows()
"""


@pytest.fixture
def shows(hafw_plugin, tmp_path):
    """Every ``fit`` is a line that it prints."""

    def start(follows, **more):
        (tmp_path / "shows.py").write_text(SHOWS.format(follows=follows))
        return hafw_plugin(file=tmp_path / "shows.py", **more)

    return start


def printed(plugin, count):
    plugin.wait_for(lambda: len(plugin.printed) >= count)
    return [line.split()[0] for line in plugin.printed]


def test_the_test_of_the_page_tests_the_plugin_of_the_page(pytester):
    pytester.makepyfile(replication=FOLLOWER, test_replication=TEST)
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=TEST.count("\ndef test_"))


def test_its_mistakes_are_told_with_their_keys(hafw_plugin, tmp_path):
    (tmp_path / "replication.py").write_text(FOLLOWER)
    with pytest.raises(PluginRefused) as caught:
        hafw_plugin(file=tmp_path / "replication.py", options={"command": "/nope"}, instances=("A", "B"))
    assert caught.value.mistakes == [
        "plugin.replication.instance: is missing: whose role is it? One of A, B",
        "plugin.replication.command: /nope does not exist: correct the path, or put it there",
    ]


def test_it_is_told_every_state_of_its_own_instance_and_no_other(shows):
    plugin = shows('"A", "", routers', instances={"A": {"group": "G"}, "B": {"group": "G"}})
    for state in ("BACKUP", "MASTER", "FAULT", "STOP", "DELETED"):
        plugin.become(state, "A")
        plugin.become(state, "B")
    plugin.group("MASTER")
    assert printed(plugin, 5) == ["BACKUP", "MASTER", "FAULT", "STOP", "DELETED"]


def test_it_is_told_every_state_of_its_own_group_and_not_of_its_members(shows):
    plugin = shows('"", "G", routers', instances={"A": {"group": "G"}, "B": {"group": "H"}})
    plugin.become("MASTER", "A")
    for state in ("BACKUP", "MASTER", "FAULT", "STOP"):
        plugin.group(state, "G")
        plugin.group(state, "H")
    assert printed(plugin, 4) == ["BACKUP", "MASTER", "FAULT", "STOP"]


def test_only_the_latest_waits_and_a_new_process_is_told_how_things_are(shows):
    plugin = shows('"", "", routers')
    assert plugin.status.delivery == "latest"
    plugin.become("MASTER")
    plugin.kill()
    plugin.wait_for(lambda: len(plugin.printed) == 2)
    assert [line.split() for line in plugin.printed] == [["MASTER", "False"], ["MASTER", "replayed", "False"]]


def test_a_configure_that_does_not_say_whose_role_it_is_is_a_failure_and_not_silence(hafw_plugin, tmp_path):
    (tmp_path / "shows.py").write_text(SHOWS.replace("self.follow({follows})", "pass"))
    plugin = hafw_plugin(file=tmp_path / "shows.py")
    with pytest.raises(HookFailed, match="configure has not called follow, which says whose role it is"):
        plugin.become("MASTER")
    assert plugin.printed == []


@pytest.mark.parametrize(
    ("follows", "wrong"),
    [
        ('"B", "", routers', 'instance: = "B": must be one of VI_1'),
        ('"", "G", routers', 'group: = "G": there is no sync group'),
    ],
)
def test_nobody_s_role_is_refused(shows, follows, wrong):
    with pytest.raises(PluginRefused) as caught:
        shows(follows)
    assert caught.value.mistakes == [f"plugin.shows: {wrong}"]


def test_it_works_although_its_own_init_forgets_that_of_hafw(hafw_plugin, tmp_path):
    source = SHOWS.format(follows='"", "", routers').replace(
        "class Shows(RoleFollower):", "class Shows(RoleFollower):\n    def __init__(self): pass"
    )
    (tmp_path / "shows.py").write_text(source)
    plugin = hafw_plugin(file=tmp_path / "shows.py")
    plugin.become("MASTER")
    assert printed(plugin, 1) == ["MASTER"]


def test_without_fit_it_is_not_loaded(hafw_plugin, tmp_path):
    (tmp_path / "shows.py").write_text(SHOWS.format(follows='"", "", routers').replace("def fit", "def fits"))
    with pytest.raises(PluginRefused, match="abstract class Shows with abstract method fit"):
        hafw_plugin(file=tmp_path / "shows.py")
