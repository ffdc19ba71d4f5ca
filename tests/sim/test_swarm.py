"""The seeded swarm finds nothing, and each of its checkers finds what it is for: a Node that was broken on purpose."""

from collections import Counter
from math import inf
from random import Random

import pytest

from hafw.journal import Pages
from hafw.node.group import Group
from hafw.sim import octets
from hafw.sim.chance import draw
from hafw.sim.forgery import LIKELY, WRONG
from hafw.sim.happenings import HAPPENING
from hafw.sim.replay import replay
from hafw.sim.swarm import play, run, smallest
from hafw.vrrp import packet, trailer
from hafw.vrrp.actions import Announce, SendAdvertisement
from hafw.vrrp.events import AdvertReceived
from hafw.vrrp.listener import Listener
from hafw.vrrp.router import VirtualRouter
from hafw.vrrp.speaker import Speaker
from hafw.vrrp.tenure import Tenure
from tests.sim.broken import ambitious, clinging, forgetful, hasty, humble, polite

SEEDS = 200


@pytest.mark.requirement("C-SIM-01", "C-SIM-02", "C-SIM-03", "C-SIM-04", "C-SIM-05", "C-SIM-06", "C-SIM-07", "C-SIM-08")
@pytest.mark.requirement("C-FSM-10", "C-FSM-21", "C-SEC-05")
def test_two_hundred_worlds_keep_every_promise():
    broken = [smallest(outcome) for seed in range(SEEDS) if (outcome := run(seed)).violation]
    assert not broken, "\n".join(f"{each.violation}\n{each.world}" for each in broken)


def swallowing(patch):
    """It does not answer a rival that speaks just after another one was answered."""
    reply = Speaker._reply

    def forgets(self, now):
        answer, self._owed_at = reply(self, now), inf
        return answer

    patch.setattr(Speaker, "_reply", forgets)


def restive(patch):
    """An owner that begins anew as often as it recovers."""
    patch.setattr(Listener, "again_at", property(lambda _self: -inf, lambda _self, _at: None), raising=False)


FOUND = {
    **dict.fromkeys([30172, 32198, 39874, 45246], (swallowing, "rivals")),
    **dict.fromkeys([23956, 43960], (restive, "traffic")),
}
"""Worlds of long runs: the mistake of then, and the promise that it broke."""


@pytest.mark.parametrize("seed", FOUND)
def test_what_long_runs_have_found_is_mended_and_would_be_found_again(seed, monkeypatch):
    mistake, promise = FOUND[seed]
    assert run(seed).violation == ""
    mistake(monkeypatch)
    assert run(seed).promise == promise


def test_a_seed_is_a_whole_run():
    assert [run(seed) for seed in range(5)] == [run(seed) for seed in range(5)]


def test_two_hundred_worlds_have_every_fault_and_every_option():
    worlds = [draw(seed, Random(seed)) for seed in range(SEEDS)]
    faults = [fault for world in worlds for fault in world.faults]
    assert {fault.kind for fault in faults} == set(HAPPENING)
    assert {fault.other for fault in faults if fault.kind == "wrong"} == set(WRONG)
    assert {fault.other for fault in faults if fault.kind == "forge"} == set(LIKELY)
    clusters = [[each.routers[0] for each in world.machines] for world in worlds]
    assert {len({each.version for each in some}) for some in clusters} == {1, 2}
    assert {len({each.advertisement_interval for each in some}) for some in clusters} == {1, 2}
    assert {sum(each.owner for each in some) for some in clusters} == {0, 1, 2}
    assert {len({each.priority for each in some}) == len(some) for some in clusters} == {True, False}
    assert {some[0].hmac is None for some in clusters} == {True, False}
    assert {some[0].preempt for some in clusters} == {True, False}
    assert {len({each.own for each in world.machines}) == len(world.machines) for world in worlds} == {True, False}
    assert {world.machines[0].rate != 1.0 for world in worlds} == {True, False}
    assert {(len(world.routers), world.is_grouped) for world in worlds} == {(1, False), (2, False), (2, True)}


def test_what_fails_is_made_small_and_its_journal_is_lived_through_again(monkeypatch):
    clinging(monkeypatch)
    outcome = next(each for each in map(run, range(120)) if each.violation and len(each.world.faults) > 8)
    small = smallest(outcome)
    assert small.promise == outcome.promise
    assert len(small.world.faults) <= 3
    assert len(small.world.machines) == 2
    again = play(small.world, pages := Pages())
    assert again == small
    account = replay(pages.lines)
    assert (account.difference, account.events > 5) == (None, True)
    assert str(small.world).startswith(f"seed {outcome.world.seed} kind {outcome.world.kind} ")


# -- Nodes that were broken on purpose ----------------------------------------------------------------------------


def lazy(patch):
    """A MASTER that leaves out an advert now and then."""
    due = Speaker._due

    def late(self, now):
        actions = due(self, now)
        if int(now * 10) % 7 == 0:
            self.adver_at += self.settings.advertisement_interval
        return actions

    patch.setattr(Speaker, "_due", late)


def chatty(patch):
    """It answers every advert of a loser."""
    patch.setattr(Speaker, "_reply", lambda self, _now: [self._advert(self.priority)] * 3)


def deaf(patch):
    """A BACKUP that speaks."""
    tick = VirtualRouter._backup_tick

    def speaks(self, now):
        return [SendAdvertisement(self.settings.name, self.priority), *tick(self, now)]

    patch.setattr(VirtualRouter, "_backup_tick", speaks)


def impatient(patch):
    """It waits for one advert, not for three."""
    patch.setattr(Listener, "master_down_interval", property(lambda self: 0.9 * self.master_adver_interval))


def greedy(patch):
    """It binds its addresses again as soon as it is told to stop."""
    hold = Tenure.hold

    def keeps(self, *arguments, **options):
        hold(self, *arguments, **options)
        self.bound = True
        return [self._set()]

    patch.setattr(Tenure, "hold", keeps)


def proud(patch):
    """It gives way to nobody."""
    patch.setattr(Speaker, "late", lambda _self, _now: 0.0)
    patch.setattr("hafw.vrrp.peer.Peer.outranks", lambda *_: False)


def mute(patch):
    """It does not say goodbye when it stops."""
    resign = VirtualRouter._resign

    def says_nothing(self, state, reason, now, detail="", *, can_send=True):
        return [each for each in resign(self, state, reason, now, detail, can_send=can_send) if not is_goodbye(each)]

    patch.setattr(VirtualRouter, "_resign", says_nothing)


def is_goodbye(action):
    return isinstance(action, SendAdvertisement) and action.priority == 0


def sleepy(patch):
    """It waits for ten adverts."""
    patch.setattr(Listener, "master_down_interval", property(lambda self: 10 * self.master_adver_interval))


def sulky(patch):
    """It does not answer a MASTER that ought to give way (C-FSM-25)."""
    patch.setattr(Speaker, "answer_rival", lambda *_: [])


def slow(patch):
    """It takes no notice of a goodbye."""
    take = Listener.take_goodbye

    def stays(self, event, now):
        before = self.down_at
        take(self, event, now)
        self.down_at = before

    patch.setattr(Listener, "take_goodbye", stays)


def loud(patch):
    """It answers every claim, and says everything twice."""
    patch.setattr(Tenure, "reannounce", lambda self, _now: [Announce(self.settings.name)] * 9)


def restless(patch):
    """A BACKUP that reminds the MASTER for ever."""
    handle = VirtualRouter._backup

    def reminds(self, event, now):
        actions = handle(self, event, now)
        if isinstance(event, AdvertReceived) and event.advert.priority > 1:
            actions = [*actions, SendAdvertisement(self.settings.name, 1)]
        return actions

    patch.setattr(VirtualRouter, "_backup", reminds)


def fickle(patch):
    """It gives way to a lower priority too, and so two of them go round in a circle."""
    patch.setattr("hafw.vrrp.peer.Peer.outranks", lambda *_: True)


def credulous(patch):
    """It does not look at the TTL, the checksum, nor where a packet goes."""
    patch.setattr(packet, "_check_ip_header", lambda *_: None)


def careless(patch):
    """It does not verify the checksum."""
    patch.setattr(packet, "_check_checksum", lambda *_: None)


def trusting(patch):
    """It takes any trailer for a good one."""
    verify = trailer._verify

    def believes(*arguments):
        try:
            return verify(*arguments)
        except packet.BadPacket:
            return 1

    patch.setattr(trailer, "_verify", believes)


def absent(patch):
    """It has no memory of what it heard, signed as it may be."""
    patch.setattr(octets, "Verifier", ForgetfulVerifier)


class ForgetfulVerifier(trailer.Verifier):
    def check_untrusted(self, *arguments):
        self._marks.clear()
        super().check_untrusted(*arguments)


def brittle(patch):
    """It does not survive a claim of somebody else."""

    def falls(*_):
        raise KeyError("claims")

    patch.setattr(Speaker, "hear_claim", falls)


def selfish(patch):
    """A member of a sync group that looks at no other."""

    def settle(self, now):
        return [action for each in self.members if each.router.willing for action in each.router.take_over(now)]

    patch.setattr(Group, "settle", settle)


def eager(patch):
    """It calls for itself for ever."""
    patch.setattr(Tenure, "deadline", property(lambda self: 0.0 if self.held else inf))


MUTANTS = {
    lazy: "silence",
    chatty: "traffic",
    loud: "traffic",
    deaf: "voice",
    polite: "goodbye",
    ambitious: "nopreempt",
    clinging: "addresses",
    greedy: "addresses",
    hasty: "gap",
    slow: "skew",
    forgetful: "holder",
    proud: "one MASTER",
    fickle: "soon",
    humble: "best",
    sulky: "rivals",
    impatient: "peace",
    sleepy: "death",
    restless: "peace",
    credulous: "deaf",
    careless: "deaf",
    trusting: "deaf",
    absent: "deaf",
    brittle: "crash",
    selfish: "together",
    eager: "runaway",
}


@pytest.mark.parametrize(("mutant", "promise"), MUTANTS.items(), ids=[each.__name__ for each in MUTANTS])
def test_a_broken_node_is_caught_within_a_few_seeds(mutant, promise, monkeypatch):
    mutant(monkeypatch)
    found = Counter()
    for seed in range(120):
        found[run(seed).promise] += 1
        if promise in found:
            return
    raise AssertionError(f"{mutant.__name__}: {promise} was kept, found {dict(found)}")
