"""Clusters whose failures are played: at rest they stay at rest, rows tell every case, and sums agree with play."""

from ipaddress import ip_address
from random import Random

import pytest

from hafw.config.weights import Candidate, matters
from hafw.node import CheckSettings, InstanceSettings
from hafw.sim.failures import Cluster, Failure, Kind, Play
from hafw.sim.folding import Timing, cases, fold, rounded, unmoved
from hafw.vrrp.actions import SetAddresses, Transition
from hafw.vrrp.listener import Listener
from hafw.vrrp.settings import RouterSettings

VIP = ip_address("192.0.2.100")


def instance(priority, checks=(), **more):
    settings = RouterSettings(
        name="VI_1", interface="eth0", vrid=51, priority=priority, virtual_addresses=(VIP,), **more
    )
    return (InstanceSettings(router=settings, checks=tuple(checks)),)


def drawn(seed):
    """A cluster of two or three routers, drawn by chance."""
    rng = Random(seed)
    priorities = rng.sample([50, 90, 100, 110, 150, 254], rng.choice([2, 3]))
    checks = [CheckSettings(name=name, weight=rng.choice([-120, -60, -20, -5, 15, 60])) for name in ("one", "two")]
    if rng.random() < 0.3:
        checks[1] = CheckSettings(name="two", critical=True)
    ranked, preempt = rng.random() < 0.5, rng.random() < 0.7
    more = {"preempt": preempt, "preempt_delay": rng.choice([0.0, 0.0, 70.0]), "last_resort": rng.random() < 0.7}
    ranks = {each: place if ranked else None for place, each in enumerate(sorted(priorities, reverse=True))}
    return {f"lb{n}": instance(each, checks, rank=ranks[each], **more) for n, each in enumerate(priorities, 1)}


@pytest.mark.parametrize("seed", range(12))
def test_what_is_at_rest_stays_at_rest(seed):
    cluster, rng = Cluster(drawn(seed)), Random(seed)
    play = Play(cluster.routers)
    for _ in range(3):
        play.fail(rng.sample(cluster.failures, 1))
        lan = play._lan
        lan.log.clear()
        lan.run_until(lan.now + 90.0)
        assert [each for each in lan.log if isinstance(each.action, Transition | SetAddresses)] == []


@pytest.mark.parametrize("seed", range(8))
def test_the_rows_tell_every_case_and_each_in_one_way(seed):
    cluster = Cluster(drawn(seed))
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


@pytest.mark.parametrize("seed", range(30))
def test_what_the_sums_call_useless_changes_nothing_in_play(seed):
    """For every other thing that fails, and every check: with and without it the same router is MASTER."""
    cluster = Cluster(drawn(seed))
    candidates = {name: candidate(each[0]) for name, each in cluster.routers.items()}
    for check in candidates["lb1"].weights:
        if matters(check, candidates, deaths=True):
            continue
        others = [each for each in cluster.failures if each.check != check]
        for name in cluster.routers:
            for other in [(), *((each,) for each in others)]:
                without = cluster.outcome((frozenset(other),)).failed.masters if other else cluster.start.masters
                failing = frozenset({Failure(name, Kind.CHECK, check)})
                for course in ((failing | {*other},), (failing, frozenset(other)), (frozenset(other), failing)):
                    if all(course):
                        assert cluster.outcome(course).failed.masters == without, (check, name, other)


def candidate(settings):
    def skew(priority):
        listener = Listener(settings.router)
        listener.set_priority(priority)
        return listener.skew_time

    weights = {each.name: each.weight for each in settings.checks if not each.critical}
    return Candidate(priority=settings.router.priority, preempt=settings.router.preempt, weights=weights, skew=skew)


def test_a_pair_moves_exactly_where_the_sums_say_so():
    """Of two routers with preemption and one check: what can move is seen to move."""
    for first, second, weight in [(150, 100, w) for w in (-20, -49, -50, -51, -60)] + [(50, 100, w) for w in (20, 51)]:
        check = CheckSettings(name="nginx", weight=weight)
        cluster = Cluster({"lb1": instance(first, [check]), "lb2": instance(second, [check])})
        candidates = {name: candidate(each[0]) for name, each in cluster.routers.items()}
        ends = {cluster.outcome((frozenset({each}),)).failed.masters for each in cluster.failures if each.check}
        moves = len(ends | {cluster.start.masters}) > 1
        assert moves is (matters("nginx", candidates, deaths=True) and weight != -50), weight  # -50 is a tie


def test_a_long_preempt_delay_is_told_in_full():
    """It is played in fewer intervals, since nothing happens in it."""
    cluster = Cluster({"lb1": instance(150, preempt_delay=300.0), "lb2": instance(100)})
    outcome = cluster.outcome((frozenset({Failure("lb1", Kind.POWER)}),))
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


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.0, 0.0), (0.0004, 0.0), (0.0312, 0.032), (3.0, 3.0), (3.033, 3.1), (33.2, 34.0), (303.1, 304.0)],
)
def test_limits_are_rounded_upwards(seconds, told):
    assert rounded(seconds) == told
