"""The simulator itself: deterministic, bounded, and in the order that the daemon keeps."""

from ipaddress import ip_address
from random import Random

import pytest

from hafw.node import InstanceSettings, Node
from hafw.sim.lan import Lan, Runaway
from hafw.sim.seen import Span
from hafw.vrrp.actions import SetAddresses, Transition
from hafw.vrrp.settings import RouterSettings

NAME = "VI_1"
VIP = ip_address("10.77.0.250")


class Insatiable(Node):
    """Always wants a Tick now, and does nothing with it."""

    deadline = 0.0


def lan_of(*priorities, seed=0, **wire):
    """Hosts a, b, ... with these priorities, all started."""
    lan = Lan(Random(seed), **wire)
    for number, priority in enumerate(priorities):
        router = RouterSettings(
            name=NAME,
            interface="eth0",
            vrid=51,
            priority=priority,
            owner=priority == 255,
            virtual_addresses=(VIP,),
        )
        lan.add("abcd"[number], [InstanceSettings(router=router)], ip_address(f"10.77.0.{11 + number}"))
    for host in lan.hosts:
        lan.start(host)
    return lan


def test_a_seed_is_a_whole_run():
    def life(seed):
        lan = lan_of(100, 100, 100, seed=seed, loss=0.3, jitter=0.05)
        lan.run_until(60.0)
        return lan.log

    assert life(1) == life(1)
    assert life(1) != life(2)


def test_what_never_comes_true_is_reported_with_who_is_what():
    lan = lan_of(100, 200)
    with pytest.raises(Runaway, match=r"did not hold within 5.0 s: at .* b: MASTER of \['VI_1'\], 1 addresses"):
        lan.drive_bounded(lambda: lan.masters(NAME) == {"a"}, 5.0)


def test_time_that_stands_still_is_a_runaway():
    lan = lan_of(100, 100)
    lan.hosts["a"].run(Insatiable([], 0.0))
    with pytest.raises(Runaway, match=r"time stands still at 0.000000"):
        lan.run_until(1.0)


def test_what_has_arrived_is_heard_before_a_deadline_of_the_same_moment():
    lan = lan_of(100, 255, delay=3.609375)
    assert lan.hosts["a"].deadline == 3.609375
    lan.run_until(3.609375)
    assert [action.new for action in lan.actions("a") if isinstance(action, Transition)] == ["BACKUP"]
    assert lan.hosts["a"].deadline == 2 * 3.609375


def test_a_new_set_makes_an_unfinished_older_one_void():
    lan = lan_of(100, install_delay=1.0)
    lan.run_until(4.0)
    lan.stop("a")
    lan.run_until(5.0)
    assert lan.holders(VIP) == set()
    assert SetAddresses(NAME, bound=(VIP,)) in lan.actions("a")


def test_who_held_what_is_told_in_whole_stretches():
    lan = lan_of(100, delay=0.0, install_delay=0.5)
    lan.run_until(5.0)
    lan.power_off("a")
    lan.run_until(7.0)
    assert lan.unheld(VIP, 0.0) == [Span(0.0, 4.109375), Span(5.0, 7.0)]
    assert lan.unheld(VIP, 4.5) == [Span(5.0, 7.0)]
    assert lan.unheld(VIP, 4.5, among=["b"]) == [Span(4.5, 7.0)]
    assert lan.rivalled(NAME, 0.0) == []
