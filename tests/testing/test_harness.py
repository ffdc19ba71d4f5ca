"""The harness that authors of plugins get, tried on plugins of every kind, in their real processes."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from hafw.testing import HookFailed, PluginRefused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """A one-file plugin that need not import the API."""

    def write(source: str) -> Path:
        file = tmp_path / "local.py"
        file.write_text("from hafw.api import *\nimport os, time\n" + dedent(source))
        return file

    return write


EVENTS = """
    log = os.path.join(os.path.dirname(__file__), "log")

    def note(*words):
        with open(log, "a") as file:
            print(*words, file=file)

    @hookimpl
    def became_master(router, change):
        note(change.seq, router.name, change.old, change.new, change.reason)
        return {"output": "started", "exit": 0}

    @hookimpl
    def became_backup(router, change):
        note(change.seq, router.name, change.old, change.new, change.reason)

    @hookimpl
    def faulted(router, change):
        note(change.seq, router.name, change.old, change.new, change.reason)

    @hookimpl
    def stopped(router, change):
        note(change.seq, router.name, change.old, change.new, change.reason)

    @hookimpl
    def vip_changed(router, change):
        note(change.seq, router.name, change.address, change.change, change.culprit)

    @hookimpl
    def group_changed(group, change):
        note(change.seq, group.name, *group.members, change.new)

    @hookimpl
    def event(event):
        with open(log + ".stream", "a") as file:
            print(event["seq"], event["type"], event.get("to", ""), file=file)

    @hookimpl
    def before_release(router, budget):
        note("release", router.name, budget)
"""


def test_every_event_hook_is_called_with_what_the_test_says(hafw_plugin, write, tmp_path):
    group = {"A": {"group": "G"}, "B": {"group": "G"}}
    plugin = hafw_plugin(file=write(EVENTS), instances=group)
    assert plugin.become("MASTER").output == "started"
    plugin.backup("B", reason="better-advert")
    plugin.fault("check-failed")
    plugin.vip("vip_lost", culprit="NetworkManager")
    plugin.group("FAULT")
    plugin.event({"type": "split_brain"})
    with pytest.raises(ValueError, match="has no type"):
        plugin.event({"typ": "split_brain"})
    plugin.before_release(1.5)
    plugin.stop("B")
    assert (tmp_path / "log").read_text().splitlines() == [
        "1 A INITIALIZE MASTER test",
        "2 B INITIALIZE BACKUP better-advert",
        "3 A MASTER FAULT check-failed",
        "4 A 192.0.2.10 vip_lost NetworkManager",
        "5 G A B FAULT",
        "release A 1.5",
        "6 B BACKUP STOP shutdown",
    ]
    assert (tmp_path / "log.stream").read_text().splitlines() == [
        "1 state_changed MASTER",
        "2 state_changed BACKUP",
        "3 state_changed FAULT",
        "4 group_changed FAULT",
        "5 split_brain ",
        "6 state_changed INITIALIZE",
    ]


def test_a_hook_that_raises_or_exits_in_disorder_fails_in_the_words_of_the_daemon(hafw_plugin, write):
    plugin = hafw_plugin(
        file=write("""
            @hookimpl
            def became_master():
                raise OSError("no bus")

            @hookimpl
            def became_backup():
                return {"output": "trying\\nno route", "exit": 3, "command": "/etc/notify.sh"}
        """)
    )
    with pytest.raises(HookFailed, match=r"became_master of VI_1: became_master raised OSError: no bus \(.*local.py:6"):
        plugin.become("MASTER")
    with pytest.raises(HookFailed) as caught:
        plugin.backup()
    assert caught.value.why == "/etc/notify.sh: exit 3: no route"
    assert (caught.value.result.exit, caught.value.result.output) == (3, "trying\nno route")


def test_a_mistake_in_the_options_is_told_as_hafw_check_tells_it(hafw_plugin, write):
    source = """
        from dataclasses import dataclass

        @dataclass
        class Options:
            url: str

        @hookimpl
        def options():
            return Options

        @hookimpl
        def configure(options):
            refuse([("url", f'= "{options.url}": must begin with http://')])
    """
    with pytest.raises(PluginRefused) as caught:
        hafw_plugin(file=write(source), options={"url": "ftp://x"})
    assert caught.value.lines == ['config.toml:18: plugin.local.url = "ftp://x": must begin with http://']
    assert caught.value.mistakes == ['plugin.local.url = "ftp://x": must begin with http://']
    with pytest.raises(PluginRefused) as caught:
        hafw_plugin(file=write(source), options={"ulr": 3})
    assert caught.value.mistakes == ["plugin.local.ulr: unknown key (did you mean url?)"]
    with pytest.raises(PluginRefused, match=r"plugin\.nobody: is not installed"):
        hafw_plugin("nobody")


def test_an_event_that_kills_its_process_is_delivered_again_to_the_next_one(hafw_plugin, write, tmp_path):
    plugin = hafw_plugin(
        file=write("""
            tries = os.path.join(os.path.dirname(__file__), "tries")

            @hookimpl
            def became_master(change):
                with open(tries, "a") as file:
                    print(change.seq, file=file)
                if len(open(tries).readlines()) < 3:
                    os._exit(1)
        """)
    )
    before = plugin.status.pid
    result = plugin.become("MASTER")
    assert (result.attempts, result.error) == (3, "")
    assert (tmp_path / "tries").read_text() == "1\n1\n1\n"
    assert plugin.status.pid != before
    plugin.again()
    assert (tmp_path / "tries").read_text() == "1\n1\n1\n1\n"


@pytest.mark.long
def test_what_a_killed_process_had_not_answered_is_delivered_again(hafw_plugin, write, tmp_path):
    plugin = hafw_plugin(
        file=write("""
            begun = os.path.join(os.path.dirname(__file__), "begun")

            @hookimpl
            def became_master(change):
                if not os.path.exists(begun):
                    open(begun, "w").close()
                    time.sleep(60)
                return {"output": "done", "exit": 0}
        """)
    )
    pending = plugin.send("MASTER")
    plugin.wait_for((tmp_path / "begun").exists)
    plugin.kill()
    result = pending.wait()
    assert (result.attempts, result.output) == (2, "done")


@pytest.mark.long
def test_a_deadline_can_be_shortened_also_for_a_plugin_that_declares_a_long_one(hafw_plugin, write):
    source = """
        deadline = 600

        @hookimpl
        def became_master():
            time.sleep(60)
    """
    plugin = hafw_plugin(file=write(source), deadline=0.05)
    with pytest.raises(HookFailed, match=r"became_master took longer than 0.05s \(after 3 deliveries\)"):
        plugin.become("MASTER")


def test_a_check_is_asked_when_the_test_asks(hafw_plugin, write, tmp_path):
    plugin = hafw_plugin(
        file=write("""
            @hookimpl
            def check(router):
                if os.path.exists("/nonexistent"):
                    raise OSError
                return Verdict(router.name == "A", f"it is {router.name}")
        """),
        instances=("A", "B"),
    )
    assert (plugin.check().healthy, plugin.check("B").detail) == (True, "it is B")
    with pytest.raises(ValueError, match="instance 'C': the configuration has A, B"):
        plugin.check("C")


def test_a_check_that_misses_its_timeout_loses_its_process(hafw_plugin, write):
    plugin = hafw_plugin(
        file=write("""
            @hookimpl
            def check():
                time.sleep(60)
        """)
    )
    with pytest.raises(HookFailed, match=r"check of VI_1: check took longer than 0\.05s"):
        plugin.check(timeout=0.05)


def test_a_monitor_says_what_it_sees_when_it_sees_it(hafw_plugin, write):
    plugin = hafw_plugin(
        file=write("""
            @hookimpl
            def monitor(router, report):
                report(Verdict(True, router.name))
                report(Verdict(False, "died", immediate=True))
        """)
    )
    watching = plugin.monitor()
    assert watching.next().detail == "VI_1"
    assert watching.next().immediate
    with pytest.raises(HookFailed, match="it returned: it has nothing to watch"):
        watching.next()


def test_with_an_interval_checks_run_by_themselves_as_in_the_daemon(hafw_plugin, write):
    plugin = hafw_plugin(
        file=write("""
            number = 0

            @hookimpl
            def check():
                global number
                number += 1
                return Verdict(number % 2 == 0, f"look {number}")
        """),
        interval="20ms",
    )
    first, second = plugin.verdicts.next(), plugin.verdicts.next()
    assert [(each.router, each.healthy, each.detail) for each in (first, second)] == [
        ("VI_1", False, "look 1"),
        ("VI_1", True, "look 2"),
    ]


def test_a_takeover_is_checked_as_the_daemon_checks_it(hafw_plugin, write):
    plugin = hafw_plugin("vip", instances={"VI_1": {"virtual_addresses": ["192.0.2.1/24", "192.0.2.2/24"]}})
    assert [str(each) for each in plugin.takeover().addresses] == ["192.0.2.1", "192.0.2.2"]
    forger = hafw_plugin(
        file=write("""
            @hookimpl
            def takeover(router):
                return [Address(address="198.51.100.1", prefixlen=32, interface=router.interface)]
        """)
    )
    with pytest.raises(HookFailed, match=r"'198.51.100.1' is no virtual address of this instance"):
        forger.takeover()


def test_what_serve_asks_is_answered_by_the_test(hafw_plugin, write):
    plugin = hafw_plugin(
        file=write("""
            @hookimpl
            def serve(ask):
                print(ask("status")["instances"])
                try:
                    ask("history")
                except ValueError as error:
                    print(error)
        """),
        answers={"status": {"instances": ["VI_1"]}},
    )
    plugin.wait_for(lambda: len(plugin.printed) == 2)
    assert plugin.printed == ["['VI_1']", "do = 'history': a plugin may ask for status"]


@pytest.mark.long
def test_a_reload_gives_new_options_to_a_new_process_or_is_refused(hafw_plugin, write):
    source = """
        from dataclasses import dataclass

        @dataclass
        class Options:
            word: str

        @hookimpl
        def options():
            return Options

        @hookimpl
        def configure(options):
            global word
            word = options.word
            refuse([("word", "is bad")] if word == "bad" else [])

        @hookimpl
        def became_master():
            return {"output": word, "exit": 0}
    """
    plugin = hafw_plugin(file=write(source), options={"word": "one"})
    before = plugin.status.pid
    plugin.reload({"word": "two"})
    assert plugin.status.pid != before
    assert plugin.become("MASTER").output == "two"
    with pytest.raises(PluginRefused, match=r"plugin\.local\.word: is bad"):
        plugin.reload({"word": "bad"})
    assert plugin.become("MASTER").output == "two"


@pytest.mark.long
def test_when_the_test_has_ended_no_process_of_the_plugin_is_left(pytester):
    pytester.makepyfile(
        local="from hafw.api import hookimpl\n@hookimpl\ndef became_master(): pass",
        test_it="""
            def test_it(hafw_plugin):
                plugin = hafw_plugin(file=__file__.replace("test_it", "local"))
                print("pid", plugin.status.pid)
        """,
    )
    done = pytester.runpytest_inprocess("-s", "-p", "no:cacheprovider")
    done.assert_outcomes(passed=1)
    (pid,) = [line.split()[-1] for line in done.outlines if "pid " in line]
    assert not pytester.path.joinpath("/proc", pid).exists()
