"""A cgroup v2 for each plugin: on files that look like one, and in the real one as far as this machine goes."""

from __future__ import annotations

import os
import select
import subprocess
from pathlib import Path

import pytest

from hafw.config.model import PluginLimits
from hafw.daemon.plugins import cgroup
from hafw.daemon.plugins.quarters import ran_out_of_memory

LIMITS = PluginLimits(memory=64 << 20, processes=8, cpu_weight=50)


@pytest.fixture
def top(tmp_path):
    """What a delegated group looks like, with nobody in it."""
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    (tmp_path / "cgroup.procs").write_text("")
    (tmp_path / "cgroup.subtree_control").write_text("")
    return tmp_path


def test_the_controllers_are_enabled_and_the_limits_written(top):
    delegation = cgroup.find(top)
    assert (delegation.path, delegation.controllers, delegation.why_not) == (top, {"cpu", "memory", "pids"}, "")
    assert (top / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"
    assert (top / "hafw" / "cpu.weight").read_text() == "10000"
    group = delegation.group("local", LIMITS)
    assert group.path == top / "plugin.local"
    written = {name: group.read(name) for name in ("cpu.weight", "memory.max", "pids.max")}
    assert written == {"cpu.weight": "50", "memory.max": str(64 << 20), "pids.max": "1024"}


def test_a_daemon_that_is_in_its_leaf_already_finds_the_group_above(top):
    (top / "hafw").mkdir()
    (top / "hafw" / "cgroup.procs").write_text(f"{os.getpid()}\n")
    assert cgroup.find(top / "hafw").path == top


def test_controllers_that_are_missing_are_named(top):
    (top / "cgroup.controllers").write_text("memory")
    delegation = cgroup.find(top)
    assert delegation.controllers == {"memory"}
    assert delegation.why_not == f"{top} has no controller cpu, pids (systemd: Delegate=cpu memory pids)"
    assert delegation.group("local", LIMITS).read("cpu.weight") == ""


def test_a_group_in_which_others_live_is_left_alone(top):
    (top / "cgroup.procs").write_text(f"1\n{os.getpid()}\n")
    delegation = cgroup.find(top)
    assert (delegation.path, delegation.group("local", LIMITS)) == (None, None)
    assert delegation.why_not == f"{top} is not delegated to hafw (systemd: Delegate=)"
    assert not (top / "hafw").exists()


def test_a_unit_s_group_without_delegate_is_systemd_s_even_when_nobody_else_lives_in_it(top, monkeypatch):
    monkeypatch.setattr(cgroup, "own_group", lambda: top)
    monkeypatch.setattr(cgroup, "inside", lambda: "/system.slice/hafw.service")
    assert cgroup.find().why_not == f"{top} is not delegated to hafw (systemd: Delegate=)"
    monkeypatch.setattr(cgroup, "inside", lambda: "/")
    assert cgroup.find().path == top, "a container's"


def test_a_plugin_that_the_kernel_has_ended_for_want_of_memory_is_named(top, write):
    group = cgroup.find(top).group("local", LIMITS)
    (group.path / "memory.events").write_text("low 0\nhigh 0\nmax 3\noom 1\noom_kill 1\n")
    plugin = write("")
    assert ran_out_of_memory(plugin, group, 1) == ""
    assert ran_out_of_memory(plugin, group, 0) == ("ran out of memory: at most 512MiB (plugin.local.limits.memory)")
    assert ran_out_of_memory(plugin, None, 0) == ""


@pytest.fixture
def real():
    """A cgroup v2 of this machine with one process of ours in it."""
    own = cgroup.own_group()
    if own is None or os.geteuid() != 0 or not os.access(own, os.W_OK):
        pytest.skip("no cgroup v2 that we may write to")
    folder = own / f"hafw-test-{os.getpid()}"
    folder.mkdir()
    sleeper = subprocess.Popen(["sleep", "100"])
    (folder / "cgroup.procs").write_text(str(sleeper.pid))
    yield folder, sleeper
    sleeper.kill()
    sleeper.wait()
    for each in sorted(folder.rglob("*"), reverse=True):
        if each.is_dir():
            each.rmdir()
    folder.rmdir()


def test_in_the_real_one_nobody_gets_away_and_all_of_it_ends_at_once(real):
    folder, sleeper = real
    delegation = cgroup.find(folder)
    assert delegation.path == folder
    group = delegation.group("local", LIMITS)
    script = 'read go; setsid sh -c "sleep 100 & echo; wait" & wait'
    with subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as plugin:
        assert group.take(plugin.pid)
        plugin.stdin.write(b"\n")
        plugin.stdin.flush()
        plugin.stdout.readline()
        assert len(group.processes()) >= 3
        descriptors = [os.pidfd_open(pid) for pid in group.processes()]
        group.kill()
        plugin.wait(5)
    for descriptor in descriptors:
        assert select.select([descriptor], [], [], 5)[0], "one of them lives on"
        os.close(descriptor)
    assert sleeper.poll() is None, "who is in no plugin's group lives"
    group.remove()
    assert not Path(group.path).exists()
