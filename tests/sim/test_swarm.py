"""The seeded swarm finds nothing, and each of its checkers finds what it is for: a Node that was broken on purpose."""

from math import inf

import pytest

from hafw.sim.swarm import run, smallest
from hafw.vrrp.actions import SendAdvertisement, SetAddresses
from hafw.vrrp.events import AddressesClaimed, Tick
from hafw.vrrp.listener import Listener
from hafw.vrrp.router import VirtualRouter
from hafw.vrrp.speaker import Speaker
from hafw.vrrp.tenure import Tenure

SEEDS = 200


@pytest.mark.requirement("C-SIM-01", "C-SIM-02", "C-SIM-03", "C-SIM-04", "C-SIM-05", "C-SIM-06", "C-SIM-07")
@pytest.mark.requirement("C-FSM-10", "C-FSM-21", "C-SEC-05")
def test_two_hundred_worlds_keep_every_promise():
    broken = [smallest(outcome) for seed in range(SEEDS) if (outcome := run(seed)).violation]
    assert not broken, "\n".join(f"{each.violation}\n{each.world}" for each in broken)


def test_a_seed_is_a_whole_run():
    assert [run(seed) for seed in range(5)] == [run(seed) for seed in range(5)]


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


def polite(patch):
    """It says goodbye as BACKUP too (C-FSM-10)."""
    leave = VirtualRouter._leave

    def says_goodbye(self, state, reason, now, detail=""):
        return [SendAdvertisement(self.settings.name, 0), *leave(self, state, reason, now, detail)]

    patch.setattr(VirtualRouter, "_leave", says_goodbye)


def ambitious(patch):
    """It preempts whatever it was told."""
    patch.setattr(Listener, "may_preempt", lambda _self, _now: True)


def impatient(patch):
    """It waits for one advert, not for three."""
    patch.setattr(Listener, "master_down_interval", property(lambda self: 0.9 * self.master_adver_interval))


def clinging(patch):
    """It does not let go of what another machine has claimed, nor when its time is over."""
    handle = Tenure.handle

    def keeps(self, event, now):
        if isinstance(event, AddressesClaimed) or (isinstance(event, Tick) and now >= self.hold_until):
            self.hold_until = inf
            return []
        return handle(self, event, now)

    patch.setattr(Tenure, "handle", keeps)


def hasty(patch):
    """It lets go at once, as the RFC has it, before anybody has taken over."""
    hold = Tenure.hold

    def lets_go(self, *arguments, **options):
        hold(self, *arguments, **options)
        self.held, self.hold_until = (), inf
        return [self._set()]

    patch.setattr(Tenure, "hold", lets_go)


def forgetful(patch):
    """A MASTER that takes its addresses for bound, and wants none."""
    patch.setattr(Tenure, "_set", lambda self: SetAddresses(self.settings.name, bound=(), held=self.held))


def proud(patch):
    """It gives way to nobody."""
    patch.setattr(Speaker, "late", lambda _self, _now: 0.0)
    patch.setattr("hafw.vrrp.peer.Peer.outranks", lambda *_: False)


def humble(patch):
    """Every advert outranks it, and it preempts nobody."""
    patch.setattr(Listener, "may_preempt", lambda _self, _now: False)


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


MUTANTS = {
    lazy: "silence",
    chatty: "traffic",
    deaf: "voice",
    polite: "goodbye",
    ambitious: "nopreempt",
    clinging: "holder",
    hasty: "gap",
    forgetful: "holder",
    proud: "one MASTER",
    humble: "best",
    impatient: "rivals",
    sleepy: "death",
}


@pytest.mark.parametrize(("mutant", "promise"), MUTANTS.items(), ids=[each.__name__ for each in MUTANTS])
def test_a_broken_node_is_caught_within_a_few_seeds(mutant, promise, monkeypatch):
    mutant(monkeypatch)
    found = set()
    for seed in range(120):
        found.add(run(seed).promise)
        if promise in found:
            return
    raise AssertionError(f"{mutant.__name__}: {promise} was kept, found {sorted(found)}")
