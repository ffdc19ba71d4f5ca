"""Events of the running daemon to plugins: what becomes of them when scripts, plugins and the daemon are killed."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from hafw.daemon.plugins.processes import children

pytestmark = [pytest.mark.wire, pytest.mark.long]

INTERVAL = "1s"
"""A restart fits into three of them on a machine that is busy with other things."""
RECEIVER = Path(__file__).parents[1] / "receiver.py"
PORT = 8099
LINE = 'echo "$HAFW_RUN $HAFW_SEQ $HAFW_ATTEMPT $1 $2 $HAFW_OLD_STATE $3 ${{HAFW_REPLAYED:-0}}" >> {book}'
DIARY = """
from hafw.api import hookimpl

replay = {replay}

def write(router, change):
    with open("{book}", "a") as book:
        print(change.run, change.seq, change.attempt, "INSTANCE", router.name, change.old, change.new,
              int(change.replayed), file=book)

@hookimpl
def became_master(router, change): write(router, change)
became_backup = hookimpl(became_master)
faulted = hookimpl(became_master)
"""


@dataclass(frozen=True)
class Told:
    """What a receiver wrote down of one call."""

    run: str
    seq: int
    attempt: int
    name: str
    old: str
    new: str
    replayed: bool


def told(book: Path) -> list[Told]:
    lines = [line.split(" ") for line in book.read_text().splitlines()] if book.exists() else []
    return [Told(line[0], int(line[1]), int(line[2]), *line[4:7], replayed=line[7] == "1") for line in lines]


class Receivers:
    """A notify script that waits for a gate when it is told of MASTER, and two plugins; one asks for replays."""

    def __init__(self, folder: Path) -> None:
        self.gate = folder / "gate"
        self.slow, self.quick, self.forgetful = (folder / f"{name}.book" for name in ("slow", "quick", "forgetful"))
        script = folder / "notify.sh"
        wait = f"while [ $3 = MASTER ] && [ ! -e {self.gate} ]; do sleep 0.05; done"
        script.write_text("\n".join(["#!/bin/sh", LINE.format(book=self.slow), wait, ""]))
        script.chmod(0o755)
        self.sections = [f'[plugin.notify_script]\nnotify = "{script}"\ntimeout = "300s"\n']
        for book, replay in ((self.quick, False), (self.forgetful, True)):
            plugin = book.with_suffix(".py")
            plugin.write_text(DIARY.format(book=book, replay=replay))
            self.sections.append(f'[plugin.{book.stem}]\nfile = "{plugin}"\n')


@pytest.fixture
def at_work(pair, tools):
    """lb1, MASTER; two plugins know it, the third is in the middle of it."""
    lb1, _ = pair
    receivers = Receivers(lb1.config.parent)
    lb1.start(tools.instance(advertisement_interval=INTERVAL), *receivers.sections)
    lb1.wait_for("MASTER")
    for book in (receivers.slow, receivers.quick, receivers.forgetful):
        tools.until(lambda book=book: told(book)[-1:] and told(book)[-1].new == "MASTER", book.stem)
    tools.until(lambda: owed(lb1) == {"notify_script": 1}, "it is written down who has answered, and who has begun")
    return lb1, receivers


def owed(lb1):
    """What the next daemon will find: who is still to be told, and how often the first letter was given out."""
    queues = json.loads((lb1.run_directory / "outbox.json").read_text())["queues"]
    return {name: queue["letters"][0]["attempts"] for name, queue in queues.items() if queue["letters"]}


def after(lb1, receivers, tools):
    """What is told after the daemon was replaced, in all three books."""
    lb1.wait_until_ready()
    with lb1.stream() as stream:
        stream.wait("resumed", instance="VI_1")
    receivers.gate.touch()
    names = {"notify_script", "quick", "forgetful"}

    def settled():
        return [each for each in lb1.ask("plugins")["plugins"] if each["name"] in names and each["state"] == "running"]

    shown = tools.until(lambda: len(settled()) == 3 and not any(each["queued"] for each in settled()) and settled())
    return {each["name"]: each["events"] for each in shown}


def expect_it_once_more(receivers, figures):
    """To the one that had not answered, under the old number; a replay to the one that asks for it; to no other."""
    *_, before, again = told(receivers.slow)
    assert (again.run, again.seq, again.new) == (before.run, before.seq, "MASTER")
    assert (before.attempt, again.attempt, again.replayed) == (1, 2, False)
    assert [each.new for each in told(receivers.quick)] == ["BACKUP", "MASTER"]
    *_, before, again = told(receivers.forgetful)
    assert (again.run, again.seq, again.attempt, again.replayed) == (before.run, before.seq, 1, True)
    assert min(figures["notify_script"]["again"], figures["notify_script"]["late"]) >= 1
    assert figures["forgetful"]["replayed"] == 1
    assert figures["quick"]["taken"] == 0


def test_a_daemon_that_is_killed_leaves_its_events_to_the_next_one_and_nobody_who_answered_is_told_twice(
    at_work, tools
):
    lb1, receivers = at_work
    lb1.kill_daemon()
    expect_it_once_more(receivers, after(lb1, receivers, tools))
    with lb1.news() as news:
        lb1.hafw("maintenance", "on", "--force")
        news.state("BACKUP")
    tools.until(lambda: told(receivers.quick)[-1].new == "BACKUP")
    old, new = told(receivers.quick)[-2:]
    assert new.run != old.run
    assert new.seq > old.seq, "the next daemon counts on"


def test_a_reexec_leaves_what_is_under_way_to_the_next_daemon(at_work, tools):
    lb1, receivers = at_work
    assert lb1.hafw("reexec").returncode == 0
    expect_it_once_more(receivers, after(lb1, receivers, tools))


def test_what_is_left_when_daemon_and_guard_were_killed_is_said_by_the_next_start(at_work, tools):
    lb1, receivers = at_work
    lb1.kill_both()
    receivers.gate.touch()
    lb1.start()
    with lb1.stream() as stream:
        lost = stream.wait("plugin_failed", plugin="notify_script", instance="VI_1")
    assert lost["detail"].endswith("not delivered: the daemon that had them was killed, and its guard with it")


NAMES = tuple(f"VI_{number}" for number in range(1, 6))
TRANSITIONS = 200
PATIENCE = 120.0


DOORS = """
from pathlib import Path
from hafw.api import Verdict, hookimpl

@hookimpl
def check(router):
    return Verdict(not Path("{folder}", router.name).exists())
"""


def flapping(tools, folder: Path) -> list[str]:
    """Instances that serve as long as no file of their name is there."""
    plugin = folder / "doors.py"
    plugin.write_text(DOORS.format(folder=folder))
    parts = [f'[plugin.doors]\nfile = "{plugin}"\nuser = "root"\n']
    for number, name in enumerate(NAMES, 1):
        keys = {"vrid": 50 + number, "virtual_addresses": [f"10.77.0.{200 + number}"], "last_resort": False}
        check = f'[instance.{name}.check.doors]\ncritical = true\ninterval = "100ms"\nrise = 1\nfall = 1\n'
        parts += [tools.instance(name, **keys), check]
    return parts


def kill_something(lb1, rng: Random, kills: Counter, due: dict[str, int]) -> None:
    """A plugin's process, its whole group, or a script of its, as chance has it.

    A process not before all that the one before it was at work on is delivered: what has cost three is given up.
    """
    what = rng.choice(["process", "group", "script"])
    name = "notify_script" if what == "script" else rng.choice(["notify_script", "webhook"])
    plugin = next(each for each in lb1.ask("plugins")["plugins"] if each["name"] == name)
    pid, delivered = plugin["pid"], plugin["events"]["delivered"]
    if not pid or (what != "script" and delivered < due[name]):
        return
    if what != "script":
        due[name] = delivered + plugin["queued"]
    for victim in some_script(pid) if what == "script" else [pid]:
        with suppress(ProcessLookupError):
            (os.killpg if what == "group" else os.kill)(victim, signal.SIGKILL)
            kills[what] += 1


def some_script(pid: int) -> list[int]:
    """One that this plugin's process runs just now, if there is one within a second."""
    deadline = time.monotonic() + 1.0
    with suppress(OSError):  # the process has ended meanwhile
        while not (found := [*children(pid)][:1]) and time.monotonic() < deadline:
            time.sleep(0.001)
        return found
    return []


def test_200_transitions_of_a_running_daemon_arrive_in_order_though_processes_are_killed_at_random(pair, tools):
    lb1, _ = pair
    folder, rng, kills, due = lb1.config.parent, Random(3), Counter(), defaultdict(int)
    receivers = Receivers(folder)
    receivers.gate.touch()
    hook = folder / "hook.book"
    server = lb1.lab.popen(lb1.host, [sys.executable, str(RECEIVER), str(PORT), str(hook)])
    try:
        posts = f'[plugin.webhook]\nurl = "http://127.0.0.1:{PORT}/"\n'
        lb1.start(*flapping(tools, folder), *receivers.sections, posts)
        with lb1.stream() as stream:
            for _ in range(TRANSITIONS):
                event = stream.wait("state_changed")
                door = folder / event["instance"]
                if event["to"] == "MASTER":
                    door.touch()
                elif event["to"] == "FAULT":
                    door.unlink(missing_ok=True)
                if rng.random() < 0.2:
                    kill_something(lb1, rng, kills, due)
            for name in NAMES:
                (folder / name).unlink(missing_ok=True)
            in_time(lambda: all(each["state"] == "MASTER" for each in lb1.ask()["instances"]), "all serve")
            in_time(lambda: not any(each["queued"] for each in lb1.ask("plugins")["plugins"]), "all is told")
            events = stream.until_seq(lb1.ask("events", follow=False)["seq"])
    finally:
        lb1.lab.kill(server)
    figures = {each["name"]: each["events"] for each in lb1.ask("plugins")["plugins"]}
    compare(receivers, hook, events, kills, figures)


def in_time(condition, what: str) -> None:
    """Wait for it, for minutes on a machine that is busy with other things."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not so after {PATIENCE:g} s"
        time.sleep(0.1)


def compare(receivers: Receivers, hook: Path, events: list[dict], kills: Counter, figures: dict) -> None:
    """What the books have with what the daemon said; a script that was killed may not have got to its line."""
    happened, cut = defaultdict(list), Counter()
    for event in events:
        if event["type"] == "state_changed" and event["to"] != "INITIALIZE":
            happened[event["instance"]].append((event["from"], event["to"]))
        elif event["type"] == "plugin_failed" and event.get("exit") == 137:
            cut[event["instance"]] += 1
    assert happened.keys() == set(NAMES)
    assert sum(map(len, happened.values())) >= TRANSITIONS
    for book in (receivers.quick, receivers.slow, hook):
        mine = defaultdict(list)
        for each in told(book):
            if mine[each.name][-1:] and mine[each.name][-1].seq == each.seq:
                assert book != receivers.slow or mine[each.name][-1].attempt < each.attempt, "twice, and no kill"
                mine[each.name].pop()
            mine[each.name].append(each)
        for name in NAMES:
            seqs = [each.seq for each in mine[name]]
            assert seqs == sorted(set(seqs)), f"{book.stem}, {name}: in order"
            missing = without(happened[name], [(each.old, each.new) for each in mine[name]])
            assert missing <= (cut[name] if book == receivers.slow else 0), f"{book.stem}, {name}: none is lost"
    for name in ("notify_script", "webhook"):
        assert (figures[name]["dropped"], figures[name]["given_up"], figures[name]["superseded"]) == (0, 0, 0)
        assert figures[name]["delivered"] == figures[name]["taken"] > sum(map(len, happened.values()))
    assert min(kills[what] for what in ("process", "group")) >= 3, kills
    assert kills["script"] >= 1, kills
    sys.stdout.write(f"{sum(map(len, happened.values()))} transitions, {dict(kills)}, {figures}\n")


def without(happened: list[tuple[str, str]], came: list[tuple[str, str]]) -> int:
    """How many of those that happened did not come; what came is a part of them, in their order."""
    rest = iter(happened)
    for each in came:
        assert each in rest, f"{each} did not happen, or not then"
    return len(happened) - len(came)
