"""A journal holds a life so that it can be lived through again: whole, in parts, and with gaps."""

import json
from dataclasses import fields, is_dataclass, replace
from ipaddress import ip_address
from math import inf
from random import Random

import pytest

import hafw
from hafw import journal
from hafw.journal import BadRecord, Pages, RecordedNode, decode, encode
from hafw.node import CheckSettings, ConfigurationReplaced, Instance, InstanceSettings, Node
from hafw.sim.chance import draw
from hafw.sim.replay import BadJournal, replay, words
from hafw.sim.swarm import play
from hafw.vrrp.actions import Announce, Notice, SetAddresses, Transition
from hafw.vrrp.events import (
    AddressesInstalled,
    AdvertReceived,
    LinkChanged,
    PlanReported,
    Resumed,
    Shutdown,
    Startup,
    Suspended,
    Tick,
    VerdictReported,
)
from hafw.vrrp.packet import Advertisement
from hafw.vrrp.settings import Checksum, HmacSettings, RouterSettings, State

VIP, OWN, PEER = map(ip_address, ("192.0.2.100", "192.0.2.1", "192.0.2.2"))
SEEDS = range(5)


def router(name="VI_1", vrid=51, **more):
    return RouterSettings(
        name=name, interface="eth0", vrid=vrid, virtual_addresses=(ip_address(f"192.0.2.{vrid}"),), **more
    )


def instances(*names):
    return [
        InstanceSettings(router=router(name, number), checks=(CheckSettings(name="nginx", critical=True),))
        for number, name in enumerate(names, 51)
    ]


def advert(priority, name="VI_1", vrid=51):
    said = Advertisement(version=3, vrid=vrid, priority=priority, interval=1.0, addresses=(VIP,))
    return AdvertReceived(name, said, PEER)


def started(node, *names, now=0.0):
    node.handle(LinkChanged("eth0", up=True, primary={4: OWN}), now)
    for name in names:
        node.handle(PlanReported(name), now)
        node.handle(VerdictReported(name, "nginx", healthy=True), now)
        node.handle(Startup(name), now)


def run(node, until):
    """Its own deadlines, and a kernel that does what it is told at once."""
    while node.deadline <= until:
        now = node.deadline
        for action in node.handle(Tick(), now):
            if isinstance(action, SetAddresses) and action.bound:
                node.handle(AddressesInstalled(action.router), now)


class Leaves:
    """Paper that is full every few lines, and now and then takes nothing for a while."""

    def __init__(self, rng, length=25, refusals=0.0):
        self.leaves, self.rng, self.length, self.refusals = [[]], rng, length, refusals
        self.refused = 0

    @property
    def full(self):
        return len(self.leaves[-1]) >= self.length

    @property
    def ready(self):
        return self.rng.random() < 0.3

    def begin(self, line, lost=0):
        if self.full:
            self.leaves.append([])
        return self.write(lambda: line(lost))

    def write(self, line):
        if self.rng.random() < self.refusals:
            self.refused += 1
            return False
        self.leaves[-1].append(line())
        return True


# -- values -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        Startup("VI_1", deferring=True),
        advert(200),
        LinkChanged("eth0", up=False, primary={4: OWN, 6: ip_address("fe80::1")}, problem="no carrier"),
        Resumed("VI_1", 1.5, 2.5, OWN, {"nginx": True}, silence=0.25, cause="SIGKILL"),
        Suspended(0.1 + 0.2),
        ConfigurationReplaced(tuple(instances("VI_1", "VI_2"))),
        Transition("VI_1", State.BACKUP, State.MASTER, "no-response", 7, 100, "detail", PEER),
        Notice("VI_1", "split_brain", {"peer": "192.0.2.2", "peer_priority": 100, "seconds": inf}),
        SetAddresses("VI_1", (VIP,), (PEER,)),
        router(checksum=Checksum.RFC9568, unicast_peers=(PEER,), source_address=OWN),
    ],
)
def test_values_come_back_as_they_were(value):
    back = decode(json.loads(json.dumps(encode(value))))
    assert back == value
    assert type(back) is type(value)


def test_enums_come_back_as_enums_for_they_are_compared_by_identity():
    back = decode(encode(Transition("VI_1", State.BACKUP, State.MASTER, "no-response", 7, 100)))
    assert back.new is State.MASTER


def test_secrets_are_not_in_a_journal():
    hmac = HmacSettings(keys={1: b"S3CRET" * 6}, active=1, source="S3CRET")
    pages = Pages()
    secret = [
        InstanceSettings(router=router(hmac=hmac)),
        InstanceSettings(router=router("VI_2", 52, password=b"S3CRET")),
    ]
    node = RecordedNode(secret, 0.0, pages)
    node.handle(ConfigurationReplaced(tuple(secret)), 1.0)
    pages.lines += [journal.state("", 1.0, each) for each in node.instances.values()]
    assert len(pages.lines) == 4
    assert "S3CRET" not in "".join(pages.lines)
    assert encode(b"S3CRET"[:0] or None) is None
    with pytest.raises(TypeError, match="bytes"):
        encode(b"S3CRET")


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"is": "Weather"}, f"Weather: hafw {hafw.__version__} knows no such kind"),
        ({"is": "Startup", "colour": "red"}, "colour"),
        ({"is": "Startup"}, "router"),
        ({"same": 9}, "9: not written by"),
        ({"ip": "192.0.2.300"}, "192.0.2.300"),
        ({"what": 1}, "an object with what: no value of a journal"),
        ({"is": "Tenure"}, "number"),
        ({"method": "nothing", "of": {"is": "Startup", "router": "VI_1"}}, "nothing"),
    ],
)
def test_nonsense_is_refused_by_name(record, message):
    with pytest.raises(BadRecord, match=message):
        decode(record)


def parts(value, seen):
    """Every object that a state is made of, by identity."""
    if id(value) in seen or value is None or isinstance(value, bool | int | float | str):
        return
    seen[id(value)] = value
    inner = [getattr(value, each.name) for each in fields(value)] if is_dataclass(value) else []
    inner += value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else []
    for each in [*inner, *getattr(value, "__dict__", {}).values()]:
        parts(each, seen)


def test_a_state_comes_back_with_everything_that_belongs_to_it():
    node = Node(instances("VI_1"), 0.0)
    started(node, "VI_1")
    run(node, 10.0)
    node.handle(advert(50), 10.2)
    node.handle(advert(200), 10.4)
    before = node.instances["VI_1"]
    after = decode(json.loads(json.dumps(encode(before))))
    assert isinstance(after, Instance)
    assert after.router.speaker._listener is after.router.listener
    assert after.router.tenure._when_over == after.router._remind
    seen_before, seen_after = {}, {}
    parts(before, seen_before)
    parts(after, seen_after)
    kinds = sorted(type(each).__name__ for each in seen_before.values() if hasattr(each, "__dict__"))
    assert kinds == sorted(type(each).__name__ for each in seen_after.values() if hasattr(each, "__dict__"))
    assert {"Contest", "Instance", "Listener", "Speaker", "Tenure", "Member"} <= set(kinds)
    assert encode(after) == encode(before)


def test_a_new_attribute_is_not_forgotten():
    before = Node(instances("VI_1"), 0.0).instances["VI_1"]
    before.router.tenure.invented = (1.5, "yesterday")
    assert decode(encode(before)).router.tenure.invented == (1.5, "yesterday")


# -- lives --------------------------------------------------------------------------------------------------------


def test_worlds_drawn_by_chance_are_lived_through_again_and_recording_changes_nothing():
    for seed in SEEDS:
        world = draw(seed, Random(seed))
        pages = Pages()
        assert play(world, pages) == play(world)
        account = replay(pages.lines)
        assert account.difference is None
        assert account.events == sum('"event"' in line for line in pages.lines) > 100
        assert (account.lost, account.untold, account.cut_off) == (0, 0, [])
        assert {notes["swarm"]["seed"] for notes in account.hosts.values()} == {seed}


@pytest.mark.parametrize("refusals", [0.0, 0.02])
def test_each_leaf_of_a_long_life_can_be_read_alone(refusals):
    """Three routers of one Node, troubled, with reloads in between; a new page every 25 lines, and lines lost."""
    names = ("VI_1", "VI_2", "VI_3")
    for seed in SEEDS:
        rng = Random(seed)
        paper = Leaves(rng, refusals=refusals)
        node = RecordedNode(instances(*names), 0.0, paper, "lb1")
        started(node, *names)
        now = 0.0
        for _ in range(300):
            now += rng.choice((0.0, 0.001, 0.3, 1.0, 4.0))
            run(node, now)
            name = rng.choice(names)
            node.handle(troubled(rng, name, names), now)
        for leaf in paper.leaves:
            account = replay(leaf)
            assert account.difference is None, account.difference
        accounts = [replay(leaf) for leaf in paper.leaves]
        assert len(accounts) > 10
        assert sum(account.events for account in accounts) > 200
        assert sum(len(account.transitions) for account in accounts) > 5
        whole = replay(line for leaf in paper.leaves for line in leaf)
        assert whole.difference is None
        assert (whole.lost > 0) == (refusals > 0)


def troubled(rng, name, names):
    vrid = 51 + names.index(name)
    kind = rng.randrange(9)
    if kind == 0:
        up = rng.random() < 0.7
        return LinkChanged("eth0", up, {4: OWN}, "" if up else "no carrier")
    if kind == 1:
        return VerdictReported(name, "nginx", healthy=rng.random() < 0.7, immediate=rng.random() < 0.5)
    if kind == 2:
        kept = [each for each in instances(*names) if rng.random() < 0.8]
        changed = [replace(each, router=replace(each.router, priority=rng.randint(1, 254))) for each in kept]
        return ConfigurationReplaced(tuple(changed))
    if kind == 3:
        return Suspended(rng.random())
    if kind == 4:
        return rng.choice((Startup(name), Startup(name), Shutdown(name)))
    if kind == 5:
        return PlanReported(name)
    return advert(rng.choice((0, 50, 200)), name, vrid)


@pytest.fixture
def quiet_life():
    """Ten seconds of a router that hears nobody, from 100 s on."""
    node = RecordedNode(instances("VI_1"), 100.0, pages := Pages(), "lb1")
    started(node, "VI_1", now=100.0)
    run(node, 110.0)
    assert replay(pages.lines).difference is None
    return pages.lines


def test_the_first_step_that_comes_out_differently_is_shown(monkeypatch, quiet_life):
    monkeypatch.setattr("hafw.vrrp.tenure.Tenure.serve", lambda *_args, **_more: [Announce("VI_1")])
    found = replay(quiet_life).difference
    assert (found.step.host, found.step.event, found.step.line) == ("lb1", "Tick", 6)
    assert found.step.at == pytest.approx(3 + 156 / 256)
    assert found.step.actions[0] == "SendAdvertisement router=VI_1 priority=100"
    assert found.actual == (*found.step.actions, "Announce router=VI_1")
    assert [each.event.split()[0] for each in found.before] == [
        "LinkChanged",
        "PlanReported",
        "VerdictReported",
        "Startup",
    ]


def test_a_deadline_that_moved_is_shown_though_nothing_was_done(monkeypatch, quiet_life):
    monkeypatch.setattr("hafw.vrrp.listener.Listener.skew_time", 0.25)
    found = replay(quiet_life).difference
    assert found.step.event == "Startup router=VI_1 deferring=false delay=0.0"
    assert found.step.actions[-1] == "to be called next at 3.609375"
    assert found.actual[-1] == "to be called next at 3.250000"


def test_code_that_breaks_is_a_difference_too(monkeypatch):
    pages = Pages()
    started(RecordedNode(instances("VI_1"), 0.0, pages), "VI_1")

    def broken(_self, _event, _now):
        raise KeyError("no such thing")

    monkeypatch.setattr("hafw.node.Instance.handle", broken)
    assert replay(pages.lines).difference.actual == ("KeyError: 'no such thing'",)


# -- damage -------------------------------------------------------------------------------------------------------


def test_a_line_that_was_cut_off_by_a_death_is_accepted_at_the_end_and_before_the_next_life():
    pages = Pages()
    started(RecordedNode(instances("VI_1"), 0.0, pages), "VI_1")
    whole, count = list(pages.lines), len(pages.lines)
    cut = [*whole, whole[1][:40]]
    assert replay(cut).cut_off == [count + 1]
    account = replay([*cut, *whole])
    assert (account.difference, account.cut_off, account.lives) == (None, [count + 1], 2)


def test_after_a_reboot_the_clock_begins_anew_and_the_story_goes_on():
    pages = Pages()
    for start in (1000.0, 5.0):
        node = RecordedNode(instances("VI_1"), start, pages)
        started(node, "VI_1", now=start)
        run(node, start + 10.0)
    account = replay(pages.lines)
    assert account.difference is None
    assert account.seconds == 2 * 9.609375
    assert [at for at, _, each in account.transitions if each.new == "MASTER"] == [3.609375, 9.609375 + 3.609375]


def test_a_daemon_that_goes_on_for_another_numbers_its_transitions_on():
    pages = Pages()
    node = RecordedNode(instances("VI_1"), 0.0, pages, seq=7)
    started(node, "VI_1")
    run(node, 5.0)
    account = replay(pages.lines)
    assert account.difference is None
    assert [each.seq for _, _, each in account.transitions] == [8, 9]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: [], "1: no beginning"),
        (lambda lines: lines[1:], "1: this host has no beginning before it"),
        (lambda lines: [lines[0], "{", *lines[1:]], "2: is no JSON object"),
        (lambda lines: [lines[0].replace('"journal":1', '"journal":2')], "1: journal = 2: this hafw reads"),
        (lambda lines: [lines[0], lines[1].replace("LinkChanged", "Weather")], "2: Weather: hafw"),
        (lambda lines: [lines[0], '{"host":"","at":0.0}'], "2: no line of a journal"),
        (lambda lines: [lines[0], '{"host":"","at":"noon","event":1}'], "2: no line of a journal"),
        (
            lambda lines: [lines[0], '{"host":"","at":1.0,"event":{"is":"State","value":"MASTER"},"actions":[]}'],
            "2: event",
        ),
        (lambda _: ["[1, 2]"], "no beginning"),
        (lambda _: ['{"seq": 1}'], "1: no line of a journal"),
    ],
)
def test_a_journal_that_makes_no_sense_is_refused_with_its_line(change, message):
    pages = Pages()
    started(RecordedNode(instances("VI_1"), 0.0, pages), "VI_1")
    with pytest.raises(BadJournal, match=message):
        replay(change(pages.lines))


def test_words():
    assert words(encode(advert(200))) == "AdvertReceived router=VI_1 source=192.0.2.2 priority=200 interval=1.0"
    assert words(encode(SetAddresses("VI_1", (VIP,), ()))) == "SetAddresses router=VI_1 bound=[192.0.2.100]"
    told = Notice("VI_1", "stall", {"seconds": 1.5, "why": "no reason"})
    assert words(encode(told)) == 'Notice router=VI_1 kind=stall fields={seconds: 1.5, why: "no reason"}'
    assert words(encode(ConfigurationReplaced(()))) == "ConfigurationReplaced instances=0"
