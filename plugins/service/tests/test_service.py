"""The units of a role, with a program in systemctl's place that keeps states in files and records what it is told.

The real systemd: tests/deploy/test_service_plugin.py.
"""

from __future__ import annotations

import os
import re
import threading
import tomllib
from pathlib import Path

import pytest
from hafw_service import Service
from hafw_service.options import Options, action_of
from hafw_service.systemd import Systemd, Unit

from hafw.api import Duration, Group, GroupChange, Router, StateChange
from hafw.config.convert import convert

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
STAND_IN = """#!/bin/sh
here=@HERE@
for unit; do :; done
if [ "$1" = show ]; then
    [ -e $here/broken ] && { cat $here/broken >&2; exit 1; }
    cat "$here/$unit" 2>/dev/null || printf 'LoadState=not-found\nActiveState=inactive\n'
    exit
fi
echo "$@" >>$here/calls
[ -e "$here/$unit.refuses" ] && { cat "$here/$unit.refuses" >&2; exit 1; }
[ -e "$here/$unit.hangs" ] && exec sleep 60
[ -e "$here/$unit.after" ] && cp "$here/$unit.after" "$here/$unit" && exit
case "$*" in
    *" stop "*) sed -i s/ActiveState=.*/ActiveState=inactive/ "$here/$unit";;
    *start*) sed -i s/ActiveState=.*/ActiveState=active/ "$here/$unit";;
esac
"""
BRIEF = {"settle": Duration(0), "timeout": Duration(5)}


class Machine:
    """Its units, and what was asked of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def unit(self, name: str, active: str = "inactive", **properties: str) -> None:
        told = {"LoadState": "loaded", "ActiveState": active, "Type": "simple", "Result": "success", **properties}
        (self.folder / name).write_text("".join(f"{key}={value}\n" for key, value in told.items()))

    def put(self, name: str, text: str = "") -> None:
        (self.folder / name).write_text(text)

    @property
    def calls(self) -> list[str]:
        """What was done, without what is the same each time."""
        path = self.folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.removeprefix("--no-ask-password --job-mode=replace ").replace(" -- ", " ") for line in lines]


@pytest.fixture
def machine(tmp_path, monkeypatch):
    program = tmp_path / "systemctl"
    program.write_text(STAND_IN.replace("@HERE@", str(tmp_path)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = Machine(tmp_path)
    found.unit("db.service")
    found.unit("web.service", "active")
    return found


def router(name="VI_1", group=""):
    return Router(name=name, vrid=51, version=3, priority=100, interface="eth0", group=group)


ALONE = (router(),)


def configured(routers=ALONE, **options):
    plugin = Service()
    plugin.configure(Options(**{**BRIEF, **options}), routers)
    return plugin


def change_to(new, seq=1, instance="VI_1", **more):
    fields = {"time": f"2026-11-22T21:14:{seq:02}.118Z", "old": "BACKUP", "reason": "x", "priority": 100}
    return StateChange(seq=seq, instance=instance, new=new, **{**fields, **more})


def test_each_role_has_its_actions_in_their_order(machine):
    plugin = configured(
        on_master=("start db", "reload web.service"),
        on_backup=("stop db",),
        on_fault=("restart web",),
        on_stop=("stop web",),
    )
    outcome = plugin.became_master(router(), change_to("MASTER"))
    assert outcome == {"output": "start db.service: done\nreload web.service: done", "exit": 0, "command": ""}
    plugin.became_backup(router(), change_to("BACKUP", 2))
    plugin.faulted(router(), change_to("FAULT", 3))
    plugin.stopped(router(), change_to("STOP", 4))
    assert machine.calls == [
        "start db.service",
        "reload web.service",
        "stop db.service",
        "restart web.service",
        "stop web.service",
    ]


def test_what_is_so_already_is_left_alone(machine):
    plugin = configured(on_master=("start web",), on_backup=("stop db",))
    assert plugin.became_master(router(), change_to("MASTER"))["exit"] == 0
    assert plugin.became_backup(router(), change_to("BACKUP", 2))["exit"] == 0
    assert machine.calls == []


@pytest.mark.usefixtures("machine")
def test_a_role_without_actions_says_nothing():
    assert configured(on_master=("start db",)).became_backup(router(), change_to("BACKUP")) is None


def test_a_new_process_makes_it_so_and_reloads_nothing_since_nothing_has_happened(machine):
    plugin = configured(on_master=("start db", "reload web", "restart web"))
    plugin.became_master(router(), change_to("MASTER", replayed=True))
    assert machine.calls == ["start db.service"]


def test_only_the_role_of_its_own_instance_counts(machine):
    routers = (router("VI_1"), router("VI_2"))
    plugin = configured(routers, on_master=("start db",), on_backup=("stop db",), instance="VI_2")
    assert plugin.became_master(routers[0], change_to("MASTER")) is None
    plugin.became_master(routers[1], change_to("MASTER", 2, "VI_2"))
    assert plugin.became_backup(routers[0], change_to("BACKUP", 3)) is None
    assert machine.calls == ["start db.service"]


def test_the_role_of_a_group_is_the_groups_and_not_its_members(machine):
    routers = (router("VI_1", "VG"), router("VI_2", "VG"))
    plugin = configured(routers, on_master=("start db",), on_fault=("stop db",), group="VG")
    assert plugin.became_master(routers[0], change_to("MASTER")) is None
    group = Group(name="VG", members=("VI_1", "VI_2"))
    change = GroupChange(
        seq=2,
        time="2026-11-22T21:14:02.118Z",
        group="VG",
        members=group.members,
        old="BACKUP",
        new="MASTER",
        reason="x",
    )
    assert plugin.group_changed(group, change)["exit"] == 0
    assert machine.calls == ["start db.service"]


def test_a_failure_is_told_with_systemds_words_and_the_others_are_done_all_the_same(machine):
    machine.put("db.service.refuses", "Job for db.service failed.\nSee journalctl -xe.\n")
    outcome = configured(on_master=("start db", "reload web")).became_master(router(), change_to("MASTER"))
    assert outcome["exit"] == 1
    assert outcome["command"] == "systemctl start db.service"
    assert (
        outcome["output"]
        == "start db.service: Job for db.service failed. See journalctl -xe.\nreload web.service: done"
    )
    assert machine.calls == ["start db.service", "reload web.service"]


def test_who_may_not_is_told_what_to_do(machine):
    machine.put("db.service.refuses", "Failed to start db.service: Interactive authentication required.\n")
    outcome = configured(on_master=("start db",)).became_master(router(), change_to("MASTER"))
    assert outcome["output"].endswith('run as root (user = "root") or give this user a polkit rule: see the README')


@pytest.mark.parametrize(
    ("action", "state", "said"),
    [
        ("start db", {"active": "failed", "Result": "exit-code"}, "it is failed (exit-code): journalctl -u db.service"),
        ("start db", {"active": "inactive"}, "it is inactive: journalctl -u db.service"),
        (
            "restart db",
            {"active": "activating", "SubState": "auto-restart"},
            "it is activating (auto-restart): journalctl -u db.service",
        ),
        ("start db", {"active": "inactive", "Type": "oneshot"}, "done"),
        ("start db", {"active": "reloading"}, "done"),
        (
            "stop web",
            {"active": "deactivating", "SubState": "stop-sigterm"},
            "it is deactivating (stop-sigterm) all the same",
        ),
        ("stop web", {"active": "failed"}, "done"),
        ("try-restart db", {"active": "inactive"}, "done"),
    ],
)
def test_afterwards_it_is_looked_at(action, state, said, machine):
    unit = f"{action.split()[1]}.service"
    before = (machine.folder / unit).read_text()
    machine.unit(unit, **state)
    (machine.folder / unit).rename(machine.folder / f"{unit}.after")
    machine.put(unit, before)
    outcome = configured(on_master=(action,)).became_master(router(), change_to("MASTER"))
    assert outcome["output"] == f"{action}.service: {said}"
    assert outcome["exit"] == int(said != "done")


def test_an_action_that_takes_too_long_is_left_to_systemd(machine):
    machine.put("db.service.hangs")
    outcome = configured(on_master=("start db",), timeout=Duration(0.2)).became_master(router(), change_to("MASTER"))
    assert outcome["output"] == "start db.service: not done after 0.2s, systemd goes on with it: systemctl list-jobs"


def test_a_start_is_no_longer_waited_for_when_the_router_is_backup_again(machine, until):
    machine.put("db.service.hangs")
    plugin = configured(on_master=("start db", "reload web"), on_backup=("stop db",), timeout=Duration(60))
    found = []
    thread = threading.Thread(target=lambda: found.append(plugin.became_master(router(), change_to("MASTER", 1))))
    thread.start()
    until(lambda: machine.calls)
    plugin.event({"type": "state_changed", "instance": "VI_1", "time": "2026-11-22T21:14:01.100Z", "to": "MASTER"})
    plugin.event({"type": "state_changed", "instance": "VI_2", "time": "2026-11-22T21:14:02.100Z", "to": "BACKUP"})
    plugin.event({"type": "state_changed", "instance": "VI_1", "time": "2026-11-22T21:14:02.100Z", "to": "BACKUP"})
    thread.join(30)
    assert found == [
        {"output": "start db.service: done\nthe rest is left: it is BACKUP by now", "exit": 0, "command": ""}
    ]
    machine.unit("db.service", "activating")
    (machine.folder / "db.service.hangs").unlink()
    assert plugin.became_backup(router(), change_to("BACKUP", 2))["exit"] == 0
    assert [call for call in machine.calls if "web" in call or "stop" in call] == ["stop db.service"]


def test_a_job_that_contradicts_makes_ours_fail_where_that_is_wished(machine):
    configured(on_master=("start db",), mode="fail").became_master(router(), change_to("MASTER"))
    assert machine.calls == ["--no-ask-password --job-mode=fail start db.service"]


def test_the_deadline_leaves_time_for_all_actions_of_a_role(machine):
    plugin = configured(on_master=("start db", "reload web"), on_stop=("stop db",), settle=Duration(1))
    assert plugin.deadline == 2 * (5 + 1) + 10


def refusal(routers=ALONE, **options):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the caller compares the whole text
        configured(routers, **options)
    return str(caught.value).splitlines()


VERBS = "start, stop, restart, try-restart, reload, reload-or-restart or try-reload-or-restart"
TWO = (router("VI_1", "VG"), router("VI_2", "VG"))


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("routers", "options", "said"),
    [
        (ALONE, {}, 'on_master: is missing: nothing is started or stopped: on_master = ["start postgresql"]'),
        (ALONE, {"on_master": ("strat db",)}, f'on_master[0]: = "strat db": must begin with {VERBS}'),
        (ALONE, {"on_master": ("start db web",)},
         'on_master[0]: = "start db web": must name one unit after start, such as "start postgresql.service"'),
        (ALONE, {"on_backup": ("stop",)},
         'on_backup[0]: = "stop": must name one unit after stop, such as "stop postgresql.service"'),
        (ALONE, {"on_backup": ("stop --now",)},
         'on_backup[0]: = "stop --now": must name one unit after stop, such as "stop postgresql.service"'),
        (ALONE, {"on_fault": ("stop no",)},
         'on_fault[0]: = "stop no.service": there is no unit no.service on this machine: systemctl list-unit-files'),
        (ALONE, {"on_fault": ("stop masked",)},
         'on_fault[0]: = "stop masked.service": masked.service is masked: systemctl unmask masked.service'),
        (ALONE, {"on_fault": ("stop bad",)},
         'on_fault[0]: = "stop bad.service": bad.service cannot be loaded (bad-setting): systemctl status bad.service'),
        (ALONE, {"on_fault": ("stop hafw",)},
         'on_fault[0]: = "stop hafw": would end hafw itself: hafw handover gives the role away'),
        (TWO, {"on_master": ("start db",)},
         'instance: is missing: whose role is it? One of VI_1, VI_2, or group = "VG"'),
        (TWO, {"on_master": ("start db",), "instance": "VI_3"}, 'instance: = "VI_3": must be one of VI_1, VI_2'),
        (TWO, {"on_master": ("start db",), "group": "V"}, 'group: = "V": must be one of VG'),
        (ALONE, {"on_master": ("start db",), "group": "V"}, 'group: = "V": there is no sync group'),
        (TWO, {"on_master": ("start db",), "group": "VG", "instance": "VI_1"},
         'group: = "VG": instance says whose role it is already: leave one of the two out'),
        (ALONE, {"on_master": ("start db",) * 101}, "on_master: has 101 actions: must be at most 100"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_with_the_rule_and_the_way_out(routers, options, said, machine):
    machine.unit("masked.service", LoadState="masked")
    machine.unit("bad.service", LoadState="bad-setting")
    machine.unit("hafw.service")
    assert refusal(routers, **options) == [said]


def test_without_systemd_it_says_so_once(machine):
    machine.put("broken", "System has not been booted with systemd\n")
    assert refusal(on_master=("start db", "start web")) == [
        'on_master[0]: = "start db.service": systemctl: System has not been booted with systemd'
    ]


def test_without_systemctl_it_names_the_other_way(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    (line,) = refusal(on_master=("start db",))
    assert line.endswith(
        "systemctl: no such file or directory: without systemd, notify_script runs what your init system has"
    )


def test_a_unit_that_also_starts_at_boot_is_warned_of(machine):
    machine.unit("db.service", UnitFileState="enabled")
    said = r"^on_master\[0\]: db.service also starts at boot, whatever the role: systemctl disable db.service$"
    with pytest.warns(UserWarning, match=said):
        configured(on_master=("start db",), on_backup=("stop db",))
    configured(on_master=("start db",))
    configured(on_master=("reload db",), on_backup=("stop db",))


def test_a_unit_keeps_its_suffix_and_gets_one_where_it_has_none():
    units = ("db", "db.service", "backup.timer", "foo@1", "srv-data.mount", "my.app")
    named = [action_of(f"start {unit}").unit for unit in units]
    assert named == ["db.service", "db.service", "backup.timer", "foo@1.service", "srv-data.mount", "my.app.service"]


@pytest.mark.parametrize("unit", [Unit(active="active"), Unit(active="reloading")])
def test_what_runs_has_started(unit):
    assert unit.has_started


def test_the_example_of_the_documentation_is_read(machine):
    for name in ("postgresql", "nginx"):
        machine.unit(f"{name}.service")
    (block,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    options, problems = convert(tomllib.loads(block)["plugin"]["service"], Options, "plugin.service")
    assert problems == []
    Service().configure(options, (router(),))
    assert Systemd("replace").look("nginx.service").load == "loaded"
