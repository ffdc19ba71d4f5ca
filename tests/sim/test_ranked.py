"""Ranked skew (deviates from C-TMR-02): why it is safe, alone and beside routers that wait the RFC's skew.

A host without a rank is what keepalived is on the wire. The bounds: no two places of one file are the same, nobody
waits longer than the RFC says, and whoever is faster than a better router gives the role to it as always.
"""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hafw.node import InstanceSettings, Node
from hafw.vrrp.settings import RouterSettings
from tests.election.test_lan import NAME, VIP, adverts, elected, just_after_an_advert, lan_of, moves

intervals = st.one_of(
    st.tuples(st.just(3), st.integers(1, 4095).map(lambda n: n / 100)), st.tuples(st.just(2), st.integers(1, 255))
)


def file_of(*priorities, rfc=None):
    """Routers of one file, ranked, and those of other files (``rfc``: name to priority)."""
    ranks = sorted(priorities, reverse=True)
    ours = {f"r{rank}": {"priority": priority, "rank": rank} for rank, priority in enumerate(ranks)}
    return {**ours, **{name: {"priority": priority} for name, priority in (rfc or {}).items()}}


def running(common=None, wire=None, seed=0, **hosts):
    lan = lan_of(seed, common, wire, **hosts)
    for host in lan.hosts:
        lan.start(host)
    lan.run_until(20.0)
    return lan


@pytest.mark.requirement("C-OPS-01", "C-TMR-04")
@settings(deadline=None)
@given(st.lists(st.integers(1, 255), min_size=2, max_size=6, unique=True), intervals)
def test_c_tmr_02_no_two_routers_of_a_file_wait_the_same_and_the_best_waits_least(priorities, version_and_interval):
    version, interval = version_and_interval
    skews = []
    for rank, priority in enumerate(sorted(priorities, reverse=True)):
        given_ = RouterSettings(
            name=NAME,
            interface="eth0",
            vrid=51,
            version=version,
            priority=priority,
            owner=priority == 255,
            advertisement_interval=interval,
            virtual_addresses=(VIP,),
            rank=rank,
        )
        router = Node([InstanceSettings(router=given_)], 0.0).instances[NAME].router
        skews.append(router.listener.skew_time)
        assert skews[-1] <= (256 - priority) / 256 * (1.0 if version == 2 else interval)
    assert all(first < second for first, second in pairwise(skews))


@pytest.mark.parametrize(("version", "interval"), [(3, 1.0), (3, 0.1), (3, 0.01), (2, 1.0)])
def test_the_second_takes_over_alone_and_sooner_than_the_rfc_lets_it(version, interval):
    wire = {"delay": 0.0002, "install_delay": 0.0005}
    lan = running({"version": version, "advertisement_interval": interval}, wire, **file_of(200, 100, 50))
    just_after_an_advert(lan, "r0")
    lan.power_off("r0")
    died = max(adverts(lan, "r0"))
    lan.run_until(lan.now + 10 * interval)
    assert elected(lan, "r1")()
    assert adverts(lan, "r2") == []
    place = min(max(2 * interval / 64, 0.006), 156 / 256 * interval)
    assert min(adverts(lan, "r1", died)) - died == pytest.approx(3 * interval + place, abs=0.001)


@pytest.mark.parametrize("other", [250, 200, 150, 100, 60, 50, 10])
@pytest.mark.parametrize("seed", range(5))
def test_beside_a_keepalived_of_any_priority_one_master_is_left_and_it_is_the_best(other, seed):
    """Whoever is elected first, the address has an owner from then on, and the best one keeps it."""
    wire = {"delay": Random(seed).uniform(0.0001, 0.002)}
    lan = running(wire=wire, **file_of(200, 100, 50, rfc={"other": other}))
    best = max(lan.hosts, key=lambda name: (lan.hosts[name].settings(NAME).priority, name))
    if other != 200:
        assert elected(lan, best)()
    (master,) = lan.masters(NAME)
    just_after_an_advert(lan, master)
    lan.power_off(master)
    lan.run_until(lan.now + 3.0)
    lan.drive_bounded(lambda: len(lan.masters(NAME)) == 1, 1.0)
    first = lan.now
    lan.run_until(first + 20.0)
    alive = [name for name in lan.hosts if name != master]
    top = max(lan.hosts[name].settings(NAME).priority for name in alive)
    (winner,) = lan.masters(NAME)
    assert lan.hosts[winner].settings(NAME).priority == top
    assert lan.holders(VIP) == {winner}
    assert lan.unheld(VIP, first + 0.02, among=alive) == []


def test_a_lower_keepalived_never_gets_to_speak():
    lan = running(**file_of(200, 100, rfc={"other": 50}))
    lan.power_off("r0")
    lan.run_until(lan.now + 20.0)
    assert elected(lan, "r1")()
    assert moves(lan, "other") == [("BACKUP", "startup")]


def test_a_higher_keepalived_takes_the_role_from_a_quicker_hafw():
    lan = running(**file_of(200, 100, rfc={"other": 150}))
    just_after_an_advert(lan, "r0")
    lan.power_off("r0")
    lan.drive_bounded(lambda: lan.masters(NAME) == {"r1"}, 4.0)
    lan.run_until(lan.now + 20.0)
    assert elected(lan, "other")()
    assert moves(lan, "r1")[-2:] == [("MASTER", "no-response"), ("BACKUP", "higher-priority")]


def test_files_that_disagree_still_end_with_one_master():
    """Two routers that compute the same place speak at once; the priorities decide, as always."""
    lan = running(a={"priority": 200, "rank": 0}, b={"priority": 100, "rank": 1}, c={"priority": 90, "rank": 1})
    just_after_an_advert(lan, "a")
    lan.power_off("a")
    lan.run_until(lan.now + 10.0)
    assert elected(lan, "b")()


@pytest.mark.parametrize("seed", range(20))
def test_with_loss_and_delays_beyond_a_place_one_master_is_left(seed):
    wire = {"delay": 0.001, "jitter": 0.04, "loss": 0.1}
    lan = running(wire=wire, seed=seed, **file_of(200, 100, 50, rfc={"other": 150}))
    just_after_an_advert(lan, next(iter(lan.masters(NAME))))
    lan.power_off("r0")
    lan.run_until(lan.now + 10.0)
    lan.loss = 0.0
    lan.run_until(lan.now + 20.0)
    assert elected(lan, "other")()
