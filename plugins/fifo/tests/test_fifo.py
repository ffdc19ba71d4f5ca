from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from hafw_fifo import Fifo, Options, unread

from hafw.api import Duration, Group, GroupChange, Router, StateChange

ROUTER = Router(name="VI_1", vrid=51, version=3, priority=150, interface="eth0")
FULL = b"x" * 4096
PATIENCE = 20.0


def change_to(state: str, priority: int = 150) -> StateChange:
    return StateChange(
        seq=1,
        time="2026-11-22T21:14:02.118Z",
        instance="VI_1",
        old="BACKUP",
        new=state,
        reason="test",
        priority=priority,
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "notify.fifo"


@pytest.fixture
def fifo(path):
    made = []

    def make(**options):
        plugin = Fifo()
        plugin.configure(Options(path=str(path), **options))
        made.append(plugin)
        return plugin

    yield make
    for plugin in made:
        if plugin._script is not None:
            plugin._script.kill()
            plugin._script.wait()
        if plugin._pipe is not None:
            os.close(plugin._pipe)


def lines(plugin) -> list[str]:
    return os.read(plugin._pipe, 65536).decode().splitlines()


def test_each_change_is_a_line_as_keepalived_writes_it(fifo):
    plugin = fifo()
    assert plugin.became_backup(ROUTER, change_to("BACKUP")) is None
    plugin.became_master(ROUTER, change_to("MASTER"))
    plugin.faulted(ROUTER, change_to("FAULT", 90))
    assert lines(plugin) == ['INSTANCE "VI_1" BACKUP 150', 'INSTANCE "VI_1" MASTER 150', 'INSTANCE "VI_1" FAULT 90']


def test_a_master_that_hears_a_lower_one_says_so_and_nothing_else_is_told(fifo):
    plugin = fifo()
    rival = {"type": "split_brain", "instance": "VI_1", "peer": "192.0.2.2", "peer_priority": 100}
    assert plugin.event(rival) is None, "of one that never was MASTER nothing is known"
    plugin.became_master(ROUTER, change_to("MASTER"))
    plugin.event(rival)
    plugin.event({"type": "split_brain", "instance": "VI_1", "mac": "02:00:00:00:00:01"})
    plugin.event({"type": "check_changed", "instance": "VI_1"})
    assert lines(plugin) == ['INSTANCE "VI_1" MASTER 150', 'INSTANCE "VI_1" MASTER_RX_LOWER_PRI 150']


def test_a_sync_group_has_lines_of_its_own_with_priority_0(fifo):
    plugin = fifo()
    group = Group(name="VG_1", members=("VI_1", "VI_2"))
    for state in ("INITIALIZE", "BACKUP", "MASTER", "STOP"):
        change = GroupChange(
            seq=1, time="", group="VG_1", members=group.members, old="BACKUP", new=state, reason="test"
        )
        assert plugin.group_changed(group, change) is None
    assert lines(plugin) == ['GROUP "VG_1" BACKUP 0', 'GROUP "VG_1" MASTER 0', 'GROUP "VG_1" STOP 0']


def test_the_pipe_is_made_with_its_mode_whatever_the_umask(fifo, path):
    before = os.umask(0o077)
    try:
        fifo(mode="0644").became_backup(ROUTER, change_to("BACKUP"))
    finally:
        os.umask(before)
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_configure_makes_nothing(fifo, path):
    fifo()
    assert not path.exists()


def test_lines_wait_for_a_reader_and_readers_come_and_go(fifo, path):
    plugin = fifo()
    plugin.became_backup(ROUTER, change_to("BACKUP"))
    for state in ("BACKUP", "MASTER"):
        with path.open() as reader:
            assert reader.readline() == f'INSTANCE "VI_1" {state} 150\n'
        plugin.became_master(ROUTER, change_to("MASTER"))


def test_a_pipe_that_somebody_removed_is_made_again(fifo, path):
    plugin = fifo()
    plugin.became_backup(ROUTER, change_to("BACKUP"))
    path.unlink()
    plugin.became_master(ROUTER, change_to("MASTER"))
    with path.open() as reader:
        assert reader.readline() == 'INSTANCE "VI_1" MASTER 150\n'


def fill(plugin):
    plugin.became_backup(ROUTER, change_to("BACKUP"))
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(plugin._pipe, FULL)


def test_what_nobody_reads_is_lost_after_its_time_and_that_is_told(fifo, path):
    plugin = fifo(timeout=Duration(0.05))
    fill(plugin)
    assert plugin.became_master(ROUTER, change_to("MASTER")) == {
        "output": f"{path}: is full: nobody reads it: this line is lost",
        "exit": 1,
    }
    assert plugin.became_master(ROUTER, change_to("MASTER"))["output"].endswith("2 lines are lost by now")


def test_a_line_waits_for_room(fifo):
    plugin = fifo(timeout=Duration(PATIENCE))
    fill(plugin)
    done = []
    writer = threading.Thread(target=lambda: done.append(plugin.became_master(ROUTER, change_to("MASTER"))))
    writer.start()
    left = unread(plugin._pipe)
    while left > 0:
        left -= len(os.read(plugin._pipe, min(left, 65536)))
    writer.join()
    assert done == [None]
    assert lines(plugin)[-1] == 'INSTANCE "VI_1" MASTER 150'


SCRIPT = """#!{python}
import sys
with open(sys.argv[-1]) as pipe, open({seen!r}, "a", buffering=1) as seen:
    seen.write("begins " + " ".join(sys.argv[1:-1]) + "\\n")
    for line in pipe:
        seen.write(line)
        if "FAULT" in line:
            break
"""


@pytest.fixture
def script(tmp_path_factory):
    """A reader, in a folder that root would trust."""
    with tempfile.TemporaryDirectory() as folder:
        seen, program = Path(folder) / "seen", Path(folder) / "reader"
        program.write_text(SCRIPT.format(python=sys.executable, seen=str(seen)))
        program.chmod(0o755)
        seen.touch()
        yield program, seen


def test_the_script_reads_and_is_started_again_when_it_ends(fifo, script, until):
    program, seen = script
    plugin = fifo(script=f"{program} of ours")
    plugin.became_backup(ROUTER, change_to("BACKUP"))
    until(lambda: "BACKUP" in seen.read_text())
    plugin.faulted(ROUTER, change_to("FAULT"))
    until(lambda: plugin._script.poll() is not None)
    plugin.became_master(ROUTER, change_to("MASTER"))
    until(lambda: "MASTER" in seen.read_text())
    assert seen.read_text().splitlines() == [
        "begins of ours",
        'INSTANCE "VI_1" BACKUP 150',
        'INSTANCE "VI_1" FAULT 150',
        "begins of ours",
        'INSTANCE "VI_1" MASTER 150',
    ]


def test_at_the_end_the_reader_gets_the_last_line_before_hafw_goes(fifo, script, until):
    program, seen = script
    plugin = fifo(script=str(program))
    plugin.became_backup(ROUTER, change_to("BACKUP"))
    until(lambda: "BACKUP" in seen.read_text())
    plugin.stopped(ROUTER, change_to("STOP"))
    assert unread(plugin._pipe) == 0
    until(lambda: seen.read_text().splitlines()[-1] == 'INSTANCE "VI_1" STOP 150')


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "notify.fifo"}, 'path: = "notify.fifo": must be an absolute path'),
        ({"path": "/nowhere/at/all"}, 'path: = "/nowhere/at/all": there is no folder /nowhere/at'),
        (
            {"path": "/etc/hostname"},
            'path: = "/etc/hostname": is there and no named pipe: remove it, or choose another path',
        ),
        (
            {"path": "/tmp/hafw-not-here", "group": "nobodys"},
            'group: = "nobodys": no such group on this machine',
        ),
    ],
)
def test_what_cannot_work_is_refused(options, message):
    with pytest.raises(ValueError, match=":") as caught:
        Fifo().configure(Options(**options))
    assert str(caught.value) == message


def test_a_link_to_a_pipe_is_not_followed(fifo, path, tmp_path):
    os.mkfifo(tmp_path / "elsewhere")
    plugin = fifo()
    path.symlink_to(tmp_path / "elsewhere")
    assert plugin.became_master(ROUTER, change_to("MASTER"))["output"] == (
        f"{path}: is there and no named pipe: remove it, or choose another path: this line is lost"
    )


@pytest.mark.long
def test_it_keeps_what_a_plugin_promises(hafw_plugin, tmp_path):
    plugin = hafw_plugin("fifo", options={"path": tmp_path / "notify.fifo"}, user=tmp_path.owner())
    plugin.assert_keeps_promises()
