"""Reminders on the simulated LAN: whoever gives way speaks once more at most, and nobody drives anybody."""

from ipaddress import ip_address
from random import Random

import pytest

from hafw.node import CheckSettings, InstanceSettings
from hafw.sim.lan import Lan
from hafw.vrrp.actions import Announce, SendAdvertisement, Transition
from hafw.vrrp.events import VerdictReported
from hafw.vrrp.settings import RouterSettings

NAME = "VI_1"
VIP = ip_address("10.77.0.250")
BOTH_VERSIONS = pytest.mark.parametrize("version", [2, 3])
BOTH_MODES = pytest.mark.parametrize("preempt", [True, False])
SICK = CheckSettings(name="sick", weight=-150, rise=1, fall=1)


def lan_of(seed=0, wire=None, *, priorities, **settings):
    """Hosts by name with their priorities, at .11, .12, ...; all started, and cut off from each other."""
    lan = Lan(Random(seed), **(wire or {}))
    for number, (host, priority) in enumerate(priorities.items(), 11):
        router = RouterSettings(
            name=NAME, interface="eth0", vrid=51, priority=priority, virtual_addresses=(VIP,), **settings
        )
        lan.add(host, [InstanceSettings(router=router, checks=(SICK,))], ip_address(f"10.77.0.{number}"))
        lan.isolate(host)
    for host in lan.hosts:
        lan.start(host)
    return lan


def healed(**given):
    """All were MASTER; since now they hear each other."""
    lan = lan_of(**given)
    lan.run_until(20.0)
    assert lan.masters(NAME) == set(lan.hosts)
    lan.heal()
    return lan


def speech(lan, since=0.0):
    """For each host: the adverts that it sent as MASTER, those that it sent otherwise, and how often it gave way."""
    told = {host: [0, 0, 0] for host in lan.hosts}
    state = dict.fromkeys(lan.hosts, "INITIALIZE")
    for entry in lan.log:
        match entry.action:
            case Transition(old=old, new=new):
                state[entry.host] = new
                told[entry.host][2] += entry.time >= since and (old, new) == ("MASTER", "BACKUP")
            case SendAdvertisement(priority=priority) if priority and entry.time >= since:
                first = state[entry.host] == "BACKUP" and not becomes_master(lan, entry)
                told[entry.host][first] += 1
    return told


def becomes_master(lan, entry):
    """The first advert of a MASTER comes before its transition, at the same moment."""
    return any(
        other.time == entry.time and other.host == entry.host and getattr(other.action, "new", "") == "MASTER"
        for other in lan.log
    )


@BOTH_VERSIONS
@BOTH_MODES
def test_c_sim_05_three_masters_that_meet_say_one_word_too_many_each(version, preempt):
    lan = healed(priorities={"a": 100, "b": 150, "c": 200}, version=version, preempt=preempt)
    lan.run_until(50.0)
    assert (lan.masters(NAME), lan.holders(VIP)) == ({"c"}, {"c"})
    told = speech(lan, since=20.0)
    assert told["a"] == told["b"] == [0, 1, 1]
    assert told["c"][0] <= 30 + 2
    assert told["c"][1:] == [0, 0]
    assert lan.unheld(VIP, 10.0) == []


@BOTH_VERSIONS
@pytest.mark.parametrize("count", [2, 3, 4])
def test_equal_priorities_that_meet_end_with_the_highest_address(version, count):
    names = "abcd"[:count]
    lan = healed(priorities=dict.fromkeys(names, 100), version=version)
    lan.run_until(22.0)
    assert (lan.masters(NAME), lan.holders(VIP)) == ({names[-1]}, {names[-1]})
    lan.run_until(120.0)
    told = speech(lan, since=22.0)
    assert [told[name] for name in names[:-1]] == [[0, 0, 0]] * (count - 1)
    assert told[names[-1]][1:] == [0, 0]


@BOTH_VERSIONS
@BOTH_MODES
def test_a_winner_that_is_sick_at_the_reminder_gives_way_and_there_is_one_master_again(version, preempt):
    """It fell after its last advert, so the other cannot know and the reminder demotes it: once, and no further."""
    lan = healed(priorities={"a": 100, "b": 200}, version=version, preempt=preempt)
    yielded = lan.drive_bounded(lambda: lan.masters(NAME) == {"b"}, 2.0)
    lan.run_until(yielded + 0.499)
    lan.inject("b", VerdictReported(NAME, "sick", healthy=False))
    lan.run_until(yielded + 5.0)
    (master,) = lan.masters(NAME)
    assert lan.holders(VIP) == {master}
    lan.run_until(yielded + 100.0)
    told = speech(lan, since=yielded + 2.0)
    assert lan.masters(NAME) == {master}
    assert [reminders for _, reminders, _ in told.values()] == [0, 0]


def test_c_sim_05_one_that_is_heard_by_chance_only_reminds_once_each_time_that_it_gives_way():
    """a does not hear b but for a moment every ten seconds; b hears a always."""
    lan = healed(priorities={"a": 100, "b": 200})
    for turn in range(10):
        lan.cut("b", "a")
        lan.run_until(30.0 + 10 * turn)
        lan.heal()
        lan.drive_bounded(lambda: lan.masters(NAME) == {"b"}, 2.0)
    lan.run_until(150.0)
    as_master, reminders, gave_way = speech(lan, since=20.0)["a"]
    assert reminders == gave_way == 10
    answered, *others = speech(lan, since=20.0)["b"]
    assert answered <= 130 + as_master + reminders
    assert others == [0, 0]


@BOTH_VERSIONS
@pytest.mark.parametrize("seed", range(10))
def test_c_sim_05_whatever_is_lost_nobody_reminds_more_often_than_it_gives_way(seed, version):
    priorities = {"a": 50, "b": 100, "c": 100, "d": 200}
    lan = lan_of(seed, {"loss": 0.3, "jitter": 0.05}, priorities=priorities, version=version, preempt=seed % 2 == 0)
    rng = Random(seed)
    for _ in range(40):
        host, what = rng.choice("abcd"), rng.choice(("heal", "heal", "isolate", "sick", "well"))
        if what == "heal":
            lan.heal()
        elif what == "isolate":
            lan.isolate(host)
        else:
            lan.inject(host, VerdictReported(NAME, "sick", healthy=what == "well"))
        lan.run_until(lan.now + rng.uniform(0.0, 4.0))
    told = speech(lan)
    assert sum(gave_way for _, _, gave_way in told.values()) >= 5
    for _, reminders, gave_way in told.values():
        assert reminders <= gave_way
    quiet = lan.now + 10.0
    lan.heal()
    lan.loss = 0.0
    lan.run_until(quiet + 20.0)
    (master,) = lan.masters(NAME)
    told = speech(lan, since=quiet)
    assert told.pop(master) in ([20, 0, 0], [21, 0, 0])
    assert set(map(tuple, told.values())) == {(0, 0, 0)}
    assert sum(isinstance(action, Announce) for action in lan.actions(master, quiet)) <= 2
