"""What ``hafw plugins`` shows, of all and of one."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from hafw.cli import plugged
from hafw.cli.verbs import cli

LIMITS = [
    {"limit": "memory", "configured": "64MiB", "in_force": "64MiB", "how": "RLIMIT_DATA, for each process"},
    {"limit": "no_new_privs", "configured": "", "in_force": "", "how": "the plugin declares needs_privileges"},
]
FIGURES = [
    {"hook": "check", "calls": 7, "failures": 1, "answers": 6, "last": 0.0021, "mean": 0.0034, "most": 1.25},
    {"hook": "monitor", "calls": 1, "failures": 0, "answers": 0, "last": 0.0, "mean": 0.0, "most": 0.0},
]


def plugin(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "package": f"hafw-plugin-{name}",
        "version": "0.1.0",
        "user": "nobody",
        "state": "running",
        "hooks": ["check"],
        "calls": 7,
        "failures": 1,
        "last_error": "",
        "restarts": 0,
        "pid": 4711,
        "queued": 0,
        "dropped": 0,
        "delivery": "every",
        "events": {"taken": 0, "delivered": 0, "dropped": 0, "given_up": 0},
        "processes": 1,
        "memory": 24 << 20,
        "memory_peak": 30 << 20,
        "remarks": [],
        "figures": FIGURES,
        "limits": LIMITS,
        **more,
    }


ANSWER = [
    plugin("good", processes=3, queued=2, events={"taken": 9, "delivered": 4, "dropped": 1, "given_up": 2, "late": 0}),
    plugin(
        "odd",
        state="parked",
        last_error="exited with 3",
        remarks=["ignores SIGTERM"],
        pid=0,
        memory=0,
        limits=[],
        queued=1,
        delivery="",
    ),
]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(plugged, "ask", lambda _socket, _request: {"plugins": ANSWER})
    return lambda *arguments: CliRunner().invoke(cli, ["plugins", *arguments])


def test_all_are_a_table_with_what_an_operator_should_know_of_them_below(shown):
    assert shown().stdout == (
        "PLUGIN  PACKAGE                 STATE    HOOKS  CALLS  FAILURES  RESTARTS  MEMORY  LAST ERROR\n"
        "good    hafw-plugin-good 0.1.0  running  check  7      1         0         24MiB   -\n"
        "odd     hafw-plugin-odd 0.1.0   parked   check  7      1         0         -       exited with 3\n"
        "\n"
        "plugin good: was not told of 3 events since the daemon started: "
        "hafw events --since 0 says which\n"
        "plugin odd: ignores SIGTERM\n"
        "plugin odd: 1 event waits for its next process\n"
    )


def test_a_dry_run_says_that_it_starts_none(monkeypatch: pytest.MonkeyPatch):
    answer = {"dry_run": True, "plugins": [plugin("good", state="not-run", pid=0, memory=0)]}
    monkeypatch.setattr(plugged, "ask", lambda _socket, _request: answer)
    text = CliRunner().invoke(cli, ["plugins", "good"]).stdout
    assert text.startswith("DRY RUN: sends, binds and runs nothing\n\nPLUGIN")
    assert "good: no process at the moment (not-run)\n" in text


def test_one_has_its_limits_what_it_holds_and_its_hooks(shown):
    assert shown("good").stdout.split("\n\n", 2)[2] == (
        "good: events (every): 9 taken, 4 delivered, 1 dropped, 2 given up, 2 waiting\n"
        "good: pid 4711, 3 processes, memory 24MiB, at most 30MiB so far\n"
        "\n"
        "LIMIT         CONFIGURED  IN FORCE  HOW\n"
        "memory        64MiB       64MiB     RLIMIT_DATA, for each process\n"
        "no_new_privs  -           NO        the plugin declares needs_privileges\n"
        "\n"
        "HOOK     CALLS  FAILURES  LAST  MEAN  LONGEST\n"
        "check    7      1         2 ms  3 ms  1.2 s\n"
        "monitor  1      0         -     -     -\n"
    )


def test_one_that_never_lived_says_so(shown):
    text = shown("odd").stdout
    assert "odd: no process at the moment (parked)\n" in text
    assert "odd: events: 1 waiting\n" in text
    assert "no process of it has lived yet: what limits it had is not known\n" in text


def test_a_name_that_nobody_has_is_refused_with_those_that_there_are(shown):
    done = shown("god")
    assert done.exit_code == 1
    assert done.stderr == "hafw: no plugin 'god' is configured: there is good, odd\n"
