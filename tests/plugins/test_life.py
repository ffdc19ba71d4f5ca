"""Processes that misbehave: each offence is named, ends the process and its children, and does not end the plugin."""

from __future__ import annotations

import dataclasses
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from hafw.config.model import PluginLimits
from hafw.daemon.plugins import PlanRefused
from hafw.daemon.plugins.visiting import examine

HOOKS = ("became_master", "became_backup", "faulted", "stopped")


async def test_a_good_plugin_runs_and_says_what_it_is(write, play):
    plugin = write(
        """
        __version__ = "1.2"
        @hookimpl
        def became_master(router, change): return {"output": f"{router.name} {change.new}", "exit": 3}
        """
    )
    async with play(plugin) as stage:
        await stage.state("running")
        stage.deliver("MASTER")
        await stage.plugins.drain(5)
        status = stage.status()
        assert (status.state, status.package, status.version) == ("running", plugin.file, "1.2")
        assert (status.hooks, status.failures, status.queued) == (("became_master",), 1, 0)
        (result,) = status.results
        assert (result.hook, result.instance, result.seq, result.output, result.exit) == (
            "became_master",
            "VI_1",
            1,
            "VI_1 MASTER",
            3,
        )
        os.kill(status.pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(status.pid, 0)


@pytest.mark.parametrize(
    ("misdeed", "why"),
    [
        ("os._exit(7)", "exited with 7"),
        ("import signal; signal.raise_signal(11)", "was killed by SIGSEGV"),
        ("print('the disk is full', flush=True); os._exit(1)", "exited with 1: the disk is full"),
        ("os.write(CHANNEL, b'garbage\\n')", "sent what is no answer: b'garbage'"),
        ("os.write(CHANNEL, b'[' * 9000 + b'\\n')", "sent what is no answer: b'[[["),
        ("os.write(CHANNEL, b'\\xff\\n')", "sent what is no answer: b'\\xff'"),
        ("""os.write(CHANNEL, b'{"id": 99}\\n')""", "answered call 99, which nobody made"),
        ("os.write(CHANNEL, b'x' * 70000)", "sent a line of more than 65536 octets"),
        (
            "import socket; s = socket.socket(fileno=CHANNEL); s.shutdown(1); threading.Event().wait()",
            "closed its pipe",
        ),
    ],
)
async def test_an_offence_is_named_and_ends_the_process(write, play, misdeed, why):
    plugin = write(
        f"""
        import sys, threading
        CHANNEL = int(sys.argv[1])
        @hookimpl
        def became_master(): {misdeed}
        """
    )
    async with play(plugin) as stage:
        stage.deliver("MASTER")
        await stage.until(stage.failures)
        assert stage.failures()[0].startswith(why)


async def test_an_event_that_kills_every_process_is_given_up_and_the_next_one_is_delivered(write, play):
    plugin = write(
        """
        @hookimpl
        def became_master(): os._exit(7)
        @hookimpl
        def became_backup(): return {"output": "alive", "exit": 0}
        """
    )
    async with play(plugin) as stage:
        stage.deliver("MASTER")
        stage.deliver("BACKUP", 2)
        await stage.plugins.drain(15)
        first, second = stage.status().results
        assert first.error == "given up after 3 attempts: exited with 7"
        assert second.output == "alive"
        given_up = "1 event (seq 1) given up: each of 3 processes that had it died"
        assert sorted(stage.failures()) == [given_up, *["exited with 7"] * 3]
        assert ("plugin_restarted", {"plugin": "local", "restarts": 3}) in stage.notices


async def test_a_call_that_hangs_costs_the_process_and_all_that_it_started(write, play):
    plugin = write(
        """
        import subprocess, threading
        deadline = 0.3
        @hookimpl
        def became_master():
            child = subprocess.Popen(["sleep", "1000"])
            print("started", child.pid, flush=True)
            threading.Event().wait()
        """
    )
    async with play(plugin) as stage:
        await stage.state("running")
        child = stage.plugins._hosts["local"]._child
        stage.deliver("MASTER")
        await stage.until(stage.failures)
        assert stage.failures()[0] == "became_master took longer than 0.3s"
        started = int(child._printed.last.split()[1])
        await wait_until_gone(started)
        await wait_until_gone(child.pid)


async def wait_until_gone(pid: int) -> None:
    """Its end, not that somebody has collected its status."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        with trio.fail_after(5):
            await trio.lowlevel.wait_readable(descriptor)
    finally:
        os.close(descriptor)


async def test_a_spinning_regular_expression_is_ended_by_its_deadline(write, play):
    plugin = write(
        """
        import re
        deadline = 0.2
        @hookimpl
        def became_master(): re.match("(a*)*b", "a" * 60)
        """
    )
    async with play(plugin) as stage:
        stage.deliver("MASTER")
        await stage.until(lambda: stage.failures().count("became_master took longer than 0.2s") == 3)


async def test_allocating_without_end_is_a_memory_error_of_the_plugin(write, play):
    plugin = write(
        """
        @hookimpl
        def became_master():
            hoard = []
            while True: hoard.append(bytearray(1 << 20))
        """
    )
    async with play(dataclasses.replace(plugin, limits=PluginLimits(memory=128 << 20))) as stage:
        stage.deliver("MASTER")
        await stage.plugins.drain(5)
        (result,) = stage.status().results
        assert result.error.startswith("became_master raised MemoryError")


async def test_megabytes_on_stdout_are_bounded_and_never_stop_the_others(write, play):
    plugin = write(
        """
        deadline = 0.3
        @hookimpl
        def became_master():
            while True: print("x" * 200)
        @hookimpl
        def became_backup(): return {"output": "alive", "exit": 0}
        """
    )
    async with play(plugin) as stage:
        stage.deliver("MASTER")
        stage.deliver("BACKUP", 2)
        await stage.until(lambda: len(stage.failures()) == 3)
        await stage.plugins.drain(5)
        assert [result.output for result in stage.status().results] == ["", "alive"]


async def test_what_a_plugin_prints_is_logged_with_its_name(write, play, capsys):
    plugin = write(
        """
        @hookimpl
        def became_master(): print("to stdout"); os.write(2, b"to stderr\\n")
        """
    )
    async with play(plugin) as stage:
        stage.deliver("MASTER")
        await stage.plugins.drain(5)
        child = stage.plugins._hosts["local"]._child
        os.kill(child.pid, signal.SIGTERM)
        await stage.until(stage.failures)
    said = capsys.readouterr().out
    assert "plugin=local" in said
    assert "to stdout" in said
    assert "to stderr" in said


async def test_a_slow_import_keeps_events_and_no_deadline(write, play):
    plugin = write(
        """
        import pathlib, select
        select.select([os.open(pathlib.Path(__file__).with_name("gate"), os.O_RDONLY)], [], [])
        @hookimpl
        def became_master(change): return {"output": str(change.seq), "exit": 0}
        """
    )
    gate = str(Path(plugin.file).with_name("gate"))
    os.mkfifo(gate)
    async with play(plugin) as stage:
        stage.deliver("MASTER", 1)
        stage.deliver("MASTER", 2)
        assert (stage.status().state, stage.status().queued) == ("starting", 2)
        descriptor = await trio.to_thread.run_sync(lambda: os.open(gate, os.O_WRONLY))
        os.write(descriptor, b"go")
        await stage.plugins.drain(5)
        os.close(descriptor)
        assert [result.output for result in stage.status().results] == ["1", "2"]


async def test_an_import_that_never_ends_is_ended(write, play, limits):
    plugin = write("import threading\nthreading.Event().wait()")
    async with play(plugin, limits=dataclasses.replace(limits, load=0.3)) as stage:
        await stage.until(lambda: "loading it took longer than 0.3s" in stage.failures())


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("raise RuntimeError('no license')", "cannot be loaded: RuntimeError: no license (FILE:3 in <module>)"),
        ("import sys; sys.exit('goodbye')", "cannot be loaded: SystemExit: goodbye (FILE:3 in <module>)"),
        (
            "import does_not_exist",
            "cannot be loaded: ModuleNotFoundError: No module named 'does_not_exist' (FILE:3 in <module>)",
        ),
        ("def f(: pass", "cannot be loaded: SyntaxError: invalid syntax (FILE:3)"),
        (
            "api = 2\n@hookimpl\ndef check(): pass",
            "cannot be loaded: FILE: it is written for hafw API 2, this hafw has",
        ),
        (
            "delivery = 'last'\n@hookimpl\ndef faulted(): pass",
            'cannot be loaded: FILE: delivery = \'last\': must be "every" or "latest"',
        ),
        (
            "deadline = '3s'\n@hookimpl\ndef faulted(): pass",
            "cannot be loaded: FILE: deadline = '3s': must be seconds, a number from 0 to 3600",
        ),
        (
            "deadline = float('nan')\n@hookimpl\ndef faulted(): pass",
            "cannot be loaded: FILE: deadline = nan: must be seconds, a number from 0 to 3600",
        ),
        (
            "deadline = 1\n@hookimpl\ndef configure(): global deadline; deadline = 9999",
            "configure raised deadline = 9999: must be seconds, a number from 0 to 3600",
        ),
        (
            "replay = 'no'\nneeds_root = 0\n@hookimpl\ndef faulted(): pass",
            "cannot be loaded: FILE: replay = 'no': must be True or False; FILE: needs_root = 0: must be True or False",
        ),
        (
            "api = '1'\n@hookimpl\ndef faulted(): pass",
            "cannot be loaded: FILE: api = '1': must be a number, or a tuple of those that it works with",
        ),
        (
            "from dataclasses import make_dataclass as m\n@hookimpl\ndef options(): return m('O', [('x', 'Seconds')])",
            "cannot be loaded: NameError: O: name 'Seconds' is not defined: what types an option is imported when",
        ),
        (
            "from dataclasses import make_dataclass as m\n@hookimpl\ndef options(): return m('O', [('user', str)])",
            "cannot be loaded: FILE: option user: every plugin has that key: choose another name",
        ),
        (
            "api = (2, 3)\n@hookimpl\ndef a_hook_of_then(): pass",
            "cannot be loaded: FILE: it is written for hafw API 2 or 3, this hafw has 1: install a version of it",
        ),
        ("@hookimpl\ndef configure(): raise KeyError('k')", "configure raised KeyError: 'k' (FILE:4 in configure)"),
        (
            "import subprocess\n@hookimpl\ndef configure():\n    subprocess.run(['/nowhere'])",
            "configure raised FileNotFoundError: [Errno 2] No such file or directory: '/nowhere' (FILE:6 in configure)",
        ),
    ],
)
async def test_what_cannot_start_is_named(write, play, source, why):
    plugin = write(source)
    async with play(plugin) as stage:
        await stage.until(stage.failures)
        assert stage.failures()[0].startswith(why.replace("FILE", plugin.file))


ALL_HOOKS = (
    "options, configure, takeover, check, monitor, serve, became_master, became_backup, faulted, stopped, vip_changed, "
    "group_changed, event and before_release"
)
NO_PLUGIN = [
    ("x = 1", "no plugin found: define hooks with @hookimpl at module level, or add plugin = YourClass()"),
    (
        "class Disk:\n    @hookimpl\n    def check(self): pass",
        "no plugin found: Disk has hooks, but there is no object of it: add plugin = Disk()",
    ),
    (
        "class Disk:\n    @hookimpl\n    def check(self): pass\nplugin = Disk",
        "plugin is the class Disk: make it an object, plugin = Disk()",
    ),
    ("def check(): pass", "no plugin found: check must be marked: put @hookimpl of hafw.api above"),
    (
        "@hookimpl\ndef chekc(): pass",
        f"chekc is no hook (did you mean check?): the hooks are {ALL_HOOKS}",
    ),
    ("@hookimpl\ndef check(routr): pass", "check has no argument routr (did you mean router?): it may take router"),
    (
        "class Disk:\n    @hookimpl\n    def monitor(self, router, tell): pass\nplugin = Disk()",
        "monitor has no argument tell: it may take router and report",
    ),
    ("@hookimpl\ndef options(routers): pass", "options has no argument routers: it takes none"),
]


@pytest.mark.parametrize(("source", "why"), NO_PLUGIN)
def test_what_is_no_plugin_is_told_in_words_for_its_author(write, config, source, why):
    plugin = write(source)
    (problem,) = examine(config(plugins=(plugin,))).problems
    assert problem.message == f"cannot be loaded: {plugin.file}: {why}"


async def test_a_plugin_that_keeps_dying_is_parked_and_visibly_so(write, play, limits):
    plugin = write("@hookimpl\ndef configure(): os._exit(1)")
    async with play(plugin) as stage:
        await stage.state("parked")
        assert len(stage.failures()) == limits.deaths
        assert stage.notices[-1] == ("plugin_failed", {"plugin": "local", "detail": "exited with 1", "state": "parked"})
        status = stage.status()
        assert (status.pid, status.restarts, status.last_error) == (0, 4, "exited with 1")


async def test_a_parked_plugin_is_tried_again_and_may_recover(write, play, limits):
    plugin = write("raise RuntimeError('broken')")
    async with play(plugin, limits=dataclasses.replace(limits, park=0.05)) as stage:
        await stage.state("parked")
        write("@hookimpl\ndef became_master(): return {'output': 'well again', 'exit': 0}")
        stage.deliver("MASTER")
        await stage.state("running")
        await stage.plugins.drain(5)
        assert stage.status().results[-1].output == "well again"


@pytest.mark.parametrize("hook", HOOKS)
async def test_an_exception_in_an_event_hook_is_kept_and_ends_nothing(write, play, hook):
    state = {"became_master": "MASTER", "became_backup": "BACKUP", "faulted": "FAULT", "stopped": "STOP"}[hook]
    plugin = write(f"@hookimpl\ndef {hook}(change): raise ValueError(f'number {{change.seq}}')")
    async with play(plugin) as stage:
        stage.deliver(state, 1)
        stage.deliver(state, 2)
        await stage.plugins.drain(5)
        status = stage.status()
        assert (status.state, status.restarts, status.failures) == ("running", 0, 2)
        assert [result.error for result in status.results] == [
            f"{hook} raised ValueError: number {seq} ({plugin.file}:4 in {hook})" for seq in (1, 2)
        ]
        assert stage.failures() == [result.error for result in status.results], "each of them, for each is a change"


@pytest.mark.parametrize(
    ("hook", "arguments"),
    [("takeover", "router"), ("check", "router"), ("event", "event"), ("before_release", "budget")],
)
async def test_an_exception_in_any_other_hook_is_reported_and_ends_nothing(write, play, instance, hook, arguments):
    plugin = write(
        f"@hookimpl\ndef {hook}({arguments}): raise LookupError('nothing there')\n@hookimpl\ndef faulted(): pass"
    )
    async with play(plugin, instances=(instance(interval=0.05),)) as stage:
        await stage.state("running")
        stage.plugins.publish({"type": "announced"})
        await stage.plugins.before_release([stage.router()], 5)
        if hook == "takeover":
            with pytest.raises(PlanRefused, match="plugin local: takeover raised LookupError: nothing there"):
                await stage.plugins.takeover(stage.router())
        await stage.until(stage.failures)
        assert stage.failures()[0].startswith(f"{hook} raised LookupError: nothing there")
        assert (stage.status().state, stage.status().restarts) == ("running", 0)


async def test_sys_exit_in_a_hook_is_an_error_like_any_other(write, play):
    plugin = write("import sys\n@hookimpl\ndef became_master(): sys.exit(3)")
    async with play(plugin) as stage:
        stage.deliver("MASTER")
        await stage.plugins.drain(5)
        assert stage.status().results[0].error.startswith("became_master raised SystemExit: 3")
        assert stage.status().restarts == 0


def test_plugin_processes_die_with_a_daemon_that_is_killed(write, tmp_path):
    plugin = write("import threading\n@hookimpl\ndef became_master(): threading.Event().wait()")
    daemon = subprocess.Popen(
        [sys.executable, "-c", DAEMON, plugin.file], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with daemon:
        descriptor = os.pidfd_open(int(daemon.stdout.readline()))
        daemon.kill()
    assert select.select([descriptor], [], [], 5)[0], "the plugin outlives its daemon"
    os.close(descriptor)


DAEMON = """
import sys, trio
from hafw.config.model import Config, PluginConfig
from hafw.daemon.plugins import Plugins

async def main():
    local = PluginConfig(name="local", file=sys.argv[1])
    config = Config(path="", node_name="", instances={}, plugins={"local": local})
    plugins = Plugins(config, verdict=lambda verdict: None, notice=lambda kind, fields: None)
    async with trio.open_nursery() as nursery:
        await nursery.start(plugins.run)
        host = plugins._hosts["local"]
        while host.state != "running":
            await host._news.wait()
        print(host._child.pid, flush=True)

trio.run(main)
"""
