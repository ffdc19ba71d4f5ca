"""What will go warns for two minor releases, by the name of the plugin, in its real process; and goes no sooner."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import hafw.api
from hafw.daemon.plugins import warned
from hafw.daemon.plugins.visiting import examine
from hafw.daemon.plugins.warned import LINE_MAX, WARNINGS_MAX, Warned
from hafw.pipe import Reply

FABRICATED = """
from hafw import deprecation
from hafw.deprecation import Deprecation

def gone(kind, subject, instead, now_at=""):
    return Deprecation(
        kind=kind, subject=subject, since="0.2", removed_in="0.4", instead=instead, now_at=now_at
    )

deprecation.DEPRECATIONS = (
    gone("hook", "group_changed", "implement event"),
    gone("hook", "faulted", "implement event"),
    gone("argument", "check.router", "leave it out"),
    gone("argument", "became_backup.router", "leave it out"),
    gone("field", "Router.group", "ask for the group in group_changed"),
    gone("field", "Router.vrid", "nobody reads it"),
    gone("field", "Verdict.factor", "return a weight"),
    gone("field", "StateChange.attempt", "ask for seq"),
    gone("name", "hafw.api.Outcome", "return a dict", "hafw.pipe:Outcome"),
    gone("name", "hafw.command.Ended", "use Outcome", "hafw.command:Outcome"),
)
"""
"""Whatever is imported first in a process decides what is deprecated there: nothing in hafw is changed for the test."""

USING = f"""{FABRICATED}
import hafw.command
from hafw.api import Outcome

@hookimpl
def group_changed(group, change): pass

@hookimpl
def became_backup(change): pass

@hookimpl
def became_master(router, change):
    return {{"output": f"{{router.group}} {{Verdict(True).factor}} {{change.attempt}} {{hafw.command.Ended.__name__}}"}}

@hookimpl
def check(router):
    assert router == router and repr(router)
    return Verdict(True, "fine")
"""
END = "which is deprecated since hafw 0.2 and gone in 0.4: {}, or ask for a newer version of this plugin"


@pytest.fixture
def logged(monkeypatch):
    said = []

    class Log:
        def warning(self, word, **fields):
            said.append((word, fields))

    monkeypatch.setattr(warned, "log", Log())
    return said


def of_loading(file):
    line = Path(file).read_text("utf-8").splitlines().index("from hafw.api import Outcome") + 1
    return [
        f"implements the hook group_changed, {END.format('implement event')}",
        f"takes the argument check.router, {END.format('leave it out')}",
        f"uses the name hafw.api.Outcome ({file}:{line}), {END.format('return a dict')}",
    ]


def test_hafw_check_warns_of_what_will_go_with_the_plugin_since_when_until_when_and_what_instead(
    write, config, instance
):
    plugin = write(USING)
    for with_system in (True, False):
        found = examine(config(instance(interval=1.0), plugins=(plugin,)), with_system=with_system).problems
        assert {(each.path, each.severity) for each in found} == {("plugin.local", "warning")}
        assert sorted(each.message for each in found) == of_loading(plugin.file)


def test_a_plugin_may_work_with_several_apis(write, config):
    assert examine(config(plugins=(write("api = (0, 1)\n@hookimpl\ndef stopped(): pass"),))).problems == []


async def test_at_run_time_each_is_logged_once_with_the_line_that_uses_it(write, play, instance, logged):
    plugin = write(USING)
    async with play(plugin, instances=(instance(interval=0.01),)) as stage:
        for seq in (1, 2):
            stage.deliver("MASTER", seq)
        await stage.plugins.drain(10)
        await stage.until(lambda: stage.status().calls > 5)
        assert stage.status().results[0].output == " None 1 Outcome", "it goes on working"
    assert {word for word, _ in logged} == {"plugin_warning"}
    assert {(fields["plugin"], fields["path"]) for _, fields in logged} == {("local", "plugin.local")}
    said = [re.sub(rf" \({re.escape(plugin.file)}:\d+\)", " (PLACE)", fields["detail"]) for _, fields in logged]
    assert sorted(said) == sorted(
        [
            *(re.sub(r" \(\S+:\d+\)", " (PLACE)", each) for each in of_loading(plugin.file)),
            f"reads the field Router.group (PLACE), {END.format('ask for the group in group_changed')}",
            f"reads the field StateChange.attempt (PLACE), {END.format('ask for seq')}",
            f"reads the field Verdict.factor (PLACE), {END.format('return a weight')}",
            f"uses the name hafw.command.Ended (PLACE), {END.format('use Outcome')}",
        ]
    ), "Router.vrid: what hafw itself reads, compares and decodes says nothing"


async def test_a_field_that_is_set_is_noticed_in_a_part_of_an_endless_answer_too(write, play, instance, logged):
    monitor = "def monitor(report):\n    report(Verdict(True, factor=2))\n    threading.Event().wait()"
    async with play(
        write(f"{FABRICATED}\nimport threading\n@hookimpl\n{monitor}"), instances=(instance(interval=60.0),)
    ) as stage:
        await stage.until(lambda: stage.verdicts)
        assert stage.verdicts[0].healthy
    ((_, fields),) = logged
    assert fields["detail"].startswith("sets the field Verdict.factor (")


def test_what_a_process_says_of_itself_is_bounded(logged):
    liar = Warned("liar")
    liar.hear(Reply(id=1, warnings=tuple(f"{number} " + "x" * 60_000 for number in range(1000))))
    assert len(logged) == WARNINGS_MAX
    assert max(len(fields["detail"]) for _, fields in logged) == LINE_MAX


def test_a_name_that_never_was_is_an_error_as_ever():
    with pytest.raises(AttributeError, match=r"module 'hafw\.api' has no attribute 'Verdikt'"):
        _ = hafw.api.Verdikt
    with pytest.raises(ImportError, match="cannot import name 'Verdikt'"):
        exec("from hafw.api import Verdikt")
