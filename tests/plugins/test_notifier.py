"""The example of docs/plugins/notifier.md, in its real process."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hafw.notification import SEVERITIES
from hafw.testing import HookFailed, PluginRefused

NOTIFIER = """\
import threading
from dataclasses import dataclass
from pathlib import Path

from hafw.api import hookimpl, refuse
from hafw.command import environment, mistakes, run, split
from hafw.notification import Notifier, Word, one_line, unknown_instances

TIMEOUT = 10.0  # seconds; the hook has 30
KEPT = 100


@dataclass
class Options:
    command: str  # gets two arguments: how bad it is, and a sentence
    on: tuple[Word, ...] = ("master", "fault", "split_brain")
    instances: tuple[str, ...] = ()
    told: str = "/var/lib/hafw/pager.told"  # what it has sent already


class Pager(Notifier):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()

    @hookimpl
    def options(self):
        return Options

    @hookimpl
    def configure(self, options, routers):
        wrong = [("command", each) for each in mistakes(options.command)]
        wrong += unknown_instances(options.instances, routers)
        if not Path(options.told).parent.is_dir():
            wrong.append(("told", f'= "{options.told}": its folder is missing: make it, or choose another path'))
        refuse(wrong)
        self.argv, self.told = split(options.command), Path(options.told)
        self.listen_for(options.on, options.instances)

    def tell(self, word, notification):
        identity = notification.identity(self.node)
        if identity in self.remembered():
            return None
        text = one_line(f"{notification.lead} {notification.reason}")
        ended = run([*self.argv, notification.severity, text], environment(HAFW_WORD=word), TIMEOUT)
        if ended.exit == 0:
            self.remember(identity)
        return {"output": ended.output, "exit": ended.exit}

    def remembered(self):
        return self.told.read_text().split() if self.told.exists() else []

    def remember(self, identity):
        with self.lock:  # hooks of two instances run at the same time
            new = self.told.with_suffix(".new")
            new.write_text("\\n".join([*self.remembered(), identity][-KEPT:]))
            new.replace(self.told)  # all of it or nothing, even if the process dies here


plugin = Pager()
"""


@pytest.fixture
def start(hafw_plugin, tmp_path):
    """As it stands on its page; the pager writes what it is told into a file, and fails while ``broken`` is there."""
    script = tmp_path / "pager.sh"
    script.write_text(f'#!/bin/sh\n[ ! -e {tmp_path}/broken ] || exit 3\necho "$HAFW_WORD: $@" >>{tmp_path}/log\n')
    script.chmod(0o755)
    (tmp_path / "pager.py").write_text(NOTIFIER)
    usual = {"command": str(script), "told": str(tmp_path / "told")}
    return lambda **options: hafw_plugin(
        file=tmp_path / "pager.py", options=usual | options, instances=("VI_1", "VI_2")
    )


def log(tmp_path):
    return (tmp_path / "log").read_text().splitlines() if (tmp_path / "log").exists() else []


def test_it_hears_of_the_states_and_events_of_on_and_of_nothing_else(start, tmp_path):
    plugin = start(instances=["VI_1"])
    for state in ("BACKUP", "MASTER"):
        plugin.become(state, reason="no-response")
        plugin.become(state, "VI_2", reason="no-response")
    plugin.event({"type": "split_brain", "seq": 7, "instance": "VI_1", "on": True})
    plugin.event({"type": "split_brain", "seq": 8, "instance": "VI_2", "on": True})
    plugin.event({"type": "stall", "seq": 9})
    assert log(tmp_path) == [
        "master: good VI_1 on lb1 is now MASTER, it was BACKUP. no-response",
        "split_brain: bad VI_1 on lb1: split brain.",
    ]


def test_a_change_that_comes_again_to_a_new_process_is_told_once_and_the_next_one_is_told(start, tmp_path):
    plugin = start()
    plugin.become("MASTER", old="BACKUP")
    plugin.kill()
    plugin.again()
    assert len(log(tmp_path)) == 1
    plugin.become("FAULT")
    assert len(log(tmp_path)) == 2


def test_what_could_not_be_told_is_a_failure_and_not_remembered(start, tmp_path):
    plugin = start()
    (tmp_path / "broken").touch()
    with pytest.raises(HookFailed, match="exit 3"):
        plugin.become("MASTER")
    (tmp_path / "broken").unlink()
    plugin.again()
    assert len(log(tmp_path)) == 1


def test_every_mistake_is_told_with_its_key(start):
    with pytest.raises(PluginRefused) as caught:
        start(command="/nope", instances=["VI_3"], told="/nowhere/told")
    assert caught.value.mistakes == [
        "plugin.pager.command: /nope does not exist: correct the path, or put it there",
        'plugin.pager.told = "/nowhere/told": its folder is missing: make it, or choose another path',
        'plugin.pager.instances[0] = "VI_3": must be one of VI_1, VI_2',
    ]
    with pytest.raises(PluginRefused, match=r'on\[0\] = "bakup".* \(did you mean backup\?\)'):
        start(on=["bakup"])


BARE = """
from hafw.api import hookimpl
from hafw.notification import Notifier


class Bare(Notifier):
    def __init__(self): pass

    @hookimpl
    def configure(self): {does}

    def tell(self, word, notification):
        return {{"output": f"{{word}} on {{self.node}}", "exit": 0}}


plugin = Bare()
"""


@pytest.fixture
def bare(hafw_plugin, tmp_path):
    """Its own ``__init__`` forgets that of hafw."""

    def start(does, **renamed):
        source = BARE.format(does=does)
        for old, new in renamed.items():
            source = source.replace(f"def {old}", f"def {new}")
        (tmp_path / "bare.py").write_text(source)
        return hafw_plugin(file=tmp_path / "bare.py")

    return start


def test_it_works_although_its_own_init_forgets_that_of_hafw(bare):
    assert bare("self.listen_for(['master'])").become("MASTER").output == "master on lb1"


def test_a_configure_that_does_not_say_what_is_told_is_a_failure_and_not_silence(bare):
    with pytest.raises(HookFailed, match="configure has not called listen_for, which says what is told"):
        bare("pass").become("MASTER")


def test_a_word_that_there_is_not_is_refused(bare):
    with pytest.raises(PluginRefused, match="listen_for: no state and no event type: 'mastr'; the words are master, "):
        bare("self.listen_for(['master', 'mastr'])")


def test_without_tell_it_is_not_loaded(bare):
    with pytest.raises(PluginRefused, match="abstract class Bare with abstract method tell"):
        bare("pass", tell="tells")


def test_the_page_says_how_bad_each_is():
    page = (Path(__file__).parents[2] / "docs/plugins/notifier.md").read_text("utf-8")
    rows = re.findall(r"^  \| `(bad|warning|good)` \| (.+) \|$", page, re.MULTILINE)
    said = {word: severity for severity, words in rows for word in re.findall(r"`(\w+)`", words)}
    assert said == {word.lower(): severity for word, severity in SEVERITIES.items() if word != "DELETED"}
