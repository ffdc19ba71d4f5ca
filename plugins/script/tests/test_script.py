from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hafw_script import Options, Script

from hafw.api import Duration, Verdict


@pytest.fixture
def script():
    """Write an executable script; not below tmp_path, whose parents belong to whoever ran the tests first."""
    with tempfile.TemporaryDirectory() as folder:

        def write(body: str) -> str:
            path = Path(folder) / "check.sh"
            path.write_text(f"#!/bin/sh\n{body}\n")
            path.chmod(0o755)
            return str(path)

        yield write


def checked(command: str | list[str], **options: Duration) -> Verdict:
    plugin = Script()
    plugin.configure(Options(command=command, **options))
    return plugin.check()


def test_exit_status_0_is_healthy_and_its_last_word_is_shown(script):
    assert checked(script("echo starting; echo 12 connections")) == Verdict(True, "12 connections")


def test_any_other_is_not_and_is_named(script):
    assert checked(script("echo no route; exit 3")) == Verdict(False, "exit 3: no route")
    assert checked(script("exit 1")) == Verdict(False, "exit 1")


def test_one_that_is_killed_says_by_what(script):
    assert checked(script("kill -9 $$")) == Verdict(False, "exit 137: killed by SIGKILL")


def test_arguments_are_split_by_blanks_and_quotes(script):
    path = script('echo "$#:$1:$2"')
    assert checked(f"{path} one 'two words'").detail == "2:one:two words"
    assert checked([path, "a b"]).detail == "1:a b:"


def test_one_that_hangs_is_ended_with_all_that_it_started(script):
    path = script("trap '' TERM; sleep 600 & echo $!; wait; wait; wait")
    verdict = checked(path, timeout=Duration(0.3))
    assert verdict == Verdict(False, "exit 124: killed after 0.3s")


def test_its_children_do_not_outlive_the_timeout(script, hafw_plugin):
    command = script("sleep 600 & wait")
    plugin = hafw_plugin("script", options={"command": command, "timeout": "300ms"}, user=Path(command).owner())
    assert plugin.check().detail == "exit 124: killed after 0.3s"
    plugin.assert_keeps_promises("processes")


def test_libraries_that_were_forced_upon_us_are_not_passed_on(script, monkeypatch):
    monkeypatch.setenv("LD_PRELOAD", "")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/nowhere")
    assert "LD_LIBRARY_PATH" in os.environ
    assert checked(script("echo ${LD_LIBRARY_PATH-unset}${LD_PRELOAD-unset}")).detail == "unsetunset"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("/nonexistent/check.sh", "command: /nonexistent/check.sh does not exist"),
        ("/bin/true | grep x", "command: | would be an argument, there is no shell"),
        ("", "command: names no command"),
        ("no_such_program_anywhere", "command: no_such_program_anywhere is not on PATH"),
    ],
)
def test_what_cannot_work_is_refused_with_its_key(command, message):
    with pytest.raises(ValueError, match="command: ") as refused:
        Script().configure(Options(command=command))
    assert str(refused.value).startswith(message)
