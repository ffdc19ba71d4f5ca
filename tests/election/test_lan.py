"""Two and three routers on a simulated LAN: what a client and a switch would see."""

from ipaddress import ip_address
from random import Random

import pytest

from hafw.node import CheckSettings, InstanceSettings
from hafw.sim.lan import Lan
from hafw.vrrp.actions import Announce, Notice, SendAdvertisement, Transition
from hafw.vrrp.events import AdvertReceived, LinkChanged, VerdictReported
from hafw.vrrp.packet import Advertisement
from hafw.vrrp.settings import RouterSettings

NAME = "VI_1"
VIP = ip_address("10.77.0.250")
VIP6 = ip_address("fe80::77:250")
DELAY, INSTALL = 0.001, 0.002
BOTH_VERSIONS = pytest.mark.parametrize("version", [2, 3])


def instance(name=NAME, checks=(), **settings):
    settings = {"interface": "eth0", "vrid": 51, "virtual_addresses": (VIP,), **settings}
    return InstanceSettings(router=RouterSettings(name=name, **settings), checks=tuple(checks))


def lan_of(seed=0, common=None, wire=None, **hosts):
    """``a=100``: host a with this priority, or ``a={...}`` with these settings; addresses .11, .12, ... in order."""
    lan = Lan(Random(seed), **{"delay": DELAY, "install_delay": INSTALL, **(wire or {})})
    for number, (host, given) in enumerate(hosts.items(), 11):
        settings = {**(common or {}), **(given if isinstance(given, dict) else {"priority": given})}
        primary = settings.pop("primary", (f"10.77.0.{number}", f"fe80::{number}"))
        lan.add(host, [instance(**settings)], *map(ip_address, primary))
    return lan


def running(**hosts):
    """All started at 0, elected and quiet at 10 s."""
    lan = lan_of(**hosts)
    for host in lan.hosts:
        lan.start(host)
    lan.run_until(10.0)
    return lan


def adverts(lan, host, since=0.0):
    return [entry.time for entry in lan.log if entry.host == host and entry.time >= since and is_advert(entry.action)]


def is_advert(action):
    return isinstance(action, SendAdvertisement) and action.priority > 0


def kinds(lan, host, since):
    return [action.kind for action in lan.actions(host, since) if isinstance(action, Notice)]


def moves(lan, host, since=0.0):
    """The states entered, with their reasons."""
    found = [action for action in lan.actions(host, since) if isinstance(action, Transition)]
    return [(str(action.new), action.reason) for action in found]


def announced(lan, host, since):
    return any(isinstance(action, Announce) for action in lan.actions(host, since))


def elected(lan, host):
    return lambda: lan.masters(NAME) == {host} and lan.holders(VIP) == {host}


def just_after_an_advert(lan, host):
    """Run to the moment at which everybody has heard an advert of this host."""
    before = len(adverts(lan, host))
    lan.drive_bounded(lambda: len(adverts(lan, host)) > before, 2.0)
    lan.run_until(lan.now + 2 * DELAY)


# -- election


@BOTH_VERSIONS
def test_c_sim_01_c_sim_02_the_highest_priority_is_elected(version):
    lan = running(common={"version": version}, a=100, b=200, c=150)
    assert elected(lan, "b")()
    assert moves(lan, "a") == [("BACKUP", "startup")]
    assert moves(lan, "b") == [("BACKUP", "startup"), ("MASTER", "no-response")]


def test_c_sim_01_the_lower_ones_never_say_a_word():
    lan = running(a=100, b=200, c=150)
    assert adverts(lan, "a") == adverts(lan, "c") == []
    assert adverts(lan, "b") == pytest.approx([3.21875, 4.21875, 5.21875, 6.21875, 7.21875, 8.21875, 9.21875])


def test_over_ipv6_too():
    lan = running(common={"virtual_addresses": (VIP6,)}, a=100, b=200)
    assert (lan.masters(NAME), lan.holders(VIP6)) == ({"b"}, {"b"})


def test_c_fsm_33_two_families_with_the_same_vrid_are_elected_apart():
    lan = Lan(Random(0), delay=DELAY, install_delay=INSTALL)
    for host, four, six in (("a", 100, 200), ("b", 200, 100)):
        pair = [instance("four", priority=four), instance("six", priority=six, virtual_addresses=(VIP6,))]
        lan.add(host, pair, ip_address(f"10.77.0.{four}"), ip_address(f"fe80::{six}"))
        lan.start(host)
    lan.run_until(10.0)
    assert (lan.masters("four"), lan.masters("six")) == ({"b"}, {"a"})
    assert (lan.holders(VIP), lan.holders(VIP6)) == ({"b"}, {"a"})


@BOTH_VERSIONS
def test_c_fsm_24_equal_priorities_that_speak_together_leave_the_higher_address(version):
    lan = running(common={"version": version}, a=100, b=100, c=100)
    assert elected(lan, "c")()
    assert sum(span.seconds for span in lan.rivalled(NAME, 0.0)) <= 2 * DELAY


def test_c_fsm_26_equal_addresses_never_drive_each_other():
    twin = {"priority": 100, "primary": ("10.77.0.11",)}
    lan = running(a=twin, b=twin)
    assert lan.masters(NAME) == {"a", "b"}
    lan.run_until(110.0)
    for host in ("a", "b"):
        assert len(adverts(lan, host, since=10.0)) == 100
        assert sum(isinstance(action, Announce) for action in lan.actions(host, 10.0)) <= 400


# -- failure


@BOTH_VERSIONS
def test_c_sim_07_silent_death_is_noticed_after_master_down_interval(version):
    lan = running(common={"version": version}, a=100, b=200)
    just_after_an_advert(lan, "b")
    last = adverts(lan, "b")[-1]
    lan.power_off("b")
    lan.drive_bounded(elected(lan, "a"), 10.0)
    (gap,) = lan.unheld(VIP, 10.0)
    assert gap.end == pytest.approx(last + DELAY + 3.609375 + INSTALL)


def test_c_sim_07_of_two_backups_the_better_takes_over_and_the_other_stays_silent():
    lan = running(a=100, b=200, c=150)
    lan.power_off("b")
    lan.drive_bounded(elected(lan, "c"), 4.0)
    lan.run_until(30.0)
    assert moves(lan, "a") == [("BACKUP", "startup")]


def test_a_daemon_killed_without_its_guard_leaves_addresses_that_the_successor_claims():
    lan = running(a=100, b=200)
    lan.kill("b")
    lan.drive_bounded(lambda: lan.holders(VIP) == {"a", "b"}, 5.0)
    assert lan.unheld(VIP, 10.0) == []
    lan.start("b")
    assert lan.holders(VIP) == {"a"}


@BOTH_VERSIONS
def test_c_sim_06_a_goodbye_hands_over_within_the_skew_and_without_a_gap(version):
    lan = running(common={"version": version}, a=100, b=200)
    lan.stop("b")
    left = lan.now
    lan.drive_bounded(elected(lan, "a"), 2.0)
    assert adverts(lan, "a") == pytest.approx([left + DELAY + 0.609375])
    assert lan.unheld(VIP, 10.0) == []
    assert lan.hosts["b"].node.done
    assert sum(action == SendAdvertisement(NAME, 0) for action in lan.actions("b")) == 1


def test_handover_holds_until_claimed_not_until_the_first_advert():
    lan = running(wire={"install_delay": 0.4}, a=100, b=200)
    lan.stop("b")
    lan.drive_bounded(lambda: bool(adverts(lan, "a")), 2.0)
    lan.run_until(lan.now + 0.399)
    assert lan.holders(VIP) == {"b"}
    lan.run_until(lan.now + 2 * DELAY)
    assert lan.holders(VIP) == {"a"}
    assert lan.unheld(VIP, 10.0) == []


def test_handover_to_a_successor_that_never_claims_ends_half_a_second_after_its_advert():
    lan = running(wire={"install_delay": 0.4}, a=100, b=200)
    lan.hosts["a"].refusal = "EINVAL"
    lan.stop("b")
    lan.drive_bounded(lambda: bool(adverts(lan, "a")), 2.0)
    spoken = lan.now
    lan.drive_bounded(lambda: not lan.holders(VIP), 5.0)
    assert lan.now == pytest.approx(spoken + DELAY + 0.5)


def test_a_failed_check_hands_over_without_a_gap():
    check = CheckSettings(name="web", critical=True, fall=1)
    lan = lan_of(a=100, b={"priority": 200, "checks": [check]})
    lan.start("a")
    lan.start("b")
    lan.inject("b", VerdictReported(NAME, "web", healthy=True))
    lan.run_until(10.0)
    lan.inject("b", VerdictReported(NAME, "web", healthy=False, detail="refused"))
    lan.drive_bounded(elected(lan, "a"), 2.0)
    assert lan.unheld(VIP, 10.0) == []
    assert moves(lan, "b")[-1] == ("FAULT", "check-failed")


def test_c_fsm_36_a_lost_link_is_a_silent_death_for_the_others():
    lan = running(a=100, b=200)
    lan.isolate("b")
    lan.inject("b", LinkChanged("eth0", up=False, primary={}, problem="no carrier"))
    assert SendAdvertisement(NAME, 0) not in lan.actions("b")
    lan.drive_bounded(lambda: lan.masters(NAME) == {"a"} and "a" in lan.holders(VIP), 4.0)


# -- preemption


@BOTH_VERSIONS
def test_preemption_leaves_no_moment_without_an_owner_of_the_address(version):
    lan = lan_of(common={"version": version}, a=100, b=200)
    lan.start("a")
    lan.run_until(10.0)
    lan.start("b")
    lan.drive_bounded(elected(lan, "b"), 10.0)
    assert lan.unheld(VIP, 10.0) == []
    assert [span.seconds for span in lan.rivalled(NAME, 0.0)] == pytest.approx([DELAY])
    assert moves(lan, "b") == [("BACKUP", "startup"), ("MASTER", "preempted")]
    assert moves(lan, "a")[-1] == ("BACKUP", "higher-priority")
    assert kinds(lan, "a", 10.0) == ["vip_released"]
    assert kinds(lan, "b", 10.0) == ["takeover_complete"]


def test_preemption_with_a_slow_keeper_leaves_the_master_alone_until_it_is_done():
    lan = lan_of(wire={"install_delay": 2.5}, a=100, b=200)
    lan.start("a")
    lan.run_until(10.0)
    lan.start("b")
    lan.drive_bounded(elected(lan, "b"), 10.0)
    assert lan.unheld(VIP, 10.0) == []
    assert adverts(lan, "b") == pytest.approx([10.0 + 3.21875 + 2.5])


def test_preemption_that_is_refused_never_disturbs_the_live_master():
    lan = lan_of(a=100, b=200)
    lan.start("a")
    lan.run_until(10.0)
    lan.refuse("b", "ENOSPC")
    lan.start("b")
    lan.run_until(600.0)
    assert adverts(lan, "b") == []
    assert lan.unheld(VIP, 10.0) == lan.rivalled(NAME, 10.0) == []
    assert len(moves(lan, "a")) == 2
    attempts = sum(action == ("FAULT", "address-refused") for action in moves(lan, "b"))
    assert attempts == 7
    lan.refuse("b", "")
    lan.drive_bounded(elected(lan, "b"), 310.0)
    assert lan.unheld(VIP, 10.0) == []


@BOTH_VERSIONS
def test_c_sim_03_nopreempt_is_sticky_after_a_restart(version):
    lan = running(common={"preempt": False, "version": version}, a=100, b=200)
    lan.power_off("b")
    lan.drive_bounded(elected(lan, "a"), 5.0)
    lan.start("b")
    since = lan.now
    lan.run_until(since + 100.0)
    assert elected(lan, "a")()
    assert moves(lan, "b", since) == [("BACKUP", "startup")]


def test_c_sim_03_c_fsm_30_the_owner_preempts_even_with_nopreempt():
    owner = {"priority": 255, "owner": True, "preempt": False}
    lan = lan_of(common={"preempt": False}, a=100, b=owner)
    lan.start("a")
    lan.run_until(10.0)
    lan.start("b")
    lan.drive_bounded(elected(lan, "b"), 1.0)
    assert lan.unheld(VIP, 10.0) == []


def test_c_fsm_37_preempt_delay_is_waited_for():
    lan = lan_of(a=100, b={"priority": 200, "preempt_delay": 30.0})
    lan.start("a")
    lan.run_until(10.0)
    lan.start("b")
    first_heard = lan.now
    lan.run_until(first_heard + 30.0)
    assert elected(lan, "a")()
    lan.drive_bounded(elected(lan, "b"), 6.0)
    assert lan.unheld(VIP, 10.0) == []


def test_c_sec_04_goodbye_of_a_stranger_makes_no_nopreempt_backup_steal():
    lan = running(common={"preempt": False}, a=100, b=100, c=100)
    (master,) = lan.masters(NAME)
    (other, *_) = sorted({"a", "b", "c"} - {master})
    goodbye = Advertisement(version=3, vrid=51, priority=0, interval=1.0, addresses=(VIP,))
    for _ in range(20):
        lan.inject(other, AdvertReceived(NAME, goodbye, ip_address("10.77.0.66")))
        lan.run_until(lan.now + 0.3)
    assert elected(lan, master)()
    assert adverts(lan, other, since=10.0) == []


def test_c_ops_03_a_fast_backup_beside_a_slow_better_master_is_master_for_two_delays_at_most():
    lan = lan_of(a={"priority": 200, "advertisement_interval": 10.0}, b=100)
    lan.start("a")
    lan.run_until(45.0)
    lan.start("b")
    lan.run_until(200.0)
    assert elected(lan, "a")()
    assert sum(span.seconds for span in lan.rivalled(NAME, 45.0)) <= 2 * DELAY + 1e-9


# -- partitions


def partitioned(seconds=20.0, **hosts):
    """b is the better; both are MASTER since a while, and cannot hear each other."""
    lan = running(**hosts)
    lan.isolate("b")
    lan.run_until(10.0 + seconds)
    assert lan.masters(NAME) == lan.holders(VIP) == {"a", "b"}
    return lan


@BOTH_VERSIONS
def test_c_sim_04_a_healed_partition_has_one_master_and_the_winner_announces_again(version):
    lan = partitioned(common={"version": version}, a=100, b=200)
    just_after_an_advert(lan, "b")
    lan.heal()
    healed = lan.now
    lan.drive_bounded(elected(lan, "b"), 2.0)
    assert lan.unheld(VIP, 10.0) == []
    assert kinds(lan, "b", healed)[0] == "split_brain"
    assert announced(lan, "b", healed)


@BOTH_VERSIONS
def test_a_healed_partition_whose_winner_speaks_first_is_claimed_after_one_reminder(version):
    """The loser gives way in silence, so the winner learns of nothing until it is reminded."""
    lan = partitioned(common={"version": version}, a=100, b=200)
    just_after_an_advert(lan, "a")
    lan.heal()
    healed = lan.now
    yielded = lan.drive_bounded(lambda: lan.masters(NAME) == {"b"}, 1.0)
    assert not announced(lan, "b", healed)
    assert lan.drive_bounded(elected(lan, "b"), 1.0) == pytest.approx(yielded + 0.5 + 2 * DELAY)
    assert lan.unheld(VIP, 10.0) == []
    assert kinds(lan, "b", healed) == ["split_brain"]
    lan.run_until(healed + 30.0)
    assert adverts(lan, "a", healed) == pytest.approx([yielded + 0.5])


def test_c_sim_05_one_way_loss_is_bounded_traffic():
    """a hears b, b does not hear a: a gives way. b hears a, a does not hear b: both MASTER, and no storm."""
    lan = running(a=100, b=200)
    lan.cut("b", "a")
    lan.run_until(110.0)
    assert lan.masters(NAME) == {"a", "b"}
    assert len(adverts(lan, "a", since=20.0)) == 90
    assert len(adverts(lan, "b", since=20.0)) <= 2 * 90 + 1
    assert sum(isinstance(action, Announce) for action in lan.actions("b", 20.0)) <= 4 * 90
    lan.heal()
    lan.drive_bounded(elected(lan, "b"), 2.0)


def test_one_way_loss_towards_the_master_disturbs_nobody():
    lan = running(a=100, b=200)
    lan.cut("a", "b")
    lan.run_until(110.0)
    assert elected(lan, "b")()
    assert adverts(lan, "a") == []


def test_c_sim_08_an_advert_for_another_vrid_changes_nothing():
    lan = running(a=100, b={"priority": 200, "vrid": 52})
    assert lan.masters(NAME) == {"a", "b"}
    assert moves(lan, "a") == moves(lan, "b") == [("BACKUP", "startup"), ("MASTER", "no-response")]


# -- chance


@pytest.mark.parametrize("seed", range(20))
def test_c_sim_01_c_sim_02_after_loss_and_restarts_the_best_is_the_only_master(seed):
    rng = Random(seed)
    lan = lan_of(seed, wire={"loss": 0.3, "jitter": 0.05}, a=50, b=100, c=100, d=200)
    for _ in range(30):
        rng.choice((lan.start, lan.power_off, lan.stop, lan.kill, lan.isolate, lambda _: lan.heal()))(
            rng.choice("abcd")
        )
        lan.run_until(lan.now + rng.uniform(0.0, 4.0))
    lan.heal()
    lan.loss = 0.0
    for host in lan.hosts:
        lan.start(host)
    lan.run_until(lan.now + 20.0)
    assert elected(lan, "d")()
