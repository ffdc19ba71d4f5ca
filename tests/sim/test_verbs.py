"""What operators and checks do to a pair or a trio, in any order: the address is never dark, and one MASTER is left."""

from ipaddress import ip_address
from random import Random

import pytest

from hafw.node import CheckSettings, InstanceSettings
from hafw.sim.lan import Lan
from hafw.vrrp.events import MaintenanceChanged, ReleaseAsked, Suspended, VerdictReported
from hafw.vrrp.settings import RouterSettings

NAME = "VI_1"
VIP = ip_address("10.77.0.250")
WEB = CheckSettings(name="web", critical=True, rise=1, fall=1)


class Story:
    """A cluster drawn from a seed, elected, to which things happen."""

    def __init__(self, seed):
        self.draw = Random(seed)
        self.interval = self.draw.choice([1.0, 0.1])
        self.lan = Lan(self.draw, delay=0.0005, jitter=0.0005, install_delay=self.draw.choice([0.001, 0.01]))
        self.sick, self.idle = set(), set()
        priorities = self.draw.sample([50, 100, 150, 200, 250], self.draw.choice([2, 3]))
        ranking = sorted(priorities, reverse=True)
        ranked = self.draw.random() < 0.7
        for number, priority in enumerate(priorities):
            router = RouterSettings(
                name=NAME,
                interface="eth0",
                vrid=51,
                priority=priority,
                advertisement_interval=self.interval,
                virtual_addresses=(VIP,),
                rank=ranking.index(priority) if ranked else None,
                preempt=self.draw.random() < 0.8,
            )
            primary = ip_address(f"10.77.0.{number + 11}")
            self.lan.add(f"lb{number}", [InstanceSettings(router=router, checks=(WEB,))], primary)
        for name in self.lan.hosts:
            self.lan.start(name)
            self.verdict(name, healthy=True)
        self.rest(10)

    def rest(self, intervals):
        self.lan.run_until(self.lan.now + intervals * self.interval)

    def verdict(self, name, *, healthy):
        (self.sick.discard if healthy else self.sick.add)(name)
        self.lan.inject(name, VerdictReported(NAME, "web", healthy=healthy))

    def others_are_well(self, name):
        return bool(self.lan.hosts.keys() - self.sick - self.idle - {name})

    def happen(self, what):
        name = self.draw.choice(list(self.lan.hosts))
        match what:
            case "handover":
                self.lan.inject(name, ReleaseAsked(NAME))
            case "sick" if self.others_are_well(name):
                self.verdict(name, healthy=False)
            case "well":
                self.verdict(name, healthy=True)
            case "suspend":
                self.lan.inject(name, Suspended(self.draw.choice([0.5, 3.0, 30.0])))
            case "maintenance" if self.others_are_well(name):
                self.idle.add(name)
                self.lan.inject(name, MaintenanceChanged(NAME, on=True))
            case "work":
                self.idle.discard(name)
                self.lan.inject(name, MaintenanceChanged(NAME, on=False))

    def heal(self):
        for name in self.lan.hosts:
            self.lan.inject(name, MaintenanceChanged(NAME, on=False))
            self.verdict(name, healthy=True)
        self.rest(20)
        (master,) = self.lan.masters(NAME)
        assert self.lan.holders(VIP) == {master}


@pytest.mark.parametrize("seed", range(60))
def test_handovers_and_checks_in_any_order_never_leave_the_address_dark(seed):
    story = Story(seed)
    for _ in range(20):
        story.happen(story.draw.choice(["handover", "handover", "sick", "well"]))
        story.rest(story.draw.choice([0.01, 0.3, 1, 5, 12]))
    story.heal()
    assert story.lan.unheld(VIP, 10 * story.interval) == []


@pytest.mark.parametrize("seed", range(60))
def test_whatever_happens_one_master_is_left(seed):
    story = Story(seed)
    for _ in range(20):
        story.happen(story.draw.choice(["handover", "sick", "well", "suspend", "maintenance", "work"]))
        story.rest(story.draw.choice([0.01, 0.3, 1, 5, 12]))
    story.heal()
