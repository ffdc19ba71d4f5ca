"""``HAFW_TRACE_PLUGINS=1``: every call and what came of it, bounded, and without anybody's secret."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hafw.daemon.plugins import tracing
from hafw.daemon.plugins.visiting import examine
from hafw.pipe import Outcome, Reply, Start, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

OPTIONS = {
    "url": "http://127.0.0.1/",
    "password": "sesame",
    "mail": {"token": 'with "quotes"', "from": "env:MAIL_FROM"},
    "key": "abc",
    "pins": ["geheim", {"inner": "innermost"}],
    "pasword": "mistyped",
}
SHOWN = {
    "url": "http://127.0.0.1/",
    "password": "(hidden)",
    "mail": {"token": "(hidden)", "from": "env:MAIL_FROM"},
    "key": "(hidden)",
    "pins": ["(hidden)", {"inner": "(hidden)"}],
    "patience": "5m",
}
"""What its process says of them: it knows their types, and has no ``pasword``."""
START = Start(name="local", options=OPTIONS, parent=1, memory=1 << 29)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []

    def emit(what: str, **fields: object) -> None:
        lines.append(" ".join([what, *(f"{name}={value}" for name, value in fields.items())]))

    monkeypatch.setattr(tracing, "_emit", emit)
    monkeypatch.setenv("MAIL_FROM", "root@example.net")
    return lines


def test_call_part_answer_and_no_answer_are_a_line_each(said: list[str]):
    trace = tracing.Trace(START)
    trace.called(3, "check", {"lane": "check 0", "router": "", "change": None}, 0.0)
    trace.answered(3, "check", Reply(id=3, verdict=Verdict(True, "well")), 0.00123456, 0.1)
    trace.answered(4, "monitor", Reply(id=4, more=True, verdict=Verdict(False)), 0.5, 0.2)
    trace.ended(5, "became_master", "became_master took longer than 30s", 30, 0.3)
    rest = '"immediate":false,"factor":null}}'
    assert said == [
        'plugin_call plugin=local call=3 hook=check arguments={"lane":"check 0"}',
        'plugin_answer plugin=local call=3 hook=check seconds=0.0012 answer={"verdict":{"healthy":true,"detail":"well",'
        + rest,
        'plugin_part plugin=local call=4 hook=monitor seconds=0.5 answer={"verdict":{"healthy":false,"detail":"",'
        + rest,
        "plugin_no_answer plugin=local call=5 hook=became_master seconds=30 detail=became_master took longer than 30s",
    ]


def test_no_secret_is_shown_wherever_it_comes_from(said: list[str]):
    trace = tracing.Trace(START)
    trace.started(7, SHOWN, 0.0)
    outcome = Outcome(output='sesame for root@example.net, with "quotes", abc is too short to look for, geheim')
    trace.answered(1, "became_master", Reply(id=1, outcome=outcome), 0.0, 0.0)
    trace.ended(2, "check", "sesame was no answer", 0.0, 0.0)
    text = "\n".join(said)
    for secret in ("sesame", "root@example.net", "quotes", "geheim", "innermost", "mistyped"):
        assert secret not in text
    assert '"url":"http://127.0.0.1/","password":"(hidden)"' in text
    assert '"from":"env:MAIL_FROM"' in text, "where it is kept may be known"
    assert "patience" not in text, "it is told what stands in the file"
    assert "(hidden) for (hidden), (hidden), abc" in text


def test_of_a_plugin_that_did_not_say_its_types_no_value_is_shown(said: list[str]):
    trace = tracing.Trace(START)
    trace.started(7, None, 0.0)
    hidden = '{"url":"(hidden)","password":"(hidden)","mail":{"token":"(hidden)","from":"env:MAIL_FROM"},'
    hidden += '"key":"(hidden)","pins":["(hidden)",{"inner":"(hidden)"}],"pasword":"(hidden)"}'
    assert said == [f"plugin_start plugin=local pid=7 options={hidden}"]


def test_lines_are_bounded_in_length_and_number(said: list[str]):
    trace = tracing.Trace(START)
    for number in range(tracing.LINES_PER_SECOND + 7):
        trace.called(number, "event", {"event": {"text": "x" * 5000}}, 0.5)
    assert len(said) == tracing.LINES_PER_SECOND
    assert said[0].endswith("... (5021 characters)")
    assert len(said[0]) < tracing.TEXT_MAX + 100
    trace.called(200, "event", {}, 1.6)
    assert said[-2:] == [
        "plugin_trace_dropped plugin=local lines=7",
        "plugin_call plugin=local call=200 hook=event arguments={}",
    ]


def test_only_who_asks_for_it_has_a_trace(monkeypatch: pytest.MonkeyPatch):
    for value, traced in (("1", True), ("0", False), ("", False)):
        monkeypatch.setenv(tracing.VARIABLE, value)
        assert (tracing.trace_of(START) is not None) == traced
    monkeypatch.delenv(tracing.VARIABLE)
    assert tracing.trace_of(START) is None


async def test_the_daemon_logs_every_call(
    write: Callable, play: Callable, instance: Callable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    monkeypatch.setenv(tracing.VARIABLE, "1")
    plugin = write(
        """
        from dataclasses import dataclass
        from hafw.api import Secret
        @dataclass
        class Options:
            pins: tuple[Secret, ...]
            name: str
        @hookimpl
        def options(): return Options
        @hookimpl
        def monitor(report):
            report(Verdict(False, "seen"))
            time.sleep(100)
        @hookimpl
        def became_master(change): return {"output": f"number {change.seq}"}
        """
    )
    plugin = replace(plugin, options={"pins": ["LEAKpin"], "name": "Max"})
    async with play(plugin, instances=(instance(interval=1.0),)) as stage:
        stage.deliver("MASTER")
        await stage.until(lambda: stage.verdicts)
        await stage.plugins.drain(5)
    shown = "".join(capsys.readouterr())
    for wanted in ("plugin_start", "hook=configure", "hook=became_master", '"new":"MASTER"', "number 1", "plugin_part"):
        assert wanted in shown, wanted
    assert '{"pins":["(hidden)"],"name":"Max"}' in shown
    assert '"options":{' not in shown, "they are told once"


def test_a_misspelt_key_shows_nothing_of_its_value(
    write: Callable, config: Callable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    monkeypatch.setenv(tracing.VARIABLE, "1")
    plugin = write("@hookimpl\ndef stopped(): pass", options={"pasword": "LEAKtypo"})
    (problem,) = examine(config(plugins=(plugin,))).problems
    assert (problem.path, problem.message) == ("plugin.local.pasword", "unknown key")
    assert '"pasword":"(hidden)"' in (shown := "".join(capsys.readouterr()))
    assert "LEAK" not in shown


def test_hafw_check_prints_the_calls_to_standard_error_and_nothing_else_there(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from hafw.api import Verdict, hookimpl\n@hookimpl\ndef configure(): pass\n@hookimpl\ndef check():\n"
        "    return Verdict(True)\n"
    )
    (tmp_path / "mine.py").chmod(0o644)
    (tmp_path / "config.toml").write_text(
        '[instance.VI_1]\ninterface = "lo"\nvrid = 51\nvirtual_addresses = ["192.0.2.1"]\n'
        'check.mine.critical = true\n[plugin.mine]\nfile = "mine.py"\n[plugin.vip]\nenabled = false\n'
        "[plugin.arp]\nenabled = false\n"
    )
    argv = [sys.executable, "-m", "hafw", "check", "config.toml"]
    done = subprocess.run(
        argv,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, tracing.VARIABLE: "1"},
        check=False,
    )
    traced = [line for line in done.stderr.splitlines() if line.startswith("plugin_")]
    assert [line.split()[0] for line in traced] == ["plugin_start", "plugin_call", "plugin_answer"]
    assert "plugin_" not in done.stdout
    assert " hook=configure seconds=0.0" in traced[2]
