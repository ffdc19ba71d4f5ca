"""10,000 transitions of real Nodes in virtual time, through the daemon's delivery to real processes that are killed.

What the receivers wrote down is compared with the simulator's own list: order, nothing lost, and twice only what a kill
explains.
"""

from __future__ import annotations

import functools
import os
import signal
import socket
import subprocess
import sys
from collections import Counter, defaultdict
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
import trio

from hafw.config.model import PluginConfig
from hafw.node import CheckSettings, InstanceSettings
from hafw.pipe import GroupChange, StateChange
from hafw.sim.lan import Lan
from hafw.vrrp.actions import GroupTransition, Transition
from hafw.vrrp.events import VerdictReported
from hafw.vrrp.settings import RouterSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hafw.daemon.plugins import Plugins
    from hafw.daemon.plugins.losses import Figures

pytestmark = pytest.mark.long

TRANSITIONS = 10_000
NAMES = tuple(f"VI_{number}" for number in range(1, 9))
GROUP = "VG_1"
MEMBERS = NAMES[:2]
GROUPS = tuple((name, GROUP if name in MEMBERS else "") for name in NAMES)
PATIENCE = 900.0
"""Seconds: some 50 on an idle machine."""
RECEIVER = Path(__file__).parents[1] / "receiver.py"
WAITING = 900
"""Events that wait at most: a thousand and more would be dropped, as the policy says."""
SCRIPT = """#!/bin/sh
echo "$HAFW_RUN $HAFW_SEQ $HAFW_ATTEMPT $1 $2 $HAFW_OLD_STATE $3 0" >> {book}
"""
RECORDER = """
from hafw.api import hookimpl

book = open("{book}", "a", buffering=1)

def write(kind, name, change):
    book.write(f"{{change.run}} {{change.seq}} {{change.attempt}} {{kind}} {{name}} {{change.old}} {{change.new}} 0\\n")

@hookimpl
def became_master(router, change): write("INSTANCE", router.name, change)
became_backup = hookimpl(became_master)
faulted = hookimpl(became_master)
stopped = hookimpl(became_master)

@hookimpl
def group_changed(group, change): write("GROUP", group.name, change)
"""


def settings(priority: int) -> list[InstanceSettings]:
    return [
        InstanceSettings(
            router=RouterSettings(
                name=name,
                interface="eth0",
                vrid=number,
                priority=priority,
                group=GROUP if name in MEMBERS else "",
                virtual_addresses=(ip_address(f"10.77.1.{number}"),),
            ),
            checks=() if name in MEMBERS[1:] else (CheckSettings(name="web", critical=True, rise=1, fall=1),),
        )
        for number, name in enumerate(NAMES, 1)
    ]


@functools.cache
def history() -> tuple[Transition | GroupTransition, ...]:
    """What the better of two routers went through, and was to be told."""
    rng = Random(7)
    lan = Lan(rng)
    for number, (host, priority) in enumerate((("lb1", 200), ("lb2", 100)), 11):
        lan.add(host, settings(priority), ip_address(f"10.77.0.{number}"))
        lan.start(host)
        for name in NAMES:
            lan.inject(host, VerdictReported(name, "web", healthy=True))
    healthy = dict.fromkeys(NAMES, True)
    told: list[Transition | GroupTransition] = []
    while len(told) < TRANSITIONS:
        begin = len(lan.log)
        lan.run_until(lan.now + rng.uniform(0.05, 0.8))
        name = rng.choice(NAMES)
        healthy[name] = not healthy[name]
        lan.inject("lb1", VerdictReported(name, "web", healthy=healthy[name]))
        mine = [entry.action for entry in lan.log[begin:] if entry.host == "lb1"]
        told += [each for each in mine if isinstance(each, Transition | GroupTransition) and each.new != "INITIALIZE"]
    return tuple(told[:TRANSITIONS])


def key(transition: Transition | GroupTransition) -> tuple[str, str]:
    """As the receivers name it."""
    of_group = isinstance(transition, GroupTransition)
    return ("GROUP", transition.group) if of_group else ("INSTANCE", transition.router)


def tell(plugins: Plugins, routers: dict[str, Any], transition: Transition | GroupTransition) -> None:
    """As the daemon's loop does it."""
    about = {"time": "", "old": str(transition.old), "new": str(transition.new), "reason": transition.reason}
    if isinstance(transition, GroupTransition):
        plugins.deliver_group(GroupChange(group=transition.group, members=MEMBERS, **about))
    else:
        change = StateChange(instance=transition.router, priority=transition.priority, **about)
        plugins.deliver(routers[transition.router], change)


@dataclass(frozen=True)
class Line:
    """What a receiver wrote down of one call."""

    run: str
    seq: int
    attempt: int
    whom: tuple[str, str]
    new: str


def lines(book: Path) -> list[Line]:
    found = [line.split(" ") for line in book.read_text().splitlines()]
    return [
        Line(run, int(seq), int(attempt), (kind, name), new) for run, seq, attempt, kind, name, _old, new, _ in found
    ]


@contextmanager
def recorder(write: Callable[..., PluginConfig], book: Path, _folder: Path) -> Iterator[PluginConfig]:
    yield write(RECORDER.format(book=book))


@contextmanager
def notify_script(_write: Any, book: Path, tmp_path: Path) -> Iterator[PluginConfig]:
    script = tmp_path / "notify.sh"
    script.write_text(SCRIPT.format(book=book))
    script.chmod(0o755)
    options = {"notify": str(script), "group": {GROUP: {"notify": str(script)}}}
    yield PluginConfig(name="local", plugin="notify_script", options=options)


@contextmanager
def webhook(_write: Any, book: Path, _folder: Path) -> Iterator[PluginConfig]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    receiver = subprocess.Popen([sys.executable, RECEIVER, str(port), book])
    try:
        options = {"url": f"http://127.0.0.1:{port}/", "on": ["master", "backup", "fault", "group_changed"]}
        yield PluginConfig(name="local", plugin="webhook", options=options)
    finally:
        receiver.kill()
        receiver.wait()


@pytest.mark.parametrize("receiver", [recorder, notify_script, webhook])
async def test_10_000_transitions_keep_their_order_and_none_is_lost_though_the_plugin_is_killed_at_random(
    write, stage_of, tmp_path, receiver
):
    book = tmp_path / "book"
    book.touch()
    rng = Random(11)
    with receiver(write, book, tmp_path) as plugin:
        async with stage_of(plugin, dict(GROUPS)) as stage:
            kills, figures = await feed(stage, rng)
    assert kills >= 20
    assert (figures.taken, figures.delivered) == (TRANSITIONS, TRANSITIONS)
    assert (figures.dropped, figures.superseded, figures.given_up, figures.replayed) == (0, 0, 0, 0)
    assert 0 < figures.late <= figures.waited
    compare(lines(book), kills, figures.again, counts_attempts=receiver is not webhook)


async def feed(stage: Any, rng: Random) -> tuple[int, Figures]:
    """Tell it all, as fast as it takes it, and kill its process now and then; how often, and its figures."""
    routers = {name: stage.router(name) for name in NAMES}
    host = stage.plugins._hosts["local"]
    told, kills, kill_at = 0, 0, rng.randint(100, 400)
    with trio.move_on_after(PATIENCE) as patience:
        while told < TRANSITIONS or stage.status().queued:
            while told < TRANSITIONS and stage.status().queued < WAITING:
                tell(stage.plugins, routers, history()[told])
                told += 1
            status = stage.status()
            if status.events.delivered >= kill_at and status.pid:
                with suppress(ProcessLookupError):
                    rng.choice((os.kill, os.killpg))(status.pid, signal.SIGKILL)
                kills, kill_at = kills + 1, status.events.delivered + rng.randint(100, 500)
            with trio.move_on_after(0.05):
                await host._news.wait()
    assert not patience.cancelled_caught, stage.status()
    return kills, stage.status().events


def compare(book: list[Line], kills: int, again: int, *, counts_attempts: bool) -> None:
    """With the list of the simulator, whose numbers are 1, 2, 3, ..."""
    expected: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    for seq, transition in enumerate(history(), 1):
        expected[key(transition)].append((seq, str(transition.new)))
    came: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in book:
        came[line.whom].append(line)
    assert came.keys() == expected.keys() == {("GROUP", GROUP), *(("INSTANCE", name) for name in NAMES)}
    for whom, mine in came.items():
        once = [line for line, before in zip(mine, [None, *mine], strict=False) if not same(line, before)]
        assert [(line.seq, line.new) for line in once] == expected[whom], f"{whom}: in order, each, and nothing else"
        for line, before in zip(mine, [None, *mine], strict=False):
            if counts_attempts and same(line, before):
                assert line.attempt > before.attempt, f"{whom}: {line} came twice without a process that had died"
    twice = sum(count - 1 for count in Counter((line.whom, line.seq) for line in book).values())
    assert twice <= again <= kills * len(expected), "only what was under way when a process was killed comes again"
    assert len({line.run for line in book}) == 1
    sys.stdout.write(f"{len(book)} calls, {kills} kills, {again} delivered again, {twice} of them done twice\n")


def same(line: Line, before: Line | None) -> bool:
    return before is not None and (line.run, line.seq) == (before.run, before.seq)
