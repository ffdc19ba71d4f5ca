"""The exhaustive search keeps every promise in its quick worlds, and finds Nodes that were broken on purpose.

A search is as good as what it takes for the same. So here stands, too, that it knows every attribute of a Node, that
states which look alike behave alike, and that Nodes which live a path through end where the search says.
"""

from dataclasses import is_dataclass
from random import Random
from types import MethodType

import pytest

from hafw.journal import Pages
from hafw.node import Instance
from hafw.sim.atlas import QUICK, main, world
from hafw.sim.census import Machines
from hafw.sim.exhaustive import explore, live_through, story
from hafw.sim.image import RULES, UnknownAttribute
from hafw.sim.machine import _EVENTS, Broken
from hafw.sim.replay import replay
from hafw.sim.small import INSTALL, Model
from hafw.vrrp.actions import SendAdvertisement, SetAddresses
from hafw.vrrp.listener import Listener
from hafw.vrrp.member import Member
from hafw.vrrp.router import VirtualRouter
from hafw.vrrp.settings import State
from hafw.vrrp.speaker import Speaker
from hafw.vrrp.tenure import Tenure
from tests.sim.broken import ambitious, clinging, forgetful, hasty, humble, polite

ALL = {"losses": 1, "copies": 1, "crashes": 1, "cuts": 1, "failures": 1, "requests": 1}
STORMY = world("pair", (200, 100), **ALL, overtaking=True)
BUSY = world("busy", (200, 100), failures=2, requests=6, careful=True)
PAIR = world("pair", (200, 100))
EQUAL = world("equal", (100, 100), ranked=False)
STAYS = world("nopreempt", (200, 100), wishes={"preempt": False})
STOPPED = world("requests", (200, 100), requests=1, depth=9)
PLANNED = world("planned", (200, 100), requests=1, careful=True, depth=12)
TWICE = world("two requests", (200, 100), requests=2, careful=True, depth=12)
ILL = world("one router", (100,), failures=1, requests=1)


@pytest.mark.parametrize("small", QUICK, ids=lambda each: each.name)
def test_every_interleaving_of_a_small_world_keeps_every_promise(small):
    outcome = explore(small)
    assert not outcome.broken, "\n".join(story(outcome))
    assert outcome.whole == (small.depth is None)
    assert outcome.depth == small.depth or outcome.whole
    assert outcome.states > 500


# -- what is taken for the same -------------------------------------------------------------------------------------


def some_machines(count, seed=1):
    """Machines in all kinds of states, by walks that are drawn by chance."""
    for walk in range(count):
        _, path = walked(BUSY, Random(f"{seed} {walk}"), 20 + 2 * walk)
        yield from live_through(BUSY, path)


def walked(small, rng, steps):
    """A path, and the model it went through."""
    model, path = Model(small), []
    state = model.first
    for _ in range(steps):
        choices = list(model.choices(state))
        path.append(rng.choice(choices))
        state = model.apply(state, path[-1])
    return model, tuple(path)


def parts(value, found):
    """All that changes in a Node, and what it is made of."""
    if id(value) in found:
        return
    kind = type(value)
    if kind in {dict, list}:
        for each in [*value.values()] if kind is dict else value:
            parts(each, found)
    elif kind is MethodType:
        parts(value.__self__, found)
    else:
        found[id(value)] = value
        for name in RULES.get(kind, ()):
            parts(getattr(value, name), found)


def attributes(value):
    return set(value.__dataclass_fields__) if is_dataclass(value) else set(vars(value))


def test_the_search_knows_every_attribute_of_a_node():
    found = {}
    for machine in some_machines(30):
        if machine.node is not None:
            parts(machine.node, found)
    living = [value for value in found.values() if type(value) in RULES]
    assert {type(each) for each in living} == set(RULES)
    for each in living:
        assert attributes(each) == set(RULES[type(each)]), f"{type(each).__name__}: see hafw/sim/image.py"


def test_a_kind_that_may_change_and_is_not_copied_stops_the_search(monkeypatch):
    begin = Listener.__init__

    def grown(self, *arguments, **options):
        begin(self, *arguments, **options)
        self.clashes = {"not", "frozen"}

    monkeypatch.setattr(Listener, "__init__", grown)
    monkeypatch.setattr("hafw.sim.machine.image", lambda *_: "whatever")
    with pytest.raises(UnknownAttribute, match=r"set: say in hafw/sim/image.py how it is copied"):
        explore(PAIR)


@pytest.mark.parametrize("kind", [Instance, Member, Listener, Speaker, Tenure])
def test_an_attribute_that_nobody_has_judged_stops_the_search(kind, monkeypatch):
    begin = kind.__init__

    def grown(self, *arguments, **options):
        begin(self, *arguments, **options)
        self.novelty = 0

    monkeypatch.setattr(kind, "__init__", grown)
    with pytest.raises(UnknownAttribute, match=rf"{kind.__name__}.novelty: say in hafw/sim/image.py"):
        explore(PAIR)


def test_a_copy_goes_its_own_way_and_is_the_same_until_then():
    for machine in some_machines(20, seed=2):
        if machine.node is None:
            continue
        before, other = machine.image(), machine.copied()
        assert other.image() == before
        shared = {type(value) for value in changing(machine.node) if id(value) in map(id, changing(other.node))}
        assert not shared
        for deed in [*_EVENTS, "loses power"]:
            copied = machine.copied()
            outcome(copied, (deed, None))
        assert machine.image() == before


def changing(node):
    found = {}
    parts(node, found)
    return [value for value in found.values() if type(value) in RULES]


def outcome(machine, deed):
    """What comes of it, as others see it."""
    try:
        said = machine.live(deed)
    except Broken as broken:
        return str(broken)
    return said, machine.image()


class Suspicious(Machines):
    """Looks at each machine that is taken for one that is known, whether it does what that one does."""

    compared = 0

    def _number(self, machine):
        number = self._numbers.get(machine.image())
        if number is not None and machine.node is not None:
            known = self.machine(number)
            deeds = [(word, None) for word in _EVENTS if word != "has installed" or machine.installing is not None]
            deeds += [("hears", ("advert", 1 - machine.number, each)) for each in (0, 100, 200)]
            deeds += [("hears", ("claim", 1 - machine.number, frozenset(machine.settings.all_addresses)))]
            if machine.deadline > 0:
                deeds.remove(("looks at its timers", None))
            for deed in deeds:
                assert outcome(known.copied(), deed) == outcome(machine.copied(), deed), deed
            self.compared += 1
        return super()._number(machine)


@pytest.mark.parametrize("small", [STORMY, STAYS], ids=["stormy", "nopreempt"])
def test_states_that_look_alike_behave_alike(small):
    model = Model(small)
    machines = model.machines = Suspicious(small.routers, INSTALL)
    rng = Random(5)
    for _ in range(12):
        state = model.first
        for _ in range(60):
            state = model.apply(state, rng.choice(list(model.choices(state))))
    assert machines.compared > 20


def test_nodes_that_live_a_path_through_end_where_the_search_says():
    for seed in range(40):
        rng = Random(seed)
        model, path = walked(STORMY, rng, 80)
        state = model.first
        for choice in path:
            state = model.apply(state, choice)
        lived = live_through(STORMY, path)
        assert [each.image() for each in lived] == [model.machines.image(number) for number in state[0][0]]


# -- Nodes that were broken on purpose ------------------------------------------------------------------------------


def lazy(patch):
    """A MASTER that takes its time for the next advert."""
    due = Speaker._due

    def late(self, now):
        actions = due(self, now)
        self.adver_at += 0.5
        return actions

    patch.setattr(Speaker, "_due", late)


def chatty(patch):
    """It answers every advert of a loser, eight times."""
    patch.setattr(Speaker, "_reply", lambda self, _now: [self._advert(self.priority)] * 8)


def talkative(patch):
    """A BACKUP that speaks."""
    tick = VirtualRouter._backup_tick

    def speaks(self, now):
        speech = SendAdvertisement(self.settings.name, self.priority)
        return [*tick(self, now), *([speech] if self.state is State.BACKUP else [])]

    patch.setattr(VirtualRouter, "_backup_tick", speaks)


def proud(patch):
    """It gives way to nobody."""
    patch.setattr("hafw.vrrp.peer.Peer.outranks", lambda *_: False)


def squatting(patch):
    """It lets go of its addresses, and does not tell the kernel."""
    let_go = Tenure._let_go

    def tells_people_only(self, outcome):
        return [each for each in let_go(self, outcome) if not isinstance(each, SetAddresses)]

    patch.setattr(Tenure, "_let_go", tells_people_only)


def sleepy(patch):
    """It waits for twenty adverts."""
    patch.setattr(Listener, "master_down_interval", property(lambda self: 20 * self.master_adver_interval))


def dreaming(patch):
    """It does nothing about a deadline that has come."""
    patch.setattr(VirtualRouter, "_backup_tick", lambda _self, _now: [])


def dying(patch):
    """It cannot hear a goodbye."""

    def dies(_self, _event, _now):
        raise ValueError("a goodbye")

    patch.setattr(Listener, "take_goodbye", dies)


def busy(patch):
    """It goes on in maintenance."""
    patch.setattr(VirtualRouter, "_release", lambda _self, _now, *, force: [])  # noqa: ARG005


def rash(patch):
    """A stop during a handover does not wait for those who have joined meanwhile: a mistake that we had made."""
    patch.setattr(Tenure, "hold_on", lambda *_, said=True: [])  # noqa: ARG005


def resentful(patch):
    """Who recovers while handing over does not notice: a mistake that we had made."""
    settle = Instance._settle

    def forgets(self, now, *, can_send=True):
        if self.router.handing_over and not self.causes:
            return []
        return settle(self, now, can_send=can_send)

    patch.setattr(Instance, "_settle", forgets)


MUTANTS = {
    lazy: (PAIR, "silence"),
    chatty: (EQUAL, "traffic"),
    talkative: (PAIR, "voice"),
    polite: (STOPPED, "goodbye"),
    ambitious: (STAYS, "nopreempt"),
    proud: (EQUAL, "rivals"),
    clinging: (PAIR, "rest"),
    hasty: (PLANNED, "gap"),
    forgetful: (PAIR, "gap"),
    squatting: (PLANNED, "addresses"),
    humble: (PAIR, "rest"),
    sleepy: (PAIR, "rest"),
    dreaming: (PAIR, "deadline"),
    dying: (STOPPED, "exception"),
    busy: (STOPPED, "maintenance"),
    rash: (TWICE, "gap"),
    resentful: (ILL, "rest"),
}


@pytest.mark.parametrize("small", sorted({small for small, _ in MUTANTS.values()}, key=str), ids=lambda each: each.name)
def test_where_broken_nodes_are_caught_a_sound_one_is_not(small):
    assert not explore(small).broken


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda each: each.__name__)
def test_a_broken_node_is_caught(mutant, monkeypatch):
    small, promise = MUTANTS[mutant]
    mutant(monkeypatch)
    found = explore(small, alone=promise == "rest")
    assert found.promise == promise, "\n".join(story(found))
    assert found.path


def test_the_path_is_told_in_plain_words_and_can_be_replayed(monkeypatch):
    polite(monkeypatch)
    found = explore(STOPPED)
    assert story(found) == [
        "   0.0000  lb1 starts",
        "   0.0000  lb1 is asked to stop",
        "   0.0000  goodbye: lb1 says goodbye as BACKUP",
    ]
    live_through(STOPPED, found.path, pages := Pages())
    assert replay(pages.lines).difference is None
    monkeypatch.undo()
    assert replay(pages.lines).difference is not None


def test_the_command_prints_bound_states_and_result(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("sys.argv", ["atlas", "--quick", "pair, nopreempt"])
    assert main() == 0
    printed = capsys.readouterr().out
    assert "pair, nopreempt: any number of choices, starts, losses 1\n" in printed
    assert " states (all that there are), " in printed
    assert "result: every promise is kept" in printed
    ambitious(monkeypatch)
    monkeypatch.setattr("sys.argv", [*("atlas", "--quick", "pair, nopreempt"), "--journal", str(tmp_path / "journal")])
    assert main() == 1
    assert "nopreempt: lb" in capsys.readouterr().out
    assert replay((tmp_path / "journal").read_text("utf-8").splitlines()).difference is None
