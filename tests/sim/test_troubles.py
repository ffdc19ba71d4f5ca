"""Bad weather and clocks of their own: each trouble of a LAN does what it is called by, and nothing else."""

from ipaddress import ip_address
from random import Random

import pytest

from hafw.node import InstanceSettings
from hafw.sim.troubles import TroubledLan
from hafw.vrrp.actions import Notice, SendAdvertisement
from hafw.vrrp.events import ReleaseAsked
from hafw.vrrp.settings import RouterSettings

NAME, VIP = "VI_1", ip_address("192.0.2.100")


def lan_of(*priorities, rates=(), **wire):
    lan = TroubledLan(Random(1), **wire)
    for number, priority in enumerate(priorities, 1):
        router = RouterSettings(name=NAME, interface="eth0", vrid=51, priority=priority, virtual_addresses=(VIP,))
        lan.add(f"lb{number}", [InstanceSettings(router=router)], ip_address(f"192.0.2.{number}"))
    for host, rate in zip(lan.hosts.values(), rates, strict=False):
        host.rate = rate
    for name in lan.hosts:
        lan.start(name)
    return lan


def adverts(lan, name, since):
    return sum(isinstance(each, SendAdvertisement) for each in lan.actions(name, since))


def test_a_clock_that_is_fast_makes_a_router_early_by_as_much():
    lan = lan_of(100, rates=[1.25])
    lan.run_until(10.0)
    began = next(entry.time for entry in lan.log if isinstance(entry.action, SendAdvertisement))
    assert began == pytest.approx(3.609375 / 1.25)
    assert adverts(lan, "lb1", 4.0) == pytest.approx(6.0 * 1.25, abs=1)


@pytest.mark.parametrize("rate", [0.3, 0.99, 1.0001, 3.7])
def test_a_moment_is_the_first_at_which_the_clock_shows_it(rate):
    host = lan_of(100, rates=[rate]).hosts["lb1"]
    host.slept = 0.1
    rng = Random(0)
    for _ in range(1000):
        reading = rng.uniform(0.0, 1e5)
        moment = host.moment(reading)
        assert host.clock(moment) >= reading
        assert moment == pytest.approx((reading + 0.1) / rate)


def test_frames_overtake_each_other_only_when_they_are_to():
    def arrivals(reordered):
        lan, came = lan_of(100, 50), []
        lan.reordered, lan.detour = reordered, 0.05
        for number in range(100):
            lan._broadcast(lan.hosts["lb1"], lambda _host, number=number: came.append(number))
            lan.run_until(lan.now + 0.001)
        lan.run_until(lan.now + 1.0)
        assert sorted(came) == list(range(100))
        return came

    assert arrivals(0.0) == list(range(100))
    assert arrivals(0.3) != list(range(100))


@pytest.mark.parametrize(("lost", "late", "outcome"), [(0.0, 0.0, "claimed by"), (1.0, 0.0, "not claimed in time")])
def test_claims_are_lost_apart_from_adverts(lost, late, outcome):
    lan = lan_of(150, 100)
    lan.run_until(10.0)
    lan.claims_lost, lan.claims_late = lost, late
    lan.inject("lb1", ReleaseAsked(NAME))
    lan.run_until(15.0)
    (released,) = [each for each in lan.actions("lb1") if isinstance(each, Notice) and each.kind == "vip_released"]
    assert released.fields["outcome"].startswith(outcome)
    assert lan.unheld(VIP, 10.0) == []
    assert lan.masters(NAME) == lan.holders(VIP) == {"lb2"}


def test_claims_are_late_apart_from_adverts():
    def released_at(late):
        lan = lan_of(150, 100)
        lan.run_until(10.0)
        lan.claims_late = late
        lan.inject("lb1", ReleaseAsked(NAME))
        lan.run_until(15.0)
        return next(entry.time for entry in lan.log if isinstance(entry.action, Notice) and "claimed by" in str(entry))

    assert released_at(0.0) < released_at(0.2) < released_at(0.0) + 0.2


def test_a_machine_that_sleeps_answers_nobody_and_its_clock_stands_still():
    lan = lan_of(150, 100)
    lan.run_until(10.0)
    lan.sleep("lb1", 20.0)
    assert lan.holders(VIP) == set()
    assert lan.is_away("lb1")
    lan.run_until(29.9)
    assert lan.masters(NAME) == lan.holders(VIP) == {"lb2"}
    before = lan.hosts["lb1"].clock(10.0)
    lan.run_until(30.0)
    assert lan.hosts["lb1"].clock(30.0) == pytest.approx(before)
    lan.run_until(60.0)
    assert lan.masters(NAME) == lan.holders(VIP) == {"lb1"}


def test_addresses_that_somebody_removes_are_put_back():
    lan = lan_of(150, 100)
    lan.run_until(10.0)
    lan.steal("lb1", NAME)
    assert lan.holders(VIP) == set()
    lan.run_until(11.0)
    assert lan.masters(NAME) == lan.holders(VIP) == {"lb1"}
    lan.steal("lb2", NAME)  # a BACKUP has none to lose
    assert lan.log[-1].host == "lb1"
