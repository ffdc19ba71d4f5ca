"""Clusters whose failures are played: at rest they stay at rest, rows tell every case, and sums agree with play."""

from dataclasses import replace
from ipaddress import ip_address
from random import Random

import pytest

from hafw.config.weights import Candidate, matters
from hafw.node import CheckSettings, InstanceSettings
from hafw.sim.failures import Cluster
from hafw.sim.folding import Timing, cases, fold, rounded, unmoved
from hafw.sim.life import Failure, Kind, Play
from hafw.vrrp.actions import SetAddresses, Transition
from hafw.vrrp.listener import Listener
from hafw.vrrp.settings import RouterSettings

VIP, INNER = ip_address("192.0.2.100"), ip_address("198.51.100.100")
OUT, IN = Failure("lb1", Kind.LINK, interface="eth0"), Failure("lb1", Kind.LINK, interface="eth1")
ELSEWHERE = (ip_address("10.0.0.2"),)


def instance(priority, checks=(), **more):
    settings = RouterSettings(**{"name": "VI_1", "interface": "eth0", "vrid": 51, "virtual_addresses": (VIP,), **more})
    return (InstanceSettings(router=replace(settings, priority=priority), checks=tuple(checks)),)


def members(priority, checks=(), *, inner=None, goodbye=(), **more):
    """A sync group: an outer and an inner side, with one VRID, since each is on a wire of its own."""
    more |= {"group": "VG_1"}
    inside = {"name": "VI_2", "interface": "eth1", "virtual_addresses": (INNER,), "goodbye": goodbye}
    return instance(priority, checks, **more) + instance(inner or priority, checks, **more, **inside)


def one(*failures):
    """At the same moment."""
    return (frozenset(failures),)


def drawn(seed, made=instance):
    """A cluster of two or three routers, drawn by chance."""
    rng = Random(seed)
    priorities = rng.sample([50, 90, 100, 110, 150, 254], rng.choice([2, 3]))
    checks = [CheckSettings(name=name, weight=rng.choice([-120, -60, -20, -5, 15, 60])) for name in ("one", "two")]
    if rng.random() < 0.3:
        checks[1] = CheckSettings(name="two", critical=True)
    ranked, preempt = rng.random() < 0.5, rng.random() < 0.7
    more = {"preempt": preempt, "preempt_delay": rng.choice([0.0, 0.0, 70.0]), "last_resort": rng.random() < 0.7}
    ranks = {each: place if ranked else None for place, each in enumerate(sorted(priorities, reverse=True))}
    return {f"lb{n}": made(each, checks, rank=ranks[each], **more) for n, each in enumerate(priorities, 1)}


def drawn_group(seed):
    """Members that rank the routers alike, at other distances."""
    inner = dict(zip([50, 90, 100, 110, 150, 254], sorted(Random(-seed).sample(range(1, 255), 6)), strict=True))
    return drawn(seed, lambda priority, checks, **more: members(priority, checks, inner=inner[priority], **more))


@pytest.mark.parametrize("cluster", [*map(drawn, range(10)), *map(drawn_group, range(6))])
def test_what_is_at_rest_stays_at_rest(cluster):
    cluster, rng = Cluster(cluster), Random(1)
    play = Play(cluster.routers)
    for _ in range(3):
        play.fail(rng.sample(cluster.failures, 1))
        lan = play._lan
        lan.log.clear()
        lan.run_until(lan.now + 90.0)
        assert [each for each in lan.log if isinstance(each.action, Transition | SetAddresses)] == []


@pytest.mark.parametrize("cluster", [*map(drawn, (0, 1, 3, 6)), drawn_group(1)])
def test_the_rows_tell_every_case_and_each_in_one_way(cluster):
    cluster = Cluster(cluster)
    found = list(cases(cluster, 2))
    rows = fold(cluster, found, 2)
    for case in found:
        told = [(fit, row.verdict) for row in rows if (fit := fits(row, case))]
        best = max((fit for fit, _ in told), default=0)
        ends = {verdict for fit, verdict in told if fit == best}
        assert (ends - {unmoved(cluster.start)} or ends) == {case.verdict}, case.failures


def fits(row, case):
    """How much of this case a row names, for the closest one counts, and what moves before what does not.

    So does a reader take it. 0: it tells of other cases.
    """
    if row.timing is not case.timing:
        return 0
    if row.timing in {Timing.ORDER, Timing.ORDER_OR_ONCE}:
        steps = tuple(frozenset({each}) for each in case.failures)
        same = len(steps) == len(row.choices) and all(
            step in some for step, some in zip(steps, row.choices, strict=True)
        )
        return len(steps) if same else 0
    by_router = {each.router: frozenset(f for f in case.failures if f.router == each.router) for each in case.failures}
    if not set(row.routers) <= by_router.keys() <= {*row.routers, *row.whatever}:
        return 0
    named = [max((len(each) for each in some if each <= by_router[name]), default=0) for name, some in cores(row)]
    return 1 + sum(named) if all(named) else 0


def cores(row):
    return zip(row.routers, row.choices, strict=True)


@pytest.mark.parametrize(
    "cluster",
    # Two and three routers, ranked and not, with and without preemption; each has a check that is of no use.
    [*map(drawn, (3, 5, 10, 16, 22, 26, 35)), *map(drawn_group, (1, 6))],
)
def test_what_the_sums_call_useless_changes_nothing_in_play(cluster):
    """For every other thing that fails, and every check: with and without it the same router is MASTER."""
    cluster = Cluster(cluster)
    candidates = {name: candidate(each) for name, each in cluster.routers.items()}
    useless = [check for check in candidates["lb1"].weights if not matters(check, candidates, deaths=True)]
    assert useless
    for check in useless:
        others = [each for each in cluster.failures if each.check != check]
        for name in cluster.routers:
            for other in [(), *((each,) for each in others)]:
                without = cluster.outcome((frozenset(other),)).failed.masters if other else cluster.start.masters
                failing = frozenset({Failure(name, Kind.CHECK, check)})
                for course in ((failing | {*other},), (failing, frozenset(other)), (frozenset(other), failing)):
                    if all(course):
                        assert cluster.outcome(course).failed.masters == without, (check, name, other)


def candidate(instances):
    def skew(standing):
        listeners = [Listener(each.router) for each in instances]
        for listener, priority in zip(listeners, standing, strict=True):
            listener.set_priority(priority)
        return tuple(each.skew_time for each in listeners)

    first, *others = (each.router for each in instances)
    weights = {each.name: each.weight for each in instances[0].checks if not each.critical}
    inner = tuple(each.priority for each in others)
    return Candidate(priority=first.priority, others=inner, preempt=first.preempt, weights=weights, skew=skew)


def test_a_pair_moves_exactly_where_the_sums_say_so():
    """Of two routers with preemption and one check: what can move is seen to move."""
    for first, second, weight in [(150, 100, w) for w in (-20, -49, -50, -51, -60)] + [(50, 100, w) for w in (20, 51)]:
        check = CheckSettings(name="nginx", weight=weight)
        cluster = Cluster({"lb1": instance(first, [check]), "lb2": instance(second, [check])})
        candidates = {name: candidate(each) for name, each in cluster.routers.items()}
        ends = {cluster.outcome((frozenset({each}),)).failed.masters for each in cluster.failures if each.check}
        moves = len(ends | {cluster.start.masters}) > 1
        assert moves is (matters("nginx", candidates, deaths=True) and weight != -50), weight  # -50 is a tie


def test_a_long_preempt_delay_is_told_in_full():
    """It is played in fewer intervals, since nothing happens in it."""
    cluster = Cluster({"lb1": instance(150, preempt_delay=300.0), "lb2": instance(100)})
    outcome = cluster.outcome(one(Failure("lb1", Kind.POWER)))
    assert outcome.mended.masters == (("lb1",),)
    assert 302.0 < outcome.mended.after < 304.0
    assert outcome.mended.dark == 0


def test_checks_that_do_the_same_are_played_once():
    checks = [CheckSettings(name=name, critical=True) for name in ("nginx", "bind", "postfix")]
    cluster = Cluster({"lb1": instance(150, checks), "lb2": instance(100, checks)})
    list(cases(cluster, 2))
    assert len(list(cluster.combinations(2))) > cluster.plays == 25


def test_a_router_without_power_fails_no_further():
    cluster = Cluster({"lb1": instance(150, [CheckSettings(name="nginx", critical=True)])})
    assert [{each.kind for each in some} for some in cluster.combinations(2)] == [{Kind.POWER}, {Kind.LINK}, {"check"}]


def test_a_goodbye_by_another_network_makes_the_dark_time_short():
    """The link is gone for the adverts, and a power cut is as long as ever."""
    for goodbye, low, high in [((), 3.0, 3.1), (ELSEWHERE, 0.03, 0.04)]:
        cluster = Cluster(
            {
                name: instance(priority, rank=rank, goodbye=goodbye)
                for rank, (name, priority) in enumerate([("lb1", 150), ("lb2", 100)])
            }
        )
        assert low < cluster.outcome(one(Failure("lb1", Kind.LINK))).dark < high
        assert 3.0 < cluster.outcome(one(Failure("lb1", Kind.POWER))).dark < 3.1


# -- sync groups ------------------------------------------------------------------------------------------------


def group_of(*priorities, **more):
    return Cluster({f"lb{rank + 1}": members(each, rank=rank, **more) for rank, each in enumerate(priorities)})


def test_a_group_moves_as_a_whole_when_one_link_of_it_fails():
    """The member that is well answers until it is relieved; the others wait for one advert of the other, not three."""
    cluster = group_of(150, 100)
    assert [str(each) for each in cluster.failures] == ["power", "link eth0", "link eth1"] * 2
    outcome = cluster.outcome(one(IN))
    assert outcome.failed.masters == (("lb2",), ("lb2",))
    assert outcome.failed.joint == {"lb1": "FAULT", "lb2": "MASTER"}
    assert outcome.darkness["VI_1"] == 0
    assert 1.0 < outcome.dark == outcome.darkness["VI_2"] < 1.1
    assert outcome.mended.masters == (("lb1",), ("lb1",))


def test_a_group_that_loses_all_its_links_at_once_says_no_goodbye_on_any():
    cluster = group_of(150, 100)
    assert 3.0 < cluster.outcome(one(OUT, IN)).dark < 3.1
    assert cluster.outcome((*one(OUT), *one(IN))).dark < 1.1


def test_a_member_of_a_group_may_say_goodbye_by_another_network():
    cluster = group_of(150, 100, goodbye=ELSEWHERE)
    assert 0.03 < cluster.outcome(one(IN)).dark < 0.04
    assert 1.0 < cluster.outcome(one(OUT)).dark < 1.1


def test_two_routers_that_lack_one_link_each_are_no_group_and_nobody_is_master():
    cluster = group_of(150, 100)
    outcome = cluster.outcome(one(OUT, Failure("lb2", Kind.LINK, interface="eth1")))
    assert outcome.failed.masters == ((), ())
    assert outcome.failed.joint == {"lb1": "FAULT", "lb2": "FAULT"}


def test_a_check_of_one_member_takes_all_along():
    outer, inner = members(150)
    first = (replace(outer, checks=(CheckSettings(name="uplink", critical=True),)), inner)
    cluster = Cluster({"lb1": first, "lb2": members(100)})
    outcome = cluster.outcome(one(Failure("lb1", Kind.CHECK, "uplink")))
    assert outcome.failed.masters == (("lb2",), ("lb2",))
    assert outcome.dark == 0


@pytest.mark.parametrize(("weight", "moves"), [(-5, False), (-30, False), (-49, False), (-51, True), (-60, True)])
def test_a_weight_moves_a_group_when_it_is_enough_in_every_member(weight, moves):
    """110 is below 100 with -11 already; but the outer side, with 150, is not."""
    checks = [CheckSettings(name="nginx", weight=weight)]
    for inner in (150, 110):
        each = Cluster({"lb1": members(150, checks, inner=inner), "lb2": members(100, checks)})
        outcome = each.outcome(one(Failure("lb1", Kind.CHECK, "nginx")))
        assert outcome.failed.masters == (("lb2",), ("lb2",)) if moves else each.start.masters
        assert outcome.dark == 0


def test_a_weight_that_leaves_the_outer_side_ahead_may_still_keep_the_inner_one_from_returning():
    checks = [CheckSettings(name="nginx", weight=-30)]
    cluster = {"lb1": members(150, checks, inner=110), "lb2": members(100, checks)}
    assert matters("nginx", {name: candidate(each) for name, each in cluster.items()}, deaths=True)
    play = Play(Cluster(cluster).routers)
    play.fail([Failure("lb1", Kind.CHECK, "nginx"), Failure("lb2", Kind.LINK, interface="eth0")])
    assert play.rest.masters == (("lb1",), ("lb1",))


def test_whoever_is_level_in_one_member_may_be_first_when_a_link_is_gone():
    """Of two that both waited: by their skew lb1 is, but in the member that heard no goodbye both are at once."""
    more = {"preempt": False}
    checks = [CheckSettings(name="one", weight=-60)]
    routers = {
        "lb1": members(150, checks, inner=183, **more),
        "lb2": members(90, checks, inner=56, **more),
        "lb3": members(254, checks, inner=215, **more),
    }
    link = Failure("lb3", Kind.LINK, interface="eth0")
    cluster = Cluster(routers)
    assert cluster.outcome(one(link)).failed.masters == (("lb1",), ("lb1",))
    assert cluster.outcome(one(link, Failure("lb1", Kind.CHECK, "one"))).failed.masters == (("lb2",), ("lb2",))
    assert matters("one", {name: candidate(each) for name, each in routers.items()}, deaths=True)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.0, 0.0), (0.0004, 0.0), (0.0312, 0.032), (3.0, 3.0), (3.033, 3.1), (33.2, 34.0), (303.1, 304.0)],
)
def test_limits_are_rounded_upwards(seconds, told):
    assert rounded(seconds) == told
