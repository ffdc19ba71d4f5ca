"""A router that keeps failing is held back from preempting, and from nothing else."""

from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hafw.node import CheckSettings, InstanceSettings, Node
from hafw.node.flapping import FREE
from hafw.records import instance_record
from hafw.vrrp.actions import Notice, Transition
from hafw.vrrp.events import (
    AddressesInstalled,
    AdvertReceived,
    LinkChanged,
    PlanReported,
    Startup,
    Tick,
    VerdictReported,
)
from hafw.vrrp.packet import Advertisement
from hafw.vrrp.settings import RouterSettings, State

VIP, OWN, PEER = map(ip_address, ("192.0.2.250", "192.0.2.1", "192.0.2.2"))


class Host:
    """Priority 150, a critical check and one with a weight; beside it a MASTER of 100, heard while ``rival``."""

    def __init__(self, *, flap_hold=10.0, flap_hold_max=80.0, **settings):
        router = RouterSettings(
            name="VI_1",
            interface="eth0",
            vrid=51,
            virtual_addresses=(VIP,),
            flap_hold=flap_hold,
            flap_hold_max=flap_hold_max,
            **{"priority": 150, **settings},
        )
        checks = (CheckSettings(name="nginx", critical=True, rise=1, fall=1), CheckSettings(name="disk", weight=-60))
        self.now, self.told, self.rival = 0.0, [], True
        self.preempted_while_held = 0
        self.node = Node([InstanceSettings(router=router, checks=checks)], 0.0)
        self.feed(LinkChanged("eth0", up=True, primary={4: OWN}), PlanReported("VI_1"))
        self.verdict("nginx", healthy=True)
        self.verdict("disk", healthy=True)
        self.feed(Startup("VI_1"))
        self.run(10.0)

    @property
    def state(self):
        return self.node.instances["VI_1"].router.state

    @property
    def flapping(self):
        return instance_record(self.node.instances["VI_1"], self.now)["flapping"]

    @property
    def damping(self):
        return self.node.instances["VI_1"].damping

    def feed(self, *events):
        for event in events:
            held = self.node.instances["VI_1"].damping.since is not None
            actions = self.node.handle(event, self.now)
            came = [each.reason for each in actions if isinstance(each, Transition)]
            self.preempted_while_held += held and "preempted" in came
            notices = [each for each in actions if isinstance(each, Notice) and each.router == "VI_1"]
            self.told += [dict(each.fields) for each in notices if each.kind == "flapping"]
            tenure = self.node.instances["VI_1"].router.tenure
            if tenure.bound and not tenure.installed:
                self.feed(AddressesInstalled("VI_1"))

    def verdict(self, check, *, healthy):
        self.feed(VerdictReported("VI_1", check, healthy, "so it says", immediate=True))

    def run(self, seconds):
        """A second at a time; the other one is MASTER while we are not, and heard while it lives."""
        until = self.now + seconds
        while self.now < until:
            if self.rival and self.state is not State.MASTER:
                advert = Advertisement(version=3, vrid=51, priority=100, interval=1.0, addresses=(VIP,))
                self.feed(AdvertReceived("VI_1", advert, PEER))
            step = min(self.now + 1.0, until)
            while self.node.deadline <= step:
                self.now = max(self.now, self.node.deadline)
                self.feed(Tick())
            self.now = step

    def fail(self, check="nginx", seconds=1.0):
        self.verdict(check, healthy=False)
        self.run(seconds)
        self.verdict(check, healthy=True)

    def until_master(self):
        begun = self.now
        while self.state is not State.MASTER:
            self.run(1.0)
            assert self.now < begun + 1000
        return self.now - begun


def test_the_first_troubles_cost_nothing():
    host = Host()
    for _ in range(FREE):
        host.fail()
        assert host.until_master() < 6
    assert host.told == []


def test_then_it_preempts_later_each_time_up_to_a_limit():
    host = Host()
    waits = []
    for _ in range(FREE + 6):
        host.fail()
        waits.append(host.until_master())
    assert all(wait < 6 for wait in waits[:FREE])
    for wait, hold in zip(waits[FREE:], [10, 20, 40, 80, 80, 80], strict=True):
        assert hold <= wait < hold + 6


def test_the_beginning_and_the_end_are_told_once_each():
    host = Host()
    for _ in range(FREE + 2):
        host.fail()
    assert host.told == [{"on": True, "troubles": FREE + 1, "hold": 10.0}]
    assert host.flapping == {"troubles": FREE + 2, "hold_seconds": 20.0, "since_seconds": 2.0, "left_seconds": 20.0}
    host.run(20.0)
    assert host.told[1:] == [{"on": False, "seconds": 22.0}]
    assert host.flapping is None


def test_while_the_trouble_lasts_nobody_can_say_until_when():
    host = Host()
    for _ in range(FREE):
        host.fail()
    host.verdict("nginx", healthy=False)
    assert host.flapping == {"troubles": FREE + 1, "hold_seconds": 10.0, "since_seconds": 0.0, "left_seconds": None}
    host.run(100.0)
    host.verdict("nginx", healthy=True)
    assert host.flapping["left_seconds"] == 10.0


@pytest.mark.parametrize("goodbye", [False, True])
def test_it_takes_over_at_once_when_nobody_else_is_master(goodbye):
    host = Host()
    for _ in range(FREE + 3):
        host.fail()
    host.run(5.0)
    assert (host.state, host.flapping is not None) == (State.BACKUP, True)
    host.rival = False
    if goodbye:
        gone = Advertisement(version=3, vrid=51, priority=0, interval=1.0, addresses=(VIP,))
        host.feed(AdvertReceived("VI_1", gone, PEER))
    host.run(1.0 if goodbye else 4.0)
    assert (host.state, host.flapping is not None) == (State.MASTER, True)


def test_a_weight_counts_as_a_critical_check_does():
    host = Host()
    for _ in range(FREE + 1):
        host.fail("disk")
    assert host.flapping["troubles"] == FREE + 1


def test_a_link_that_goes_and_comes_is_trouble():
    host = Host()
    for _ in range(FREE + 1):
        host.feed(LinkChanged("eth0", up=False, primary={}, problem="no carrier"))
        host.run(1.0)
        host.feed(LinkChanged("eth0", up=True, primary={4: OWN}))
    assert host.flapping["troubles"] == FREE + 1
    assert host.until_master() >= 10


def test_giving_way_to_a_better_one_is_no_trouble():
    host = Host()
    for _ in range(2 * FREE):
        better = Advertisement(version=3, vrid=51, priority=200, interval=1.0, addresses=(VIP,))
        host.feed(AdvertReceived("VI_1", better, PEER))
        assert host.state is State.BACKUP
        host.until_master()
    assert host.told == []


def test_old_troubles_are_forgotten():
    host = Host()
    for _ in range(2 * FREE):
        host.fail()
        host.run(81.0)
        assert host.state is State.MASTER
    assert host.told == []


def test_zero_holds_nobody_back():
    host = Host(flap_hold=0.0)
    for _ in range(2 * FREE):
        host.fail()
    assert host.until_master() < 6
    assert host.told == []


def test_an_owner_is_never_held_back():
    host = Host(priority=255, owner=True)
    for _ in range(2 * FREE):
        host.fail()
        assert host.state is State.MASTER
    assert host.told == []


def test_a_pause_is_a_trouble_that_is_over_at_once():
    host = Host()
    for _ in range(FREE + 1):
        host.until_master()
        host.now += 2.5  # its adverts are late, and another MASTER is there
        advert = Advertisement(version=3, vrid=51, priority=100, interval=1.0, addresses=(VIP,))
        host.feed(AdvertReceived("VI_1", advert, PEER))
        assert host.state is State.BACKUP
    assert host.flapping["left_seconds"] == 10.0


def test_after_troubles_that_are_forgotten_the_next_one_costs_nothing():
    host = Host()
    for _ in range(FREE + 1):
        host.fail()
    host.run(10.0 + 80.0)
    host.fail()
    assert (host.damping.troubles, host.damping.until) == (1, host.now), "it may preempt again at once"
    assert host.until_master() < 6


def test_troubles_are_forgotten_at_the_very_moment_at_which_it_was_well_for_long_enough():
    host = Host()
    for _ in range(FREE):
        host.fail()
    host.run(80.0)
    host.fail()
    assert host.damping.troubles == 1


def test_the_first_that_is_heard_of_a_check_may_be_trouble_already():
    host = Host()
    host.node = Node([each.settings for each in host.node.instances.values()], host.now)
    host.verdict("nginx", healthy=False)
    assert host.damping.troubles == 1


def test_how_long_it_was_held_back_is_told_in_milliseconds():
    host = Host()
    for _ in range(FREE):
        host.fail()
    host.fail(seconds=1.23456)
    host.run(10.0)
    assert host.told[-1] == {"on": False, "seconds": 11.235}


def test_at_the_very_end_of_the_hold_an_advert_of_a_lower_master_is_not_waited_for_any_more():
    host = Host()
    for _ in range(FREE + 1):
        host.fail()
    host.run(9.0)
    host.now += 1.0
    listener = host.node.instances["VI_1"].router.listener
    patience = listener.down_at
    assert host.now == host.damping.until < patience
    advert = Advertisement(version=3, vrid=51, priority=100, interval=1.0, addresses=(VIP,))
    host.feed(AdvertReceived("VI_1", advert, PEER))
    assert listener.down_at == patience


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["nginx fails", "nginx passes", "disk fails", "disk passes", "rival", "no rival", "wait"]),
            st.sampled_from([0.0, 0.4, 1.0, 3.0, 12.0, 45.0, 90.0]),
        ),
        max_size=40,
    )
)
def test_whatever_happens_it_never_preempts_while_held_and_always_serves_where_nobody_does(story):
    host = Host()
    for what, seconds in story:
        if what.endswith("rival"):
            host.rival = what == "rival"
        elif what != "wait":
            check, verdict = what.split()
            host.verdict(check, healthy=verdict == "passes")
        host.run(seconds)
    assert not host.preempted_while_held
    host.rival = False
    host.verdict("nginx", healthy=True)
    host.run(4.0)
    assert host.state is State.MASTER
    host.verdict("disk", healthy=True)
    host.run(81.0)
    assert host.flapping is None
