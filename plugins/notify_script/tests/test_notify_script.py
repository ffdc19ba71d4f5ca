from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hafw_notify_script import InstanceScripts, NotifyScript, Options, Scripts

from hafw.api import Duration, Group, GroupChange, Router, StateChange

ROUTER = Router(name="VI_1", vrid=51, version=3, priority=150, interface="eth0", group="VG_1")
ROUTERS = (ROUTER, Router(name="VI_2", vrid=52, version=3, priority=150, interface="eth1", group="VG_1"))
GROUP = Group(name="VG_1", members=("VI_1", "VI_2"))
PATIENCE = 10.0


def change(old: str = "BACKUP", new: str = "MASTER", **more: object) -> StateChange:
    values = {"seq": 7, "time": "2026-11-22T21:14:02.118Z", "instance": "VI_1", "reason": "no-response", "priority": 90}
    return StateChange(**(values | {"old": old, "new": new} | more))


@pytest.fixture
def folder():
    """Not tmp_path: its parents belong to whoever ran the tests first."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture
def script(folder):
    """Write an executable script; gives its path."""

    def write(name: str, body: str) -> str:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return str(path)

    return write


def configured(**options: object) -> NotifyScript:
    plugin = NotifyScript()
    plugin.configure(Options(**options), ROUTERS)
    return plugin


CALLS = [
    ("became_master", "BACKUP", "MASTER"),
    ("became_backup", "MASTER", "BACKUP"),
    ("faulted", "MASTER", "FAULT"),
    ("stopped", "MASTER", "STOP"),
]


@pytest.mark.parametrize(("hook", "old", "state"), CALLS)
def test_the_script_of_the_state_runs_first_without_arguments_then_notify_with_keepalived_s(script, hook, old, state):
    plugin = configured(
        **{f"notify_{word}": script(f"to_{word}.sh", 'echo "$# $0"') for word in ("master", "backup", "fault", "stop")},
        notify=script("notify.sh", 'echo "$@"') + " mine",
    )
    outcome = getattr(plugin, hook)(ROUTER, change(old, state))
    own = f"{Path(plugin._options.notify.split()[0]).parent}/to_{state.lower()}.sh"
    notify = plugin._options.notify.split()[0]
    said = f"{own}: 0 {own}\n{notify}: mine INSTANCE VI_1 {state} 90"
    assert outcome == {"output": said, "exit": 0, "command": ""}


def of_group(new: str) -> GroupChange:
    return GroupChange(
        seq=9,
        time="2026-11-22T21:14:02.118Z",
        group="VG_1",
        members=GROUP.members,
        old="BACKUP",
        new=new,
        reason="no-response",
        instance="VI_2",
    )


@pytest.mark.parametrize("state", ["MASTER", "BACKUP", "FAULT", "STOP"])
def test_a_group_has_scripts_of_its_own_with_keepalived_s_arguments_and_priority_0(script, state):
    own, notify = script("own.sh", 'echo "$#"'), script("notify.sh", 'echo "$@ $HAFW_GROUP $HAFW_INSTANCE"')
    scripts = Scripts(notify=f"{notify} mine", **{f"notify_{state.lower()}": own})
    plugin = configured(notify=script("general.sh", "echo never"), group={"VG_1": scripts})
    outcome = plugin.group_changed(GROUP, of_group(state))
    assert outcome == {"output": f"{own}: 0\n{notify}: mine GROUP VG_1 {state} 0 VG_1 VI_2", "exit": 0, "command": ""}


def test_a_group_without_a_table_has_no_scripts(script):
    assert configured(notify=script("general.sh", "echo never")).group_changed(GROUP, of_group("MASTER")) is None


def test_what_the_table_of_an_instance_has_replaces_the_general_command_for_it_alone(script):
    general, own = script("general.sh", "echo general"), script("own.sh", "echo own")
    plugin = configured(notify=general, notify_master=general, instance={"VI_1": InstanceScripts(notify_master=own)})
    assert plugin.became_master(ROUTERS[0], change())["output"] == f"{own}: own\n{general}: general"
    assert plugin.became_master(ROUTERS[1], change())["output"] == f"{general}: general\n{general}: general"


def test_a_table_of_nobody_and_a_bad_command_in_one_are_refused():
    scripts = {"VI_1": InstanceScripts(notify="/nonexistent/n.sh"), "VI_9": InstanceScripts()}
    assert refusal(instance=scripts, group={"VG_2": Scripts(notify_stop="/nonexistent/n.sh")}) == [
        "instance.VI_1.notify: /nonexistent/n.sh does not exist: correct the path, or put it there",
        "group.VG_2.notify_stop: /nonexistent/n.sh does not exist: correct the path, or put it there",
        "instance.VI_9: no such instance: there is VI_1, VI_2",
        "group.VG_2: no such group: there is VG_1",
    ]


def test_an_instance_that_a_reload_removed_is_told_as_deleted_where_a_script_asks_for_it(script):
    own, notify = script("deleted.sh", 'echo "$#"'), script("notify.sh", 'echo "$@"')
    plugin = configured(notify=notify, notify_deleted=own, notify_fault=script("fault.sh", "echo never"))
    said = plugin.stopped(ROUTER, change("MASTER", "DELETED"))["output"]
    assert said == f"{own}: 0\n{notify}: INSTANCE VI_1 DELETED 90"


def test_and_as_fault_where_none_does_as_in_keepalived(script):
    fault, notify = script("fault.sh", 'echo "$#"'), script("notify.sh", 'echo "$@"')
    plugin = configured(notify=notify, notify_fault=fault)
    said = plugin.stopped(ROUTER, change("MASTER", "DELETED"))["output"]
    assert said == f"{fault}: 0\n{notify}: INSTANCE VI_1 FAULT 90"


def test_a_master_that_hears_a_lower_one_runs_its_script_without_arguments(script):
    own = script("lower.sh", 'echo "$# $HAFW_INSTANCE $HAFW_PEER"')
    plugin = configured(instance={"VI_2": InstanceScripts(notify_master_rx_lower_pri=own)})
    rival = {"type": "split_brain", "instance": "VI_2", "peer": "192.0.2.2", "peer_priority": 50}
    assert plugin.event(rival) == {"output": f"{own}: 0 VI_2 192.0.2.2", "exit": 0, "command": ""}
    assert plugin.event({**rival, "instance": "VI_1"}) is None
    assert plugin.event({**rival, "type": "split_brain_over"}) is None
    assert plugin.event({"type": "split_brain", "instance": "VI_2", "mac": "02:00:00:00:00:09"}) is None


def test_a_command_is_split_by_blanks_and_quotes_and_never_by_a_shell(script):
    path = script("show.sh", 'printf "<%s>" "$@"')
    outcome = configured(notify_master=f"{path} a 'b  c' \"d|e\" $HOME").became_master(ROUTER, change())
    assert outcome["output"] == f"{path}: <a><b  c><d|e><$HOME>"


def test_a_command_may_be_a_list(script):
    path = script("show.sh", 'printf "<%s>" "$@"')
    assert configured(notify_master=[path, "a b", ""]).became_master(ROUTER, change())["output"] == f"{path}: <a b><>"


def test_a_bare_name_is_sought_on_path():
    assert configured(notify_master="echo hello").became_master(ROUTER, change()) == {
        "output": f"{next(p for p in ('/usr/bin/echo', '/bin/echo') if Path(p).exists())}: hello",
        "exit": 0,
        "command": "",
    }


def test_the_environment_tells_what_the_arguments_do_not(script, monkeypatch):
    monkeypatch.setenv("LD_PRELOAD", "")
    monkeypatch.delenv("HAFW_TESTED_BY", raising=False)  # of a plugin that was tested in this process before
    path = script("env.sh", "env | grep -e ^HAFW_ -e ^LD_PRELOAD | sort")
    told = change(peer="192.0.2.2", run="4f1c", attempt=2, missed=3, replayed=True)
    outcome = configured(notify_master=path).became_master(ROUTER, told)
    assert outcome["output"].removeprefix(f"{path}: ").splitlines() == [
        "HAFW_ATTEMPT=2",
        "HAFW_INSTANCE=VI_1",
        "HAFW_MISSED=3",
        "HAFW_OLD_STATE=BACKUP",
        "HAFW_PEER=192.0.2.2",
        "HAFW_PRIORITY=90",
        "HAFW_REASON=no-response",
        "HAFW_REPLAYED=1",
        "HAFW_RUN=4f1c",
        "HAFW_SEQ=7",
        "HAFW_STATE=MASTER",
    ]


def test_standard_input_is_empty_and_the_folder_is_the_root(script):
    path = script("where.sh", "cat; pwd")
    assert configured(notify_master=path).became_master(ROUTER, change())["output"] == f"{path}: /"


def test_nothing_configured_for_a_state_is_nothing_done():
    plugin = configured(notify_master="true")
    assert plugin.became_backup(ROUTER, change("MASTER", "BACKUP")) is None


def test_notify_runs_although_the_script_before_it_failed_and_the_failure_is_kept(script):
    bad, notify = script("bad.sh", "echo out; echo err >&2; exit 3"), script("notify.sh", "echo ran")
    outcome = configured(notify_master=bad, notify=notify).became_master(ROUTER, change())
    assert outcome == {"output": f"{bad}: out\nerr\n{notify}: ran", "exit": 3, "command": bad}


def test_a_script_without_output_is_told_by_its_exit_status(script):
    path = script("quiet.sh", "exit 4")
    assert configured(notify_fault=path).faulted(ROUTER, change()) == {
        "output": f"{path}: exit 4",
        "exit": 4,
        "command": path,
    }


def test_a_script_killed_by_a_signal_exits_as_the_shell_counts(script):
    path = script("dies.sh", "kill -9 $$")
    outcome = configured(notify_fault=path).faulted(ROUTER, change())
    assert outcome == {"output": f"{path}: killed by SIGKILL", "exit": 137, "command": path}


def test_the_last_four_kibibytes_of_the_output_are_kept(script):
    path = script("long.sh", "head -c 3000000 /dev/zero | tr '\\0' x; echo the end")
    output = configured(notify_fault=path).faulted(ROUTER, change())["output"].removeprefix(f"{path}: ")
    assert len(output) == 4095
    assert output.endswith("xxthe end")


def test_a_script_that_takes_too_long_is_ended_with_all_that_it_started(script):
    path = script("slow.sh", "sleep 1000 & echo $!; wait")
    began = time.monotonic()
    outcome = configured(notify_fault=path, timeout=Duration(0.2)).faulted(ROUTER, change())
    assert 0.2 <= time.monotonic() - began < 1.5, "SIGTERM is enough for this one"
    child = int(outcome["output"].split()[1])
    assert outcome == {"output": f"{path}: {child}\nkilled after 0.2s", "exit": 124, "command": path}
    assert is_gone(child)


def test_a_script_that_ignores_sigterm_is_killed(script, monkeypatch):
    monkeypatch.setattr("hafw_notify_script.MERCY", 0.1)
    path = script("stubborn.sh", "trap '' TERM; while :; do sleep 1000; done")
    outcome = configured(notify_fault=path, timeout=Duration(0.2)).faulted(ROUTER, change())
    assert outcome == {"output": f"{path}: killed after 0.2s", "exit": 124, "command": path}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_script_that_cannot_be_killed_is_given_up(script, monkeypatch):
    """As when it has become another user: a test may not make such a process, so nobody is signalled here."""
    monkeypatch.setattr("hafw_notify_script.MERCY", 0.05)
    monkeypatch.setattr("hafw.command.signal_group", lambda _process, _number: None)
    path = script("unreachable.sh", "echo $$; exec sleep 1000")
    outcome = configured(notify_fault=path, timeout=Duration(0.2)).faulted(ROUTER, change())
    pid = int(outcome["output"].split()[1])
    assert outcome == {
        "output": f"{path}: {pid}\nstill runs after 0.2s and cannot be killed",
        "exit": 124,
        "command": path,
    }
    os.kill(pid, signal.SIGKILL)
    assert is_gone(pid)


def test_a_daemon_that_a_script_starts_is_not_waited_for(script):
    path = script("starts.sh", "sleep 1000 & echo $!")
    began = time.monotonic()
    outcome = configured(notify_master=path).became_master(ROUTER, change())
    assert time.monotonic() - began < 2
    daemon = int(outcome["output"].split()[1])
    assert not is_gone(daemon, patience=0)
    os.kill(daemon, signal.SIGKILL)


def test_a_script_ends_with_the_plugin_process_so_that_a_second_delivery_finds_none_running(script, folder, until):
    path = script("slow.sh", f"echo $$ > {folder}/pid.new; mv {folder}/pid.new {folder}/pid; exec sleep 1000")
    code = (
        "from hafw.command import run; import os; "
        f"run([{path!r}], dict(os.environ), 1000)"
    )  # fmt: skip
    plugin_process = subprocess.Popen([sys.executable, "-c", code])
    pid_file = folder / "pid"
    until(pid_file.exists, patience=PATIENCE)
    plugin_process.kill()
    plugin_process.wait()
    assert is_gone(int(pid_file.read_text()))


def is_gone(pid: int, patience: float = PATIENCE) -> bool:
    """Whether a process ends, or has ended: its pidfd tells, a zombie counts as ended."""
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return True
    try:
        return bool(select.select([pidfd], [], [], patience)[0])
    finally:
        os.close(pidfd)


def test_the_deadline_leaves_time_for_both_scripts_to_be_killed():
    assert configured(notify="true", timeout=Duration(3)).deadline == 2 * (3 + 2 + 2) + 1


def refusal(**options: object) -> list[str]:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the caller compares the whole text
        configured(**options)
    return str(caught.value).splitlines()


def test_a_script_that_cannot_run_is_refused_and_every_mistake_told_at_once(folder):
    plain = folder / "plain.sh"
    plain.write_text("#!/bin/sh\n")
    assert refusal(notify="/nonexistent/n.sh", notify_master=str(plain), notify_stop="no-such-command-at-all x") == [
        "notify: /nonexistent/n.sh does not exist: correct the path, or put it there",
        f"notify_master: {plain} is not executable: chmod +x {plain}",
        "notify_stop: no-such-command-at-all is not on PATH: install it, or write its absolute path",
    ]


def test_a_table_that_names_no_script_is_a_warning():
    with pytest.warns(UserWarning, match="does nothing: notify, notify_master, .* are all empty"):
        configured(timeout=Duration(3))


def test_a_script_that_others_could_change_is_refused(script):
    path = script("open.sh", "true")
    Path(path).chmod(0o757)
    (line,) = refusal(notify=path)
    assert line.startswith(f"notify: {path}")
    assert f"{path} is writable by everybody (mode 0757): chmod o-w {path}" in line


@pytest.mark.parametrize(("content", "said"), [
    (b"echo hello\n", "{0} is neither a program nor begins with #!: begin it with #!/bin/sh"),
    (b"", "{0} is neither a program nor begins with #!: begin it with #!/bin/sh"),
    (b"#!/bin/sh\r\necho\r\n", "{0} has line ends of Windows, which become part of #!/bin/sh: dos2unix {0}"),
    (b"#! /nowhere/python3 -u\n",
     "{0} begins with #!/nowhere/python3, which does not exist or may not be executed: correct its first line"),
])  # fmt: skip
def test_a_file_that_the_kernel_would_not_start_is_refused(folder, content, said):
    path = folder / "odd"
    path.write_bytes(content)
    path.chmod(0o755)
    assert refusal(notify=str(path)) == [f"notify: {said.format(path)}"]


@pytest.mark.parametrize(("command", "said"), [
    ("/bin/echo 'a", "= \"/bin/echo 'a\": cannot be split into arguments: no closing quotation"),
    ("/bin/echo a | grep b", '| would be an argument, there is no shell: ["/bin/sh", "-c", "..."] runs one'),
    ("   ", "names no command: begin it with the path of a program"),
    (["", "a"], "names no command: begin it with the path of a program"),
    ("bin/echo a", "bin/echo must be an absolute path"),
])  # fmt: skip
def test_a_command_that_makes_no_sense_is_refused(command, said):
    assert refusal(notify_backup=command) == [f"notify_backup: {said}"]


def test_a_script_that_vanished_after_configure_is_an_outcome_and_no_exception(script):
    path = script("there.sh", "true")
    plugin = configured(notify_master=path)
    Path(path).unlink()
    assert plugin.became_master(ROUTER, change()) == {
        "output": f"{path}: cannot start: no such file or directory",
        "exit": 127,
        "command": path,
    }
