"""For each promise a plugin that breaks it, and is caught; and one that keeps them all."""

from __future__ import annotations

import os
import subprocess
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from hafw.testing import PROMISES, PromiseBroken

if TYPE_CHECKING:
    from pathlib import Path

BREAKS = {
    "answers": (
        """
        @hookimpl
        def became_master(router, change):
            time.sleep(60)
        """,
        "became_master of VI_1: became_master took longer than 0.2s (after 3 deliveries)",
    ),
    "repetition": (
        """
        @hookimpl
        def became_master(router, change):
            with open(os.path.join(os.path.dirname(__file__), "log"), "a") as file:
                file.write("MASTER ")
        """,
        "became_master told twice makes a difference: 'MASTER ' becomes 'MASTER MASTER ': look at change.run",
    ),
    "processes": (
        """
        import subprocess

        @hookimpl
        def faulted(router, change):
            subprocess.Popen(["sleep", "600"], start_new_session=True)
        """,
        "(sleep 600) lives on: wait for what you start, or end it in stopped",
    ),
    "descriptors": (
        """
        kept = []

        @hookimpl
        def event(event):
            kept.append(open("/dev/null"))
        """,
        "more after 2 more rounds, such as /dev/null: close them",
    ),
    "files": (
        """
        import tempfile

        @hookimpl
        def stopped(router):
            os.close(tempfile.mkstemp(prefix="left")[0])
        """,
        "more after 2 more rounds, such as left",
    ),
    "options": (
        """
        @hookimpl
        def configure():
            with open(os.path.join(os.path.dirname(__file__), "log"), "a") as file:
                file.write("ready ")

        @hookimpl
        def became_master():
            pass
        """,
        "configure changes 'ready ' to 'ready ready ': it may only look",
    ),
    "output": (
        """
        @hookimpl
        def vip_changed():
            for number in range(100):
                print("line", number)
        """,
        "lines of it were dropped from the log: print less",
    ),
}
QUICK = {"repetition"}


@pytest.fixture
def start(hafw_plugin, tmp_path):
    def start(source: str, **more):
        file = tmp_path / "local.py"
        file.write_text("from hafw.api import *\nimport os, time\n" + dedent(source))
        return hafw_plugin(file=file, **more)

    return start


def log(folder: Path) -> str:
    return (folder / "log").read_text() if (folder / "log").exists() else ""


def test_there_is_a_plugin_that_breaks_each_promise():
    assert BREAKS.keys() == PROMISES.keys()


@pytest.mark.parametrize(
    "promise", [each if each in QUICK else pytest.param(each, marks=pytest.mark.long) for each in BREAKS]
)
def test_a_broken_promise_is_found_and_no_other_is_blamed(promise, start, tmp_path):
    source, words = BREAKS[promise]
    plugin = start(source, deadline=0.2)
    with pytest.raises(PromiseBroken) as caught:
        plugin.assert_keeps_promises(observe=lambda: log(tmp_path))
    also = {"repetition"} if promise == "options" else set()  # who comes after a death configures too
    assert {promise} <= caught.value.broken.keys() <= {promise} | also
    assert words in caught.value.broken[promise]
    assert str(caught.value).startswith(f"{promise}: {PROMISES[promise]}; but ")
    assert plugin.left_behind == {}, "what has escaped is ended after it was told"


@pytest.mark.long
def test_children_for_whom_nobody_waits_pile_up_and_are_found(start):
    plugin = start("""
        @hookimpl
        def became_backup():
            if os.fork() == 0:
                os._exit(0)
    """)
    with pytest.raises(PromiseBroken, match="children more after 2 more rounds: wait for them"):
        plugin.assert_keeps_promises("processes")


def test_what_the_test_itself_has_started_is_not_blamed_on_the_plugin_and_lives_on(start):
    plugin = start("@hookimpl\ndef stopped(): pass")
    own = subprocess.Popen(["sleep", "600"])
    try:
        plugin.assert_keeps_promises("processes")
        assert own.poll() is None
    finally:
        own.kill()
        own.wait()


@pytest.mark.long
def test_an_option_that_should_be_unknown_and_is_taken_is_found(start):
    plugin = start("""
        from dataclasses import make_dataclass

        @hookimpl
        def options():
            return make_dataclass("Options", [("no_such_option", int, 0)])
    """)
    with pytest.raises(PromiseBroken, match="no_such_option = 1 is taken"):
        plugin.assert_keeps_promises("options")


@pytest.mark.long
def test_what_a_death_undoes_is_found_too(start, tmp_path):
    plugin = start("""
        seen = set()

        @hookimpl
        def became_master(change):
            if change.seq not in seen:
                seen.add(change.seq)
                with open(os.path.join(os.path.dirname(__file__), "log"), "a") as file:
                    file.write("MASTER ")
    """)
    with pytest.raises(PromiseBroken, match="became_master told twice makes a difference"):
        plugin.assert_keeps_promises("repetition", observe=lambda: log(tmp_path))


def test_a_plugin_that_keeps_everything_is_praised_by_silence(start, tmp_path):
    plugin = start(
        """
        from dataclasses import dataclass

        @dataclass
        class Options:
            word: str = "is"

        @hookimpl
        def options():
            return Options

        def write(*words):
            with open(os.path.join(os.path.dirname(__file__), "log"), "w") as file:
                print(*words, file=file)

        @hookimpl
        def check():
            return Verdict(True)

        @hookimpl
        def became_master(router):
            write(router.name, "MASTER")

        @hookimpl
        def became_backup(router):
            write(router.name, "BACKUP")

        @hookimpl
        def group_changed(group, change):
            write(group.name, change.new)

        @hookimpl
        def vip_changed(change):
            os.system("true")

        @hookimpl
        def before_release(budget):
            assert budget > 0
        """,
        instances={"A": {"group": "G"}, "B": {"group": "G"}},
        user="root" if os.geteuid() == 0 else "",
    )
    plugin.assert_keeps_promises(observe=lambda: log(tmp_path))
    assert {call.hook for call in plugin.calls()} >= {"check", "became_master", "before_release", "group_changed"}


def test_a_promise_that_does_not_exist_is_no_promise(start):
    plugin = start("@hookimpl\ndef event(event): pass")
    with pytest.raises(ValueError, match="no such promise: speed: there are answers, repetition"):
        plugin.assert_keeps_promises("speed")
