"""The Node: checks and weights, causes and their order, refused addresses, several routers on one host."""

from ipaddress import ip_address

import pytest

from hafw.node import ConfigurationReplaced, InstanceSettings, Node
from hafw.vrrp.actions import Transition
from hafw.vrrp.events import AdvertReceived, LinkChanged, PlanReported, Startup, Tick
from hafw.vrrp.packet import Advertisement
from hafw.vrrp.settings import RouterSettings, State

CRITICAL = {"name": "web", "critical": True, "rise": 3, "fall": 2}


def verdicts(vr, check, *healthy):
    """The states after each verdict."""
    states = []
    for each in healthy:
        vr.verdict(check, healthy=each)
        states.append(str(vr.state))
    return states


# -- rise and fall


def test_the_first_verdict_decides_alone_for_the_better(bench):
    vr = bench(checks=[CRITICAL]).known()
    vr.startup()
    assert verdicts(vr, "web", True) == ["BACKUP"]


def test_the_first_verdict_decides_alone_for_the_worse(bench):
    vr = bench(checks=[CRITICAL]).known()
    vr.startup()
    assert verdicts(vr, "web", False) == ["FAULT"]


def test_fall_counts_consecutive_failures(bench):
    vr = bench(checks=[CRITICAL]).known()
    vr.startup()
    states = verdicts(vr, "web", True, False, True, False, True, False, False)
    assert states == ["BACKUP"] * 6 + ["FAULT"]


def test_rise_counts_consecutive_successes(bench):
    vr = bench(checks=[CRITICAL]).known()
    vr.startup()
    states = verdicts(vr, "web", False, True, True, False, True, True, True)
    assert states == ["FAULT"] * 6 + ["BACKUP"]


def test_an_immediate_verdict_skips_fall(bench):
    vr = bench(checks=[CRITICAL]).known()
    vr.startup()
    vr.verdict("web", healthy=True)
    vr.verdict("web", healthy=False, immediate=True)
    assert vr.state == "FAULT"


def test_an_unchanged_verdict_says_nothing(bench):
    vr = bench(checks=[CRITICAL]).known()
    vr.verdict("web", healthy=True)
    assert vr.verdict("web", healthy=True) == []
    assert vr.verdict("web", healthy=False) == []


def test_the_last_answer_is_kept_for_the_status(bench):
    vr = bench(checks=[CRITICAL]).known()
    vr.verdict("web", healthy=True, detail="200 OK")
    vr.at(7.0).verdict("web", healthy=False, detail="refused")
    status = vr.instance.checks["web"]
    assert (status.healthy, status.streak, status.detail, status.at) == (True, 1, "refused", 7.0)


def test_a_verdict_of_an_unknown_check_is_ignored(bench):
    assert bench().backup().verdict("other", healthy=False) == []


# -- weights


@pytest.mark.parametrize(
    ("weight", "healthy", "priority"),
    [(20, True, 120), (20, False, 100), (-20, True, 100), (-20, False, 80), (0, True, 100), (0, False, 100)],
)
def test_a_positive_weight_counts_while_healthy_a_negative_while_failing(bench, weight, healthy, priority):
    vr = bench(priority=100, checks=[{"name": "web", "weight": weight}]).backup()
    assert vr.router.priority == 100
    vr.verdict("web", healthy=healthy)
    assert vr.router.priority == priority


def test_a_critical_check_has_no_weight(bench):
    vr = bench(priority=100, checks=[{"name": "web", "critical": True, "weight": 20}]).known()
    vr.verdict("web", healthy=True)
    assert vr.router.priority == 100


@pytest.mark.parametrize(
    ("base", "weight", "healthy", "priority"),
    [(200, 253, True, 254), (10, -253, False, 1), (253, 1, True, 254), (2, -1, False, 1)],
)
def test_weights_never_reach_0_or_255(bench, base, weight, healthy, priority):
    vr = bench(priority=base, checks=[{"name": "web", "weight": weight}]).backup()
    vr.verdict("web", healthy=healthy)
    assert vr.router.priority == priority


def test_weights_add_up_before_they_are_bounded(bench):
    checks = [{"name": "a", "weight": 200}, {"name": "b", "weight": -100}]
    vr = bench(priority=150, checks=checks).backup()
    vr.verdict("a", healthy=True)
    assert vr.router.priority == 254
    vr.verdict("b", healthy=False)
    assert vr.router.priority == 250


@pytest.mark.parametrize(
    ("weight", "factor", "priority"), [(1, -40, 60), (1, 40, 140), (-2, 10, 80), (2, 0, 100), (1, 254, 254)]
)
def test_a_number_counts_so_many_times_the_weight_healthy_or_not(bench, weight, factor, priority):
    for healthy in (True, False):
        vr = bench(priority=100, checks=[{"name": "web", "weight": weight}]).backup()
        vr.verdict("web", healthy=healthy, factor=factor)
        assert vr.router.priority == priority


def test_a_number_counts_at_once_and_is_told_when_it_changes(bench):
    vr = bench(priority=100, checks=[{"name": "web", "weight": 1, "fall": 5}]).backup()
    vr.verdict("web", healthy=True, factor=0)
    assert vr.verdict("web", healthy=False, detail="says -40", factor=-40) == [
        vr.notes("check_changed", check="web", healthy=True, detail="says -40")
    ]
    assert vr.router.priority == 60
    assert vr.verdict("web", healthy=False, factor=-40) == []
    vr.verdict("web", healthy=False, factor=-50)
    assert vr.router.priority == 50


def test_a_number_that_leaves_no_priority_is_a_fault(bench):
    """keepalived: -254 or less."""
    vr = bench(priority=200, checks=[{"name": "web", "weight": 1}]).backup()
    vr.verdict("web", healthy=False, factor=-253)
    assert (vr.state, vr.router.priority) == ("BACKUP", 1)
    vr.verdict("web", healthy=False, detail="says -254", factor=-254)
    assert (vr.state, vr.router.detail) == ("FAULT", "check web: says -254")
    assert vr.router.priority == 200, "notify scripts are told the priority that it would have, as by keepalived"
    vr.verdict("web", healthy=False, factor=-1)
    assert vr.state == "BACKUP"


@pytest.mark.parametrize(("weight", "healthy"), [(-100, False), (100, True)])
def test_c_pkt_03_the_owner_s_priority_never_changes(bench, weight, healthy):
    vr = bench(priority=255, owner=True, checks=[{"name": "web", "weight": weight}]).known()
    vr.startup()
    vr.verdict("web", healthy=healthy)
    assert vr.router.priority == 255


def test_a_master_shows_its_new_priority_in_the_next_advert(bench):
    vr = bench(priority=100, checks=[{"name": "web", "weight": -50}]).settled()
    assert vr.verdict("web", healthy=False) == [vr.notes("check_changed", check="web", healthy=False, detail="")]
    assert vr.due() == [vr.sends(50)]


# -- causes


def test_the_first_cause_is_the_reason_until_it_is_gone(bench):
    vr = bench(checks=[CRITICAL]).known()
    vr.startup()
    vr.verdict("web", healthy=True)
    vr.link(up=False)
    vr.verdict("web", healthy=False, detail="refused", immediate=True)
    assert (vr.router.reason, vr.router.detail) == ("interface-down", "eth0 no carrier")
    assert vr.link() == []
    assert (vr.state, vr.router.reason, vr.router.detail) == ("FAULT", "check-failed", "check web: refused")
    assert vr.verdict("web", healthy=True, immediate=True)[1:] == [vr.moves("FAULT", "BACKUP", "recovered")]


def test_two_failing_checks_both_have_to_recover(bench):
    checks = [{"name": name, "critical": True, "rise": 1, "fall": 1} for name in ("a", "b")]
    vr = bench(checks=checks).known()
    vr.startup()
    assert verdicts(vr, "a", False) + verdicts(vr, "b", False) == ["FAULT", "FAULT"]
    assert verdicts(vr, "a", True) + verdicts(vr, "b", True) == ["FAULT", "BACKUP"]


def test_a_plan_that_fails_is_a_fault_and_one_that_works_ends_it(bench):
    vr = bench().backup()
    assert vr.plan("vip: eth9 does not exist")[0].reason == "no-takeover-plan"
    assert vr.plan() == [vr.moves("FAULT", "BACKUP", "recovered")]


def test_an_interface_without_an_address_of_the_family_is_a_fault(bench):
    vr = bench().backup()
    vr.link(primary={6: ip_address("fe80::10")})
    assert (vr.state, vr.router.reason) == ("FAULT", "no-primary-address")


# -- refused addresses


def refusals(vr, count):
    """The waits between a refusal and the next attempt."""
    waits = []
    for _ in range(count):
        vr.refused()
        waits.append(vr.instance.retry_at - vr.now)
        assert vr.run(until=vr.instance.retry_at)[-1][1] == vr.moves("FAULT", "BACKUP", "recovered")
        assert vr.run(until=vr.now + 3.75)[-1][1] == vr.moves("BACKUP", "MASTER", "no-response")
    return waits


def test_a_refused_address_is_tried_again_after_5_s_doubling_to_5_min(bench):
    vr = bench().promoted()
    assert refusals(vr, 9) == pytest.approx([5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0, 300.0])


def test_an_installed_address_does_not_start_the_waits_anew(bench):
    vr = bench().promoted()
    refusals(vr, 3)
    vr.installed()
    assert refusals(vr, 2) == pytest.approx([40.0, 80.0])


@pytest.mark.parametrize(("quiet", "wait"), [(600.0, 40.0), (600.25, 5.0)])
def test_a_failure_longer_than_twice_the_longest_wait_ago_is_forgotten(bench, quiet, wait):
    vr = bench().promoted()
    third = vr.now + 5.0 + 3.75 + 10.0 + 3.75
    assert refusals(vr, 3) == pytest.approx([5.0, 10.0, 20.0])
    vr.installed()
    vr.run(until=third + quiet)
    vr.refused()
    assert vr.instance.retry_at == vr.now + wait


def removed_until_fault(vr):
    """Somebody removes an address whenever it is back; the wait after which we try once more."""
    while vr.state == "MASTER":
        vr.lost()
        while vr.state == "MASTER" and not vr.tenure.installed:
            vr.due()
            vr.installed()
    assert vr.router.reason == "address-removed"
    return vr.instance.retry_at - vr.now


def test_addresses_that_are_removed_for_ever_are_put_back_ever_more_rarely(bench):
    vr = bench().settled()
    waits = []
    for _ in range(9):
        waits.append(removed_until_fault(vr))
        vr.run(until=vr.instance.retry_at + 3.75)
        assert vr.state == "MASTER"
        vr.installed()
    assert waits == pytest.approx([5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0, 300.0])


@pytest.mark.parametrize("lost", [{"up": False}, {"primary": {}}], ids=["link", "address"])
def test_a_link_or_an_address_of_its_own_that_returns_is_a_reason_to_try_at_once(bench, lost):
    vr = bench().promoted()
    vr.refused()
    vr.link(**lost)
    assert vr.link() == [vr.moves("FAULT", "BACKUP", "recovered")]


def test_a_new_primary_address_is_a_reason_to_try_at_once(bench):
    vr = bench().promoted()
    vr.refused()
    assert vr.link(primary={4: ip_address("10.77.0.11")}) == [vr.moves("FAULT", "BACKUP", "recovered")]


def test_news_of_the_link_that_change_nothing_are_none(bench):
    vr = bench().promoted()
    vr.refused()
    retry_at = vr.instance.retry_at
    assert vr.link() == []
    assert (vr.state, vr.instance.retry_at) == ("FAULT", retry_at)


def test_no_retry_while_another_cause_remains(bench):
    vr = bench().promoted()
    vr.refused()
    vr.plan("no plan")
    assert vr.run(until=vr.now + 5.0)[-1:] != []
    assert (vr.state, vr.router.reason) == ("FAULT", "no-takeover-plan")


# -- link


def test_a_changed_primary_address_is_the_one_compared_from_then_on(bench):
    vr = bench(priority=100).settled()
    assert vr.link(primary={4: ip_address("10.77.0.200")}) == []
    vr.advert(100, source="10.77.0.199")
    assert vr.state == "MASTER"


def test_a_configured_source_address_is_the_primary_address(bench):
    vr = bench(source_address=ip_address("10.77.0.150")).backup()
    assert vr.router.primary == ip_address("10.77.0.150")


def test_news_of_another_interface_concern_nobody(bench):
    vr = bench().backup()
    assert vr.feed(LinkChanged("eth1", up=False, primary={})) == []
    assert vr.state == "BACKUP"


# -- several routers

ADVERT = Advertisement(version=3, vrid=51, priority=200, interval=1.0, addresses=(ip_address("10.77.0.250"),))


def instance(name, vrid, address, interface="eth0", **settings):
    addresses = (ip_address(address),)
    return InstanceSettings(
        router=RouterSettings(name=name, interface=interface, vrid=vrid, virtual_addresses=addresses, **settings)
    )


def started(*instances):
    node = Node(instances, 0.0)
    primary = {4: ip_address("10.77.0.10"), 6: ip_address("fe80::10")}
    for interface in ("eth0", "eth1"):
        node.handle(LinkChanged(interface, up=True, primary=primary), 0.0)
    for each in instances:
        node.handle(PlanReported(each.router.name), 0.0)
        node.handle(Startup(each.router.name), 0.0)
    return node


def states(node):
    return [str(each.router.state) for each in node.instances.values()]


def test_c_fsm_33_two_families_with_the_same_vrid_are_independent():
    node = started(instance("four", 51, "10.77.0.250"), instance("six", 51, "fe80::250"))
    node.handle(AdvertReceived("four", ADVERT, ip_address("10.77.0.20")), 1.0)
    node.handle(Tick(), 3.609375)
    assert states(node) == ["BACKUP", "MASTER"]


def test_one_deadline_for_the_whole_host_and_one_number_for_all_transitions():
    node = started(instance("slow", 51, "10.77.0.250", priority=100), instance("fast", 52, "10.77.0.251", priority=200))
    assert node.deadline == 3.21875
    node.handle(Tick(), 3.21875)
    assert states(node) == ["BACKUP", "MASTER"]
    assert node.deadline == 3.609375
    moves = [each for each in node.handle(Tick(), 3.609375) if isinstance(each, Transition)]
    assert [(each.router, each.new, each.seq) for each in moves] == [("slow", State.MASTER, 4)]


def test_a_reload_says_what_each_of_its_routers_does():
    before = [instance(name, vrid, "10.77.0.250") for name, vrid in (("a", 51), ("b", 52))]
    after = [instance(name, vrid, "10.77.0.251") for name, vrid in (("a", 51), ("b", 52))]
    node = started(*before)
    node.handle(Tick(), 3.609375)
    assert states(node) == ["MASTER", "MASTER"]
    actions = node.handle(ConfigurationReplaced(tuple(after)), 4.0)
    assert [(each.router, each.bound) for each in actions] == [(name, (ip_address("10.77.0.251"),)) for name in "ab"]


def test_a_link_takes_down_the_routers_of_its_interface_only():
    node = started(instance("a", 51, "10.77.0.250"), instance("b", 51, "10.78.0.250", interface="eth1"))
    node.handle(LinkChanged("eth1", up=False, primary={}), 1.0)
    assert states(node) == ["BACKUP", "FAULT"]


def test_a_link_that_is_gone_is_told_for_each_of_its_routers():
    node = started(instance("a", 51, "10.77.0.250"), instance("b", 52, "10.77.0.251"))
    moves = node.handle(LinkChanged("eth0", up=False, primary={}), 1.0)
    assert [(each.router, each.new) for each in moves] == [("a", State.FAULT), ("b", State.FAULT)]


@pytest.mark.parametrize("event", [Startup("b"), AdvertReceived("b", ADVERT, ip_address("10.77.0.20"))])
def test_an_event_for_a_router_we_do_not_have_is_ignored(event):
    assert started(instance("a", 51, "10.77.0.250")).handle(event, 1.0) == []
