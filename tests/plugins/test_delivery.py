"""From the queue to a process, in virtual time: what is delivered again, late or once more, and what is said of it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import asdict
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

from hafw.daemon.plugins.child import Answer, ChildGone
from hafw.daemon.plugins.deliveries import Deliveries
from hafw.daemon.plugins.introduce import Limits
from hafw.daemon.plugins.losses import PAUSE, Loss, Losses
from hafw.daemon.plugins.mailbox import LETTERS_MAX, Letter
from hafw.daemon.plugins.telling import Telling
from hafw.pipe import Address, Hello, Reply, Router, StateChange, VipChange

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ANY = {"reason": "", "priority": 1}
HOOKS = {"became_master": True, "became_backup": True, "vip_changed": True, "event": False}


@pytest.fixture
def autojump_clock() -> trio.testing.MockClock:
    return trio.testing.MockClock(autojump_threshold=0)


class Plugin:
    """What a plugin process is to its deliveries: it takes a second for each call, and dies when it is told to."""

    def __init__(self) -> None:
        self.told: list[Loss] = []
        self.heard: list[tuple[Any, ...]] = []
        """Instance, seq, attempt, missed, replayed."""
        self.dies_of: set[int] = set()
        self.routers: dict[str, Router] = {}
        self.telling = Telling("4f1c", None, dict, self.routers)
        self.losses = Losses(self.told.append)
        self.deliveries = self.new()

    def new(self) -> Deliveries:
        return Deliveries(self._call, Limits(), lambda: None, self.losses, self.telling)

    async def _call(self, child: Any, hook: str, lane: str, timeout: float, **given: Any) -> Answer:  # noqa: ARG002, ASYNC109
        change = given.get("change") or given.get("vip_change")
        heard = (lane.removeprefix("events "), change.seq, change.attempt, change.missed, change.replayed)
        self.heard.append(heard)
        await trio.sleep(1)
        if child.ending.is_set() or change.seq in self.dies_of:
            child.ending.set()
            raise ChildGone("killed")
        return Answer(Reply(id=1))

    @asynccontextmanager
    async def life(self, policy: str = "every", *, replay: bool = False) -> AsyncIterator[Any]:
        """A process, for the length of a block."""
        child = SimpleNamespace(ending=trio.Event())
        async with trio.open_nursery() as nursery:
            self.deliveries.begin(child, Hello(hooks=HOOKS, package="p"), nursery, policy=policy, replay=replay)
            yield child
            nursery.cancel_scope.cancel()
        self.deliveries.end()

    def tell(self, *seqs: int, name: str = "VI_1") -> None:
        for seq in seqs:
            hook = "became_master" if seq % 2 else "became_backup"
            change = StateChange(seq=seq, time="", instance=name, old="", new="MASTER", reason="", priority=1)
            self.put(name, Letter(hook, change=change))

    def put(self, lane: str, letter: Letter) -> None:
        self.telling.present.note(lane, letter)
        self.deliveries.put(lane, letter)

    @property
    def seqs(self) -> list[int]:
        return [heard[1] for heard in self.heard]

    def figures(self) -> dict[str, int]:
        """Those that are not 0, and the sum that must be right."""
        found = {name: number for name, number in asdict(self.deliveries.figures).items() if number}
        ends = sum(found.get(end, 0) for end in ("delivered", "superseded", "dropped", "given_up"))
        assert found.get("taken", 0) == ends + self.deliveries.queued
        return found


async def test_events_come_one_after_the_other_and_instances_beside_each_other(autojump_clock):
    plugin = Plugin()
    async with plugin.life():
        plugin.tell(1, 3)
        plugin.tell(2, name="VI_2")
        await trio.sleep(0.5)
        assert sorted(plugin.heard) == [("VI_1", 1, 1, 0, False), ("VI_2", 2, 1, 0, False)]
        await trio.sleep(1)
        assert sorted(plugin.seqs) == [1, 2, 3]
        await trio.sleep(1)
    assert plugin.figures() == {"taken": 3, "delivered": 3}


async def test_what_came_during_an_outage_is_counted_and_comes_late_and_in_order(autojump_clock):
    plugin = Plugin()
    async with plugin.life():
        plugin.tell(1)
        await trio.sleep(0.5)
    plugin.tell(2, 3)
    assert plugin.figures() == {"taken": 3, "waited": 3}
    async with plugin.life():
        await trio.sleep(10)
    assert [heard[1:3] for heard in plugin.heard] == [(1, 1), (1, 2), (2, 1), (3, 1)]
    assert plugin.figures() == {"taken": 3, "waited": 3, "delivered": 3, "late": 3, "again": 1}


async def test_what_came_before_its_hooks_were_known_and_is_none_of_them_does_not_count(autojump_clock):
    plugin = Plugin()
    plugin.tell(1)
    plugin.put("VI_1", Letter("faulted", change=StateChange(time="", instance="VI_1", old="", new="FAULT", **ANY)))
    assert plugin.figures() == {"taken": 2, "waited": 2}
    async with plugin.life():
        await trio.sleep(5)
    assert plugin.figures() == {"taken": 1, "waited": 1, "delivered": 1, "late": 1}


async def test_latest_tells_only_how_it_ended_after_an_outage(autojump_clock):
    plugin = Plugin()
    async with plugin.life("latest"):
        plugin.tell(1)
        await trio.sleep(0.5)
    plugin.tell(2, 3, 4)
    async with plugin.life("latest"):
        await trio.sleep(10)
    assert plugin.heard == [("VI_1", 1, 1, 0, False), ("VI_1", 4, 1, 3, False)]
    assert plugin.figures() == {"taken": 4, "superseded": 3, "delivered": 1, "waited": 4, "late": 1}
    assert [(loss.lane, loss.why, loss.first, loss.last, loss.count) for loss in plugin.told] == [
        ("VI_1", "superseded", 1, 1, 1)
    ], "the others are told together, later"


async def test_what_three_processes_died_of_is_given_up_and_said(autojump_clock):
    plugin = Plugin()
    plugin.dies_of = {1}
    plugin.tell(1, 2)
    for _ in range(4):
        async with plugin.life() as child:
            with trio.move_on_after(5):
                await child.ending.wait()
    assert [heard[1:3] for heard in plugin.heard] == [(1, 1), (1, 2), (1, 3), (2, 1)]
    assert plugin.figures() == {"taken": 2, "given_up": 1, "delivered": 1, "waited": 2, "late": 1, "again": 2}
    assert [loss.words() for loss in plugin.told] == ["1 event (seq 1) given up: each of 3 processes that had it died"]


async def test_a_new_process_that_asks_for_it_is_told_how_things_are(autojump_clock):
    plugin = Plugin()
    async with plugin.life(replay=True):
        plugin.tell(1, 2)
        plugin.tell(3, name="VI_2")
        await trio.sleep(5)
        plugin.heard.clear()
    async with plugin.life(replay=True):
        await trio.sleep(5)
    assert sorted(plugin.heard) == [("VI_1", 2, 1, 0, True), ("VI_2", 3, 1, 0, True)], (
        "the last of each, with its number"
    )
    assert plugin.figures() == {"taken": 5, "delivered": 5, "replayed": 2}


async def test_one_that_does_not_ask_is_told_nothing_twice(autojump_clock):
    plugin = Plugin()
    for _ in range(2):
        async with plugin.life():
            plugin.tell(len(plugin.heard) + 1)
            await trio.sleep(5)
    assert plugin.heard == [("VI_1", 1, 1, 0, False), ("VI_1", 2, 1, 0, False)]


async def test_what_is_still_to_be_told_is_not_replayed(autojump_clock):
    plugin = Plugin()
    async with plugin.life(replay=True):
        plugin.tell(1)
        await trio.sleep(5)
    plugin.tell(2)
    plugin.tell(3, name="VI_2")
    async with plugin.life(replay=True):
        await trio.sleep(5)
    assert sorted(heard[1:] for heard in plugin.heard) == [(1, 1, 0, False), (2, 1, 0, False), (3, 1, 0, False)]


async def test_a_replay_knows_the_addresses_and_nothing_of_what_was_deleted_or_is_no_hook(autojump_clock):
    plugin = Plugin()
    for seq, address in enumerate(("a", "b", "a"), 1):
        about = VipChange(seq=seq, time="", instance="VI_1", address=address, change="vip_bound")
        plugin.put("VI_1", Letter("vip_changed", vip_change=about))
    plugin.tell(4, name="VI_2")
    gone = StateChange(seq=5, time="", instance="VI_2", old="", new="DELETED", reason="", priority=1)
    plugin.put("VI_2", Letter("stopped", change=gone))
    plugin.put("", Letter("event", event={"seq": 6}))
    plugin.deliveries = plugin.new()
    async with plugin.life(replay=True):
        await trio.sleep(5)
    assert plugin.heard == [("VI_1", 2, 1, 0, True), ("VI_1", 3, 1, 0, True)]


async def test_a_replay_is_of_the_instance_as_it_is_now_and_of_the_addresses_that_it_still_has(autojump_clock):
    plugin = Plugin()
    old, new = (
        Router(
            name="VI_1", vrid=1, version=3, priority=priority, interface="eth0", addresses=tuple(map(address, names))
        )
        for priority, names in ((100, "ab"), (150, "bc"))
    )
    for seq, name in enumerate("ab", 1):
        about = VipChange(seq=seq, time="", instance="VI_1", address=name, change="vip_bound")
        plugin.put("VI_1", Letter("vip_changed", old, vip_change=about))
    plugin.routers["VI_1"] = new
    assert [(lane, letter.seq, letter.router) for lane, letter in plugin.telling.replays()] == [("VI_1", 2, new)]


def address(name: str) -> Address:
    return Address(address=name, prefixlen=24, interface="eth0")


async def test_a_successor_delivers_what_was_left_and_goes_on_counting(autojump_clock):
    plugin = Plugin()
    plugin.tell(1, 2)
    predecessor, plugin.deliveries = plugin.deliveries, plugin.new()
    plugin.tell(3)
    plugin.deliveries.inherit(predecessor)
    async with plugin.life():
        await trio.sleep(5)
    assert plugin.seqs == [1, 2, 3]
    assert plugin.figures() == {"taken": 3, "delivered": 3, "waited": 3, "late": 3}


async def test_what_nobody_will_answer_any_more_is_counted_and_said(autojump_clock):
    plugin = Plugin()
    plugin.tell(1, 2)
    plugin.deliveries.abandon("not delivered: the daemon has ended")
    assert plugin.figures() == {"taken": 2, "dropped": 2, "waited": 2}
    assert [loss.words() for loss in plugin.told] == ["2 events (seq 1 to 2) not delivered: the daemon has ended"]


async def test_a_flood_is_told_at_once_and_then_every_ten_seconds_and_in_the_end_to_the_last(autojump_clock):
    plugin = Plugin()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(plugin.losses.run)
        plugin.tell(*range(1, LETTERS_MAX + 4))
        why = f"dropped: {LETTERS_MAX} are waiting, and there are newer ones of the same instance"
        assert [loss.words() for loss in plugin.told] == [f"1 event (seq 1) {why}"]
        await trio.sleep(PAUSE + 1)
        assert [loss.words() for loss in plugin.told[1:]] == [f"2 events (seq 2 to 3) {why}"]
        plugin.tell(*range(LETTERS_MAX + 4, LETTERS_MAX + 8))
        await trio.sleep(5 * PAUSE)
        assert [loss.words() for loss in plugin.told[2:]] == [f"4 events (seq 4 to 7) {why}"]
        plugin.tell(LETTERS_MAX + 8)
        assert plugin.told[-1].words() == f"1 event (seq 8) {why}", "after a pause the first is told at once again"
        nursery.cancel_scope.cancel()
    assert sum(loss.count for loss in plugin.told) == plugin.figures()["dropped"] == 8
