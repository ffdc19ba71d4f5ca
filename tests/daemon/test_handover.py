"""``handover`` and ``maintenance`` in virtual time: real Node, real loop; wire and kernel are small fakes."""

import io
import json
import os
from ipaddress import ip_address
from math import inf

import pytest
import trio

from hafw.daemon.clock import VirtualTimer
from hafw.daemon.control import CommandError
from hafw.daemon.handover import Handovers
from hafw.daemon.loop import Election
from hafw.daemon.maintenance import Maintenance, parse_untrusted, state_path
from hafw.daemon.observe import Observer, start_logging
from hafw.node import InstanceSettings, Node
from hafw.vrrp.events import (
    AddressesClaimed,
    AddressesInstalled,
    AdvertReceived,
    LinkChanged,
    PlanReported,
    Shutdown,
    Startup,
)
from hafw.vrrp.packet import Advertisement
from hafw.vrrp.settings import RouterSettings

VIPS = {"VI_1": ip_address("192.0.2.250"), "VI_2": ip_address("192.0.2.251")}
OWN, PEER = ip_address("192.0.2.1"), ip_address("192.0.2.2")
DOWN = 3 + 106 / 256
"""Seconds: master_down_interval of priority 150 at an interval of 1 s."""
NOON = 1_800_000_000.0
"""The wall clock when virtual time is 0."""


class FakeWire:
    """Nothing arrives but what the test dispatches; remembers the priorities that were sent."""

    def __init__(self):
        self.sent = {name: [] for name in VIPS}

    def drain(self):
        return inf

    def send(self, router, priority):
        self.sent[router.settings.name].append(priority)


async def at_once(step, *arguments):
    """No thread: virtual time would not wait for it."""
    step(*arguments)


class Desk:
    """What a daemon has of both commands."""

    def __init__(self, path, nursery):
        self.wire, self.prepared, self.path, self.nursery = FakeWire(), [], path, nursery
        self.writer = start_logging(io.StringIO(), "json")
        self.observer = Observer(self.writer)
        settings = [
            RouterSettings(name=name, interface="eth0", vrid=vrid, priority=150, virtual_addresses=(vip,))
            for vrid, (name, vip) in enumerate(VIPS.items(), 51)
        ]
        self.node = Node([InstanceSettings(router=each) for each in settings], trio.current_time())
        self.election = Election(
            self.node,
            self.wire,
            self.observer,
            set_addresses=self.set_addresses,
            announce=lambda _name: None,
            changed=lambda _name, _change: None,
            timer=VirtualTimer(),
        )
        self.hooks_take = 0.0
        self.handovers = Handovers(self.election, self.observer, self.prepare)
        self.began = trio.current_time()
        self.maintenance = Maintenance(self.handovers, path, self.wall, at_once)

    def wall(self):
        return NOON + trio.current_time() - self.began

    def set_addresses(self, action):
        if action.bound:
            self.election.dispatch(AddressesInstalled(action.router))

    async def prepare(self, names):
        self.prepared += names
        await trio.sleep(self.hooks_take)

    def join(self):
        self.maintenance.restore()
        self.nursery.start_soon(self.maintenance.run)
        for name in VIPS:
            self.election.dispatch(Startup(name))
            self.election.dispatch(PlanReported(name))
        self.election.dispatch(LinkChanged("eth0", up=True, primary={4: OWN}))

    async def masters(self):
        self.join()
        await self.election.until(lambda: set(self.states()) == {"MASTER"})
        return self

    def states(self):
        return [str(each.router.state) for each in self.node.instances.values()]

    def hear(self, name, priority=100):
        advert = Advertisement(version=3, vrid=51, priority=priority, interval=1.0, addresses=(VIPS[name],))
        self.election.dispatch(AdvertReceived(name, advert, PEER))

    def claim(self, name):
        self.election.dispatch(AddressesClaimed(name, (VIPS[name],), "02:00:00:00:00:02"))

    async def successor(self, *names, after=0.03):
        """Another router that takes these over when it hears the goodbye, and then keeps speaking."""
        await self.election.until(lambda: all(0 in self.wire.sent[name] for name in names))
        await trio.sleep(after)
        for name in names:
            self.hear(name)
        await trio.sleep(0.1)
        for name in names:
            self.claim(name)
        while True:
            await trio.sleep(1)
            for name in names:
                self.hear(name)

    async def handover(self, **request):
        return (await self.handovers.command({"do": "handover", **request}))["instances"]

    async def turn(self, **request):
        return await self.maintenance.command({"do": "maintenance", **request})

    def told(self, kind):
        """Events of this kind, without number and time."""
        return [
            {key: value for key, value in event.items() if key not in {"seq", "time", "type"}}
            for event in self.observer.events
            if event["type"] == kind
        ]


@pytest.fixture
async def desk(nursery, tmp_path):
    made = Desk(tmp_path / "state" / "maintenance.json", nursery)
    nursery.start_soon(made.election.run)
    yield made
    made.writer.close()


def taken(name, seconds=0.03):
    return {"instance": name, "outcome": "taken over", "state": "BACKUP", "successor": str(PEER), "seconds": seconds}


def kept(name, state="MASTER", seconds=DOWN):
    seconds = round(seconds, 4)
    return {"instance": name, "outcome": "nobody took over", "state": state, "successor": None, "seconds": seconds}


def not_master(name, state="BACKUP"):
    return {"instance": name, "outcome": "not MASTER", "state": state, "successor": None, "seconds": None}


# -- handover


async def test_all_instances_hand_over_at_once_and_hooks_run_before(autojump_clock, desk, nursery):
    await desk.masters()
    nursery.start_soon(desk.successor, "VI_1", "VI_2")
    assert await desk.handover() == [taken("VI_1"), taken("VI_2")]
    assert desk.prepared == ["VI_1", "VI_2"]
    assert [each["planned"] for each in desk.told("handover_started")] == [True, True]
    assert [sent.count(0) for sent in desk.wire.sent.values()] == [1, 1]


async def test_one_instance_by_name_the_other_stays(autojump_clock, desk, nursery):
    await desk.masters()
    nursery.start_soon(desk.successor, "VI_2")
    assert await desk.handover(instance="VI_2") == [taken("VI_2")]
    assert desk.states() == ["MASTER", "BACKUP"]


async def test_the_answer_comes_when_the_successor_speaks_or_with_wait_when_the_addresses_are_claimed(
    autojump_clock, desk, nursery
):
    await desk.masters()
    for name in VIPS:
        nursery.start_soon(desk.successor, name)
    await desk.handover(instance="VI_1")
    assert desk.told("handover_complete") == []
    await desk.handover(instance="VI_2", wait=True)
    assert [each["outcome"] for each in desk.told("handover_complete")] == ["taken over", "taken over"]


async def test_nobody_takes_over_and_it_is_master_as_before(autojump_clock, desk):
    await desk.masters()
    assert await desk.handover(instance="VI_1") == [kept("VI_1")]
    assert desk.states() == ["MASTER", "MASTER"]


async def test_by_force_it_releases_all_the_same(autojump_clock, desk):
    await desk.masters()
    assert await desk.handover(instance="VI_1", force=True) == [kept("VI_1", "BACKUP")]


async def test_what_is_not_master_has_nothing_to_hand_over(autojump_clock, desk, nursery):
    desk.join()
    assert await desk.handover() == [not_master("VI_1"), not_master("VI_2")]
    assert desk.prepared == []


async def test_what_is_master_no_more_after_the_hooks_is_not_asked(autojump_clock, desk, nursery):
    await desk.masters()
    desk.hooks_take = 2.0

    async def outrank():
        await trio.sleep(1)
        desk.hear("VI_1", priority=200)

    nursery.start_soon(outrank)
    assert await desk.handover(instance="VI_1") == [not_master("VI_1")]
    assert desk.told("handover_started") == []


async def test_a_stop_in_the_middle_waits_for_whoever_did_not_hear_the_goodbye(autojump_clock, desk, nursery):
    """From the stop on three intervals, and the skew of the lowest priority that there may be."""
    await desk.masters()

    async def stop():
        await trio.sleep(1)
        desk.election.dispatch(Shutdown("VI_1"))

    nursery.start_soon(stop)
    assert await desk.handover(instance="VI_1") == [kept("VI_1", "INITIALIZE", 1 + 3 + 1)]


async def test_the_second_of_two_at_once_is_told(autojump_clock, desk, nursery):
    await desk.masters()
    nursery.start_soon(desk.handover)
    await desk.election.until(lambda: desk.wire.sent["VI_2"][-1] == 0)
    for second in (desk.handover(), desk.turn(on=True), desk.turn(on=False)):
        with pytest.raises(CommandError, match="another handover is under way"):
            await second


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"instance": "VI_9"}, "no instance 'VI_9': there is VI_1, VI_2"),
        ({"instance": ["VI_1"]}, "no instance ['VI_1']: there is VI_1, VI_2"),
        ({"force": 1}, "force = 1: must be true or false"),
        ({"wait": "yes"}, "wait = 'yes': must be true or false"),
    ],
)
async def test_a_request_that_makes_no_sense_moves_nothing(autojump_clock, desk, request_, message):
    await desk.masters()
    with pytest.raises(CommandError) as refused:
        await desk.handover(**request_)
    assert str(refused.value) == message
    assert desk.states() == ["MASTER", "MASTER"]


# -- maintenance


async def test_maintenance_hands_over_and_stays_backup_though_nobody_is_left(autojump_clock, desk, nursery):
    await desk.masters()
    async with trio.open_nursery() as peers:
        peers.start_soon(desk.successor, "VI_1", "VI_2")
        answer = await desk.turn(on=True, reason="kernel upgrade")
        assert answer["instances"] == [taken("VI_1"), taken("VI_2")]
        peers.cancel_scope.cancel()
    await trio.sleep(3600)
    assert desk.states() == ["BACKUP", "BACKUP"]
    assert desk.told("maintenance") == [{"on": True, "reason": "kernel upgrade"}]
    assert answer["maintenance"] == {
        "since": "2027-01-15T08:00:03Z",
        "until": None,
        "reason": "kernel upgrade",
        "for_seconds": None,
        "left_seconds": None,
    }
    assert (await desk.turn(on=False))["maintenance"] is None
    await trio.sleep(DOWN + 0.1)
    assert desk.states() == ["MASTER", "MASTER"]
    assert desk.told("maintenance")[1:] == [{"on": False, "reason": "told so"}]


async def test_where_nobody_takes_over_it_is_refused_and_nothing_changes(autojump_clock, desk, nursery):
    await desk.masters()
    nursery.start_soon(desk.successor, "VI_1")
    with pytest.raises(CommandError) as refused:
        await desk.turn(on=True)
    assert str(refused.value) == (
        "maintenance is not on: nobody took over VI_2, still MASTER here (VI_1 handed over): "
        "is another router up and healthy? --force releases anyway"
    )
    assert (await desk.turn())["maintenance"] is None
    assert not desk.path.exists()
    await trio.sleep(60)
    assert desk.states() == ["BACKUP", "MASTER"]


async def test_by_force_it_is_on_without_a_successor(autojump_clock, desk):
    await desk.masters()
    answer = await desk.turn(on=True, force=True)
    assert answer["instances"] == [kept("VI_1", "BACKUP"), kept("VI_2", "BACKUP")]
    await trio.sleep(60)
    assert desk.states() == ["BACKUP", "BACKUP"]


async def test_it_ends_when_its_time_is_over(autojump_clock, desk):
    desk.join()
    answer = await desk.turn(**{"on": True, "for": 1800.0})
    assert answer["maintenance"]["until"] == "2027-01-15T08:30:00Z"
    await trio.sleep(1799)
    assert desk.states() == ["BACKUP", "BACKUP"]
    assert (await desk.turn())["maintenance"]["left_seconds"] == 1
    await trio.sleep(1 + DOWN + 0.1)
    assert desk.states() == ["MASTER", "MASTER"]
    assert desk.told("maintenance")[-1] == {"on": False, "reason": "time is over"}
    assert not desk.path.exists()


async def test_a_second_time_replaces_the_end_not_the_beginning(autojump_clock, desk):
    desk.join()
    await desk.turn(**{"on": True, "for": 60.0, "reason": "disk"})
    await trio.sleep(30)
    answer = await desk.turn(**{"on": True, "for": 60.0})
    since, until = answer["maintenance"]["since"], answer["maintenance"]["until"]
    assert (since, until, answer["maintenance"]["reason"]) == ("2027-01-15T08:00:00Z", "2027-01-15T08:01:30Z", "")


async def test_it_survives_a_restart_by_the_wall_clock(autojump_clock, desk, nursery):
    desk.join()
    await desk.turn(**{"on": True, "for": 100.0, "reason": "kernel"})
    assert desk.path.stat().st_mode & 0o777 == 0o600
    again = Desk(desk.path, nursery)
    again.began = desk.began
    nursery.start_soon(again.election.run)
    await trio.sleep(10)
    again.join()
    assert again.told("maintenance") == []  # nobody listens yet
    await trio.sleep(89)
    assert again.states() == ["BACKUP", "BACKUP"]
    assert again.told("maintenance") == [{"on": True, "reason": "kernel", "until": "2027-01-15T08:01:40Z"}]
    await trio.sleep(1 + DOWN + 0.1)
    assert again.states() == ["MASTER", "MASTER"]
    again.writer.close()


async def test_what_ended_while_nobody_ran_is_over_at_the_start(autojump_clock, desk):
    desk.path.parent.mkdir()
    desk.path.write_text(json.dumps({"version": 1, "since": NOON - 20, "until": NOON - 10, "reason": ""}))
    desk.join()
    assert (await desk.turn())["maintenance"] is None
    assert not desk.path.exists()
    assert desk.told("maintenance") == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 2}', '{"version": 1, "since": "x"}', "\x00", "[" * 9999])
async def test_a_file_that_cannot_be_read_keeps_the_host_away_until_it_is_told_otherwise(autojump_clock, desk, text):
    desk.path.parent.mkdir()
    desk.path.write_text(text)
    desk.join()
    await trio.sleep(60)
    assert desk.states() == ["BACKUP", "BACKUP"]
    assert desk.told("maintenance")[0]["reason"].startswith(f"cannot read {desk.path}: ")
    await desk.turn(on=False)
    assert not desk.path.exists()


async def test_a_router_that_a_reload_brings_is_told_before_it_starts(autojump_clock, desk):
    desk.join()
    await desk.turn(on=True)
    desk.election.dispatch(Shutdown("VI_1"))
    desk.maintenance.introduce("VI_1")
    desk.election.dispatch(Startup("VI_1"))
    await trio.sleep(60)
    assert desk.states() == ["BACKUP", "BACKUP"]


async def test_what_could_not_be_remembered_is_refused_before_anything_moves(autojump_clock, desk):
    await desk.masters()
    desk.path.parent.write_text("in the way")
    with pytest.raises(CommandError) as refused:
        await desk.turn(on=True)
    assert str(refused.value) == (
        f"maintenance stays as it was: {desk.path}: File exists: make it writable, or set HAFW_STATE_DIR"
    )
    assert desk.told("handover_started") == []


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"on": "yes"}, "on = 'yes': must be true or false"),
        ({"on": True, "for": "30m"}, "for = '30m': must be a number of seconds"),
        ({"on": True, "for": True}, "for = True: must be a number of seconds"),
        ({"on": True, "for": 0}, "for = 0: must be above 0 and at most a year"),
        ({"on": True, "for": float("nan")}, "for = nan: must be above 0 and at most a year"),
        ({"on": True, "for": 1e99}, "for = 1e+99: must be above 0 and at most a year"),
        ({"on": True, "for": 10**400}, f"for = {10**400}: must be above 0 and at most a year"),
        ({"on": True, "reason": 7}, "reason: must be one line of at most 200 characters"),
        ({"on": True, "reason": "two\nlines"}, "reason: must be one line of at most 200 characters"),
    ],
)
async def test_a_maintenance_that_makes_no_sense_changes_nothing(autojump_clock, desk, request_, message):
    desk.join()
    with pytest.raises(CommandError) as refused:
        await desk.turn(**request_)
    assert str(refused.value) == message
    assert (await desk.turn())["maintenance"] is None


def test_the_file_lies_where_it_outlives_a_reboot(monkeypatch):
    for name in ("HAFW_STATE_DIR", "HAFW_RUN_DIR"):
        monkeypatch.delenv(name, raising=False)
    assert str(state_path()) == "/var/lib/hafw/maintenance.json"
    monkeypatch.setenv("HAFW_RUN_DIR", "/run/of-a-test")
    assert str(state_path()) == "/run/of-a-test/maintenance.json"
    monkeypatch.setenv("HAFW_STATE_DIR", "/state")
    assert str(state_path()) == f"{os.sep}state/maintenance.json"


@pytest.mark.parametrize("since", ["1e99", "Infinity", "1" + "0" * 400])
def test_a_time_that_no_clock_shows_is_damage(since):
    with pytest.raises(ValueError, match=r"is no time|damaged"):
        parse_untrusted(f'{{"version": 1, "since": {since}, "until": null, "reason": ""}}')
