"""What the status of a router shows: since when it is in its state, why, and what it waits for."""

from ipaddress import ip_address

import pytest

from hafw.vrrp.events import ReleaseAsked, Resumed

NAME = "VI_1"
WEB = {"name": "web", "critical": True, "fall": 1, "rise": 1}
DISK = {"name": "disk", "critical": True, "fall": 1, "rise": 1}


def shown(vr):
    return str(vr.state), vr.router.reason, vr.router.detail, vr.router.since


def sound(bench, *checks, **settings):
    """MASTER with critical checks that are healthy."""
    vr = bench(checks=checks, **settings).known()
    for check in checks:
        vr.verdict(check["name"], healthy=True)
    vr.startup()
    vr.due()
    vr.installed()
    vr.run(until=vr.now + 6.0)
    return vr


def degraded(bench, *checks):
    """Its first check has failed, and nobody has answered the goodbye."""
    vr = sound(bench, *checks)
    vr.verdict(checks[0]["name"], healthy=False, detail="refused")
    vr.due()
    assert vr.router.degraded
    return vr


def test_every_state_shows_since_when_it_is(bench):
    vr = bench(priority=100)
    assert vr.router.since == 0.0
    vr.at(1.0).known().startup()
    assert shown(vr) == ("BACKUP", "startup", "", 1.0)
    vr.due()
    assert shown(vr) == ("MASTER", "no-response", "", 4.609375)
    vr.later(1.0).advert(200)
    assert shown(vr) == ("BACKUP", "higher-priority", "", 5.609375)
    vr.at(6.0).link(up=False)
    assert shown(vr) == ("FAULT", "interface-down", "eth0 no carrier", 6.0)
    vr.at(7.0).shutdown()
    assert shown(vr) == ("INITIALIZE", "shutdown", "", 7.0)


def test_what_happens_before_and_without_a_term_as_master_is_dated_too(bench):
    vr = bench()
    vr.at(1.0).link(up=False)
    vr.at(2.0).startup()
    assert shown(vr) == ("FAULT", "interface-down", "eth0 no carrier", 2.0)
    vr = bench().backup()
    vr.at(3.0).shutdown()
    assert shown(vr) == ("INITIALIZE", "shutdown", "", 3.0)


def test_a_router_in_fault_shows_the_cause_that_is_left_and_since_when_it_is_in_fault(bench):
    vr = bench().backup()
    vr.at(1.0).link(up=False)
    vr.at(2.0).plan("vip: eth9 does not exist")
    vr.at(3.0).link()
    assert shown(vr) == ("FAULT", "no-takeover-plan", "vip: eth9 does not exist", 1.0)


def test_a_router_that_leaves_during_a_handover_shows_when_and_why(bench):
    vr = sound(bench, WEB)
    vr.feed(ReleaseAsked(NAME))
    vr.later(0.25).verdict("web", healthy=False, detail="refused")
    assert shown(vr) == ("FAULT", "check-failed", "check web: refused", vr.now)


def test_a_degraded_master_that_gives_way_is_in_fault_from_then_on(bench):
    vr = degraded(bench, WEB)
    vr.later(0.5).advert(50)
    assert shown(vr) == ("FAULT", "check-failed", "check web: refused", vr.now)


def test_a_degraded_master_shows_the_check_that_is_failing_now(bench):
    vr = degraded(bench, WEB, DISK)
    began = vr.now
    vr.later(0.25).verdict("disk", healthy=False, detail="full")
    vr.verdict("web", healthy=True)
    assert shown(vr) == ("MASTER", "last-resort", "check disk: full", began)


def test_a_degraded_master_that_recovers_shows_no_trouble_any_more(bench):
    vr = degraded(bench, WEB)
    began = vr.now
    vr.later(0.5).verdict("web", healthy=True)
    assert shown(vr) == ("MASTER", "recovered", "", began)


def test_a_resumed_master_shows_that_it_was_and_since_when_it_serves(bench):
    vr = bench().at(100.0)
    vr.feed(Resumed(NAME, since=40.0, last_advert_at=99.0, primary=vr.own, verdicts={}))
    assert shown(vr) == ("MASTER", "resumed", "", 40.0)


def test_a_running_router_waits_for_nothing_also_when_a_check_is_new_and_has_said_nothing(bench):
    vr = bench().backup()
    vr.reload(checks=[WEB])
    assert (vr.state, vr.instance.waits_for_now) == ("BACKUP", "")


def test_a_router_in_fault_waits_for_the_end_of_its_fault_only(bench):
    vr = bench(checks=[WEB]).known()
    vr.link(up=False)
    vr.startup()
    assert (vr.state, vr.instance.waits_for_now) == ("FAULT", "")


def test_who_keeps_removing_addresses_is_somebody_when_nobody_is_suspected(bench):
    vr = bench().settled()
    while vr.state == "MASTER":
        vr.lost()
        while vr.state == "MASTER" and not vr.tenure.installed:
            vr.due()
            vr.installed()
    assert (vr.router.reason, vr.router.detail) == ("address-removed", "somebody keeps removing 10.77.0.250")


@pytest.mark.parametrize("changes", [{"vrid": 52}, {"unicast_peers": (ip_address("10.77.0.20"),)}])
def test_an_instance_in_another_place_shows_since_when_it_exists(bench, changes):
    vr = bench().backup()
    vr.at(50.0).reload(**changes)
    assert shown(vr) == ("INITIALIZE", "starting", "", 50.0)
