"""What a plugin may take of the machine: each limit in a real process, and each shown as the kernel has it."""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from hafw.config.model import PluginLimits
from hafw.daemon.plugins import scratch
from hafw.daemon.plugins.introduce import nice_of
from hafw.daemon.plugins.processes import session_of
from hafw.daemon.plugins.visiting import examine

root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has capabilities to lose")
HARMLESS = "@hookimpl\ndef check(): return Verdict(True)\n"


def limited(plugin, **limits):
    return replace(plugin, limits=PluginLimits(**limits))


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where temporary folders are made, by us and by nobody else."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    folder.chmod(0o1777)
    for each in (tmp_path, *tmp_path.parents[:3]):
        each.chmod(0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


async def answer(stage):
    stage.deliver("MASTER")
    await stage.plugins.drain(5)
    (result,) = stage.status().results
    assert result.error == ""
    return json.loads(result.output)


def in_force(stage):
    (status,) = stage.plugins.snapshot(closely=True)
    return {each.limit: (each.configured, each.in_force, each.how) for each in status.limits}


async def test_every_limit_is_in_force_and_shown_as_the_kernel_has_it(write, play):
    plugin = limited(
        write(
            """
            import json, resource
            @hookimpl
            def became_master():
                limits = {n: resource.getrlimit(getattr(resource, "RLIMIT_" + n)) for n in ("DATA", "NOFILE", "NPROC")}
                return {"output": json.dumps({**limits, "nice": os.getpriority(os.PRIO_PROCESS, 0)})}
            """
        ),
        memory=64 << 20,
        files=100,
        processes=7,
        cpu_weight=50,
    )
    async with play(plugin) as stage:
        assert await answer(stage) == {
            "DATA": [64 << 20] * 2,
            "NOFILE": [100] * 2,
            "NPROC": [4096] * 2,
            "nice": 3,
        }
        shown = in_force(stage)
    assert list(shown) == [
        *("user", "capabilities", "no_new_privs", "memory", "files", "processes", "cpu_weight"),
        *("network", "tmp", "environment"),
    ]
    assert shown["memory"][:2] == ("64MiB", "64MiB")
    assert shown["files"] == ("100", "100", "RLIMIT_NOFILE, for each process")
    assert shown["processes"][:2] == ("7", "7")
    assert shown["cpu_weight"][:2] == ("50", "nice 3")
    assert "cgroup" in shown["cpu_weight"][2], "why it is not its weight"
    assert shown["network"] == ("true", "the daemon's", "")
    assert shown["no_new_privs"] == ("", "yes", "")


@root
async def test_user_and_capabilities_are_shown_as_they_are(write, play):
    async with play(limited(write(HARMLESS)), write(HARMLESS + "needs_privileges = True", "sudoer")) as stage:
        await stage.state("running")
        await stage.state("running", "sudoer")
        plain, sudoer = ({each.limit: each for each in one.limits} for one in stage.plugins.snapshot(closely=True))
    assert (plain["user"].in_force, plain["capabilities"].in_force) == ("nobody", "none")
    assert sudoer["no_new_privs"].in_force == ""
    assert sudoer["no_new_privs"].how == "the plugin declares needs_privileges"
    assert sudoer["capabilities"].how == "its children may gain what setuid programs have"


@pytest.mark.parametrize(("weight", "nice"), [(100, 0), (80, 1), (50, 3), (10, 10), (1, 19)])
def test_a_weight_is_a_nice_value_of_as_large_a_share(weight, nice):
    assert nice_of(weight) == nice


async def test_a_fork_bomb_is_ended_with_all_of_its_processes_by_name(write, play, tmp_path):
    plugin = write(
        f"""
        @hookimpl
        def became_master():
            for number in range(30):
                if os.fork() == 0:
                    open("{tmp_path}/pids", "a").write(f"{{os.getpid()}}\\n")
                    time.sleep(1000)
            time.sleep(1000)
        """
    )
    async with play(limited(plugin, processes=10)) as stage:
        await stage.state("running")
        stage.deliver("MASTER")
        await stage.until(stage.failures)
        assert stage.failures()[0] == "has more processes than it may: at most 10 (plugin.local.limits.processes)"
        born = [int(each) for each in (tmp_path / "pids").read_text().split()]
        assert len(born) >= 10
        await trio.to_thread.run_sync(wait_until_gone, born)


def wait_until_gone(pids):
    deadline = time.monotonic() + 5
    while left := [pid for pid in pids if is_alive(pid)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.01)


def names(folder):
    return sorted(each.name for each in Path(folder).iterdir())


def is_alive(pid):
    return session_of(pid)[0] not in {"", "Z", "X"}


BOMB = """
import os, sys, time, trio
from hafw.config.model import Config, PluginConfig, PluginLimits
from hafw.daemon.plugins import Plugins

async def main():
    local = PluginConfig(name="local", file=sys.argv[1], limits=PluginLimits(processes=10))
    config = Config(path="", node_name="", instances={}, plugins={"local": local})
    said = trio.Event()
    def notice(kind, fields):
        print(fields["detail"], flush=True)
        said.set()
    plugins = Plugins(config, verdict=lambda verdict: None, notice=notice, adopts=True)
    async with trio.open_nursery() as nursery:
        await nursery.start(plugins.run)
        await said.wait()
        print(sys.stdin.readline(), end="")
        nursery.cancel_scope.cancel()

trio.run(main)
"""


@pytest.mark.long
def test_processes_that_have_left_session_and_parents_are_counted_and_ended_too(write, tmp_path):
    plugin = write(
        f"""
        @hookimpl
        def configure():
            for number in range(30):
                if os.fork() == 0:
                    os.setsid()
                    if os.fork() == 0:
                        open("{tmp_path}/pids", "a").write(f"{{os.getpid()}}\\n")
                        time.sleep(1000)
                    os._exit(0)
                os.wait()
            time.sleep(1000)
        """
    )
    daemon = subprocess.Popen(
        [sys.executable, "-c", BOMB, plugin.file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with daemon:
        said = daemon.stdout.readline()
        born = [int(each) for each in (tmp_path / "pids").read_text().split()]
        living = [pid for pid in born if is_alive(pid)]
        daemon.communicate("\n", timeout=10)
    assert said == "has more processes than it may: at most 10 (plugin.local.limits.processes)\n"
    assert len(born) >= 10
    assert [pid for pid in living if is_alive(pid)] == []


async def test_memory_that_no_limit_of_the_kernel_counts_is_seen(write, play):
    plugin = write(
        """
        import mmap
        @hookimpl
        def became_master():
            hoard = mmap.mmap(-1, 80 << 20)  # shared with its children, if it had any
            for page in range(0, 80 << 20, 4096): hoard[page] = 1
            time.sleep(1000)
        """
    )
    async with play(limited(plugin, memory=64 << 20)) as stage:
        await stage.state("running")
        stage.deliver("MASTER")
        with trio.fail_after(8):
            while not stage.failures():
                await stage.plugins._quarters.census.look()
                await trio.sleep(0.01)
    assert stage.failures()[0].startswith("a process of it holds ")
    assert stage.failures()[0].endswith(": at most 64MiB (plugin.local.limits.memory)")


@root
async def test_a_plugin_without_network_has_none_and_one_beside_it_has(write, play):
    source = """
        import json, socket
        @hookimpl
        def became_master(): return {"output": json.dumps([name for _, name in socket.if_nameindex()])}
        """
    async with play(limited(write(source), network=False)) as stage:
        assert await answer(stage) == ["lo"]
        assert in_force(stage)["network"] == ("false", "none", "a namespace of its own")


@root
@pytest.mark.long
def test_a_network_that_cannot_be_denied_is_a_mistake_of_that_key(write, config, tmp_path):
    plugin = write(HARMLESS)
    tmp_path.chmod(0o755)
    script = (
        "import sys, ctypes\n"
        "from hafw.config.model import *\nfrom hafw.daemon.plugins.visiting import examine\n"
        "plugin = PluginConfig(name='local', file=sys.argv[1], limits=PluginLimits(network=False))\n"
        "config = Config(path='', node_name='', instances={}, plugins={'local': plugin})\n"
        "print(*(f'{each.path} {each.message}' for each in examine(config).problems if each.severity == 'error'))\n"
    )
    # Without CAP_SYS_ADMIN even root has to keep it.
    done = subprocess.run(
        ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-all", sys.executable, "-c", script, plugin.file],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == (
        "plugin.local.limits.network = false: operation not permitted: it takes CAP_SYS_ADMIN, "
        "or user namespaces for everybody (systemd: RestrictNamespaces=no)\n"
    )


LOOK_AT_TMP = """
import json, tempfile
@hookimpl
def became_master():
    found = os.stat(os.environ["TMPDIR"])
    open(os.environ["TMPDIR"] + "/kept", "w").close()
    name = tempfile.NamedTemporaryFile().name
    return {"output": json.dumps([os.environ["TMPDIR"], oct(found.st_mode), found.st_uid, name])}
"""


@pytest.mark.parametrize("user", ["", pytest.param("nobody", marks=root)])
async def test_temporary_files_are_in_a_folder_of_its_own_that_goes_with_the_process(write, play, temporary, user):
    async with play(write(LOOK_AT_TMP, user=user)) as stage:
        folder, mode, owner, file = await answer(stage)
        assert Path(folder).parent == temporary
        assert Path(folder).name.startswith("hafw-tmp-local-")
        assert (mode, Path(file).parent) == ("0o40700", Path(folder))
        assert owner == (pwd.getpwnam(user).pw_uid if user else os.geteuid())
        assert in_force(stage)["tmp"][1] == folder
        assert scratch.sweep() == [], "of somebody who lives"
        assert names(folder) == ["kept"]
        os.kill(stage.status().pid, signal.SIGKILL)
        await stage.until(stage.failures)
        await stage.state("running")
        assert Path(folder).name not in names(temporary)
    assert names(temporary) == []


def test_what_a_dead_daemon_has_left_is_swept_and_nothing_else(temporary):
    dead, alive, other = (temporary / name for name in ("hafw-tmp-a-0x7yabcd", "hafw-tmp-b-_1234567", "else"))
    for folder in (dead, alive, other):
        folder.mkdir(mode=0o700)
    (dead / "deep").mkdir()
    (dead / "deep" / "file").write_text("x")
    (temporary / "hafw-tmp-link-abcdefgh").symlink_to(other)
    with Held(alive):
        assert scratch.sweep() == [str(dead)]
    assert names(temporary) == ["else", "hafw-tmp-b-_1234567", "hafw-tmp-link-abcdefgh"]
    assert scratch.sweep() == [str(alive)]


@pytest.mark.parametrize(
    "name", ["hafw-plugin-desktop-notify", "hafw-plugin-desktop-notified", "hafw-tmp-desktop-notify", "hafw-tmp-mine"]
)
def test_the_package_of_an_author_in_the_temporary_folder_is_not_taken_for_a_leftover(temporary, name):
    """`hafw plugins new` in /tmp makes hafw-plugin-NAME, and nobody holds a lock on it."""
    (temporary / name).mkdir(mode=0o755)
    (temporary / name / "pyproject.toml").write_text("a day's work")
    assert scratch.sweep() == []
    assert names(temporary / name) == ["pyproject.toml"]


def test_of_daemons_side_by_side_none_sweeps_what_another_one_uses(temporary):
    """A lock is not of a process id: it is free when its holder is gone, and then at once."""
    begin = "import sys; from hafw.daemon.plugins.scratch import Scratch; mine = Scratch('a'); "
    wait = "print(mine.path, flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", begin + wait],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    ) as other:
        folder = other.stdout.readline().strip()
        assert Path(folder).parent == temporary
        assert scratch.sweep() == []
        other.kill()
        other.wait()
        assert scratch.sweep() == [folder]


class Held:
    """A folder that somebody holds the lock of."""

    def __init__(self, folder):
        self._folder = folder

    def __enter__(self):
        self._lock = os.open(self._folder, os.O_RDONLY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def __exit__(self, *_):
        os.close(self._lock)


async def test_a_machine_without_a_writable_temporary_folder_has_plugins_all_the_same(write, play, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    async with play(write(HARMLESS)) as stage:
        await stage.state("running")
        assert in_force(stage)["tmp"] == ("", "", "/nowhere: no such file or directory")


async def test_a_secret_of_the_daemon_is_in_no_plugin_s_environment_as_the_kernel_has_it(write, play, monkeypatch):
    for name in ("AWS_SECRET_ACCESS_KEY", "HAFW_SMTP_PASSWORD", "HAFW_API_TOKEN"):
        monkeypatch.setenv(name, "sesame")
    monkeypatch.setenv("HAFW_LOG", "json")
    async with play(write(HARMLESS)) as stage:
        await stage.state("running")
        environment = await trio.Path(f"/proc/{stage.status().pid}/environ").read_bytes()
        shown = in_force(stage)["environment"][1].split(", ")
    assert b"sesame" not in environment
    assert b"HAFW_LOG=json" in environment
    assert {"HAFW_LOG", "HAFW_PLUGIN", "PATH", "TMPDIR"} <= set(shown)
    assert "HAFW_API_TOKEN" not in shown


async def test_habits_that_are_no_failure_are_named_once(write, play, capsys):
    plugin = write(
        """
        import signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP, signal.SIGINT})
        os.chdir("/usr")
        @hookimpl
        def check(): return Verdict(True)
        """
    )
    async with play(plugin) as stage:
        await stage.state("running")
        for _ in range(2):
            await stage.plugins._quarters.census.look()
        status = stage.status()
    assert status.remarks == (
        "ignores SIGTERM: hafw ends it by SIGKILL all the same",
        "blocks SIGHUP, SIGINT: so do the programs that it starts",
        "has left / for /usr: that file system stays busy",
    )
    assert (status.processes, status.failures) == (1, 0)
    assert 10 << 20 < status.memory <= status.memory_peak < 200 << 20
    assert capsys.readouterr().out.count("plugin_remark") == 3


async def test_every_hook_is_counted_and_timed_by_the_daemon(write, play, instance):
    plugin = write(
        """
        @hookimpl
        def check(): return Verdict(True)
        @hookimpl
        def became_master(): raise RuntimeError("no")
        """
    )
    async with play(plugin, instances=(instance(interval=0.02),)) as stage:
        stage.deliver("MASTER")
        await stage.plugins.drain(5)
        await stage.until(lambda: len(stage.verdicts) > 3)
        (status,) = stage.plugins.snapshot(closely=True)
        assert stage.plugins.snapshot()[0].figures == ()
    figures = {each.hook: each for each in status.figures}
    assert (figures["became_master"].calls, figures["became_master"].failures) == (1, 1)
    check = figures["check"]
    assert (check.failures, check.answers >= 3) == (0, True)
    assert 0 < check.last <= check.most
    assert 0 < check.mean <= check.most


def test_examine_confines_as_the_daemon_does(write, config, temporary):
    plugin = write(
        """
        import resource
        @hookimpl
        def configure(): raise ValueError(f"{resource.getrlimit(resource.RLIMIT_NOFILE)[0]} {os.environ['TMPDIR']}")
        """
    )
    (problem,) = examine(config(plugins=(limited(plugin, files=99),))).problems
    assert problem.message.startswith(f"99 {temporary}/hafw-tmp-local-")
    assert names(temporary) == []
