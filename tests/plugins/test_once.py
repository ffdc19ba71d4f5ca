"""``hafw check --run``: every check once, in its real process, and the word of each."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from hafw.daemon.plugins import Limits
from hafw.daemon.plugins.once import run_checks

if TYPE_CHECKING:
    from pathlib import Path

ROUTERS = """
@hookimpl
def check(router): return Verdict(router.name == "VI_1", f"asked for {router.name}")
"""


def words(ran):
    return [(each.owner, each.check.settings.name, each.healthy, each.detail) for each in ran]


def test_a_check_that_depends_on_the_router_is_run_for_each_in_the_order_of_the_file(write, config, instance):
    instances = (instance("VI_2", interval=1.0), instance("VI_1", interval=1.0))
    assert words(run_checks(config(*instances, plugins=(write(ROUTERS),)))) == [
        ("VI_2", "web", False, "asked for VI_2"),
        ("VI_1", "web", True, "asked for VI_1"),
    ]


def test_reverse_turns_the_word_of_the_plugin_round(write, config, instance):
    ran = run_checks(config(instance(interval=1.0, reverse=True), plugins=(write(ROUTERS),)))
    assert words(ran) == [("VI_1", "web", False, "asked for VI_1")]


def test_a_check_that_hangs_has_failed_after_its_timeout_and_the_others_are_run_all_the_same(write, config, instance):
    source = """
    @hookimpl
    def check(router):
        if router.name == "VI_1": time.sleep(60)
        return Verdict(True, "here")
    """
    instances = (instance("VI_1", interval=1.0, timeout=0.2), instance("VI_2", interval=1.0))
    ran = run_checks(config(*instances, plugins=(write(source),)))
    assert words(ran) == [("VI_1", "web", False, "no answer within 0.2s (timeout)"), ("VI_2", "web", True, "here")]
    assert ran[0].duration == 0.2


def test_a_check_that_raises_or_whose_plugin_does_not_come_up_has_failed(write, config, instance):
    raising = write("@hookimpl\ndef check(): raise RuntimeError('no such thing')")
    (ran,) = run_checks(config(instance(interval=1.0), plugins=(raising,)))
    assert not ran.healthy
    assert "check raised RuntimeError: no such thing" in ran.detail
    (ran,) = run_checks(config(instance(interval=1.0), plugins=(write("raise SystemError('broken')"),)))
    assert (ran.healthy, ran.user) == (False, "")
    assert "plugin local: cannot be loaded: SystemError: broken" in ran.detail


def test_the_first_word_of_a_monitor_counts(write, config, instance):
    source = """
    @hookimpl
    def monitor(report):
        report(Verdict(False, "is down"))
        report(Verdict(True, "is up"))
        time.sleep(60)
    """
    ran = run_checks(config(instance(interval=1.0), plugins=(write(source),)), limits=Limits())
    assert words(ran) == [("VI_1", "web", False, "is down")]


def hafw(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hafw", "check", *words, "config.toml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a check as somebody else")
def test_the_command_shows_verdict_user_duration_and_output_and_exits_with_1(tmp_path: Path):
    text = """[instance.VI_1]
interface = "lo"
vrid = 51
virtual_addresses = ["192.0.2.250"]
[instance.VI_1.check.good]
weight = -20
[instance.VI_1.check.bad]
critical = true
[plugin.good]
plugin = "script"
command = ["/bin/sh", "-c", "id -un"]
[plugin.bad]
plugin = "script"
command = ["/bin/sh", "-c", "echo no route to host; exit 3"]
user = "daemon"
"""
    (tmp_path / "config.toml").write_text(text)
    (tmp_path / "config.toml").chmod(0o644)
    done = hafw(tmp_path, "--run")
    lines = [line.split(maxsplit=6) for line in done.stdout.splitlines()[1:]]
    assert lines[0][:4] == ["CHECK", "PLUGIN", "USER", "VERDICT"]
    assert lines[1][:5] == ["VI_1", "good", "good", "nobody", "ok"]
    assert done.stdout.splitlines()[2].endswith("weight -20   nobody")
    assert lines[2][:5] == ["VI_1", "bad", "bad", "daemon", "FAILED"]
    assert done.stdout.splitlines()[3].endswith("FAULT        exit 3: no route to host")
    assert done.stderr.endswith("1 of 2 checks failed\n")
    assert done.returncode == 1


def test_running_the_checks_of_another_machine_is_a_usage_error(tmp_path: Path):
    (tmp_path / "config.toml").write_text("")
    done = hafw(tmp_path, "--run", "--no-system")
    assert done.returncode == 2
    assert "--run executes the checks on this machine" in done.stderr
