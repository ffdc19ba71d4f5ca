"""A new configuration for a running router: it goes on in the same state."""

from ipaddress import ip_address

import pytest


@pytest.mark.parametrize("state", ["INITIALIZE", "FAULT", "BACKUP"])
def test_a_new_interval_arms_no_advert_timer_outside_master(bench, state):
    vr = bench(priority=100).known()
    if state != "INITIALIZE":
        vr.startup()
    if state == "FAULT":
        vr.link(up=False)
    assert vr.state == state
    assert vr.reload(advertisement_interval=0.5) == []
    assert vr.router.speaker.adver_at == float("inf")
    assert (vr.deadline == float("inf")) is (state != "BACKUP")


def test_a_new_interval_restarts_the_wait_of_a_backup_that_heard_nobody(bench):
    vr = bench(priority=100).backup()
    vr.at(3.0).reload(advertisement_interval=2.0)
    assert vr.deadline == 3.0 + 7.21875


def test_c_tmr_05_a_backup_with_a_shorter_interval_waits_for_a_live_master_that_is_not_reloaded_yet(bench):
    vr = bench(priority=100).backup()
    vr.at(1.0).advert(200)
    vr.at(1.5).reload(advertisement_interval=0.1)
    assert vr.deadline == 1.0 + 3.609375
    vr.at(2.0).advert(200, interval=0.1)
    assert vr.deadline == pytest.approx(2.0 + 0.3609375)


def test_a_version_2_backup_takes_its_own_new_interval(bench):
    vr = bench(version=2, priority=100).backup()
    vr.at(1.0).advert(200)
    vr.at(1.5).reload(advertisement_interval=2.0)
    assert vr.deadline == 1.5 + 6.609375


def test_a_master_keeps_the_shorter_interval_from_now_on(bench):
    vr = bench(priority=100).settled()
    vr.reload(advertisement_interval=0.25)
    assert vr.router.speaker.adver_at == vr.now + 0.25


def test_a_master_with_a_longer_interval_sends_the_advert_it_promised(bench):
    vr = bench(priority=100).settled()
    promised = vr.router.speaker.adver_at
    vr.reload(advertisement_interval=10.0)
    assert vr.router.speaker.adver_at == promised


def test_a_new_priority_of_a_master_shows_in_its_next_advert(bench):
    vr = bench(priority=100).settled()
    assert vr.reload(priority=150) == []
    assert vr.due() == [vr.sends(150)]


def test_a_new_priority_of_a_backup_shifts_its_timer(bench):
    vr = bench(priority=100).backup()
    vr.at(1.0).advert(200)
    vr.reload(priority=50)
    assert vr.deadline == 1.0 + 3.8046875


def test_c_arp_09_c_nd_13_new_addresses_of_a_master_are_bound_at_once_and_announced(bench):
    vr = bench(priority=100).settled()
    one = vr.settings.virtual_addresses[:1]
    assert vr.reload(virtual_addresses=one) == [vr.binds()]
    assert vr.binds().bound == one
    assert vr.installed() == [vr.announces()]


def test_c_arp_07_new_addresses_of_a_master_are_not_announced_before_they_are_installed(bench):
    vr = bench().master()
    vr.reload(virtual_addresses=(vr.own + 100,))
    assert vr.announces() not in [action for _, action in vr.run(until=vr.now + 2.0)]


def test_new_addresses_of_a_backup_touch_nothing(bench):
    vr = bench(priority=100).backup()
    assert vr.reload(virtual_addresses=vr.settings.virtual_addresses[:1]) == []


def test_a_failing_check_that_stops_being_critical_ends_the_fault(bench):
    vr = bench(checks=[{"name": "web", "critical": True}]).known()
    vr.startup()
    vr.verdict("web", healthy=False, detail="refused")
    assert vr.state == "FAULT"
    assert vr.reload(checks=[{"name": "web", "weight": -50}]) == [vr.moves("FAULT", "BACKUP", "recovered")]
    assert vr.router.priority == 50


def test_a_failing_check_that_becomes_critical_is_a_fault(bench):
    vr = bench(checks=[{"name": "web", "weight": -50}]).backup()
    vr.verdict("web", healthy=False, detail="refused")
    assert vr.router.priority == 50
    expected = vr.moves("BACKUP", "FAULT", "check-failed", seq=2, priority=100, detail="check web: refused")
    assert vr.reload(checks=[{"name": "web", "critical": True}]) == [expected]


def test_a_check_that_is_gone_takes_its_fault_with_it(bench):
    vr = bench(checks=[{"name": "web", "critical": True}]).known()
    vr.startup()
    vr.verdict("web", healthy=False)
    assert vr.reload() == [vr.moves("FAULT", "BACKUP", "recovered")]


def test_a_check_that_stays_keeps_its_verdict(bench):
    check = {"name": "web", "critical": True}
    vr = bench(checks=[check]).known()
    vr.verdict("web", healthy=True)
    vr.reload(checks=[check])
    assert vr.startup() == [vr.moves("INITIALIZE", "BACKUP", "startup")]


def test_a_check_that_is_new_is_unknown_until_its_first_verdict(bench):
    vr = bench(checks=[{"name": "web", "critical": True}]).known()
    vr.startup()
    vr.verdict("web", healthy=True)
    vr.reload(checks=[{"name": "web", "critical": True}, {"name": "disk", "weight": -20, "rise": 3, "fall": 3}])
    assert (vr.instance.checks["disk"].healthy, vr.router.priority) == (None, 100)
    vr.verdict("disk", healthy=False)
    assert (vr.state, vr.router.priority) == ("BACKUP", 80)


def test_news_of_the_link_reach_a_router_after_a_reload(bench):
    vr = bench().backup()
    vr.reload(priority=150)
    vr.link(up=False)
    assert (vr.state, vr.router.reason) == ("FAULT", "interface-down")


@pytest.mark.parametrize(("source", "state"), [("10.77.0.199", "MASTER"), ("10.77.0.201", "BACKUP")])
def test_a_new_source_address_is_the_one_compared_from_then_on(bench, source, state):
    vr = bench(priority=100).settled()
    vr.reload(source_address=ip_address("10.77.0.200"))
    vr.advert(100, source=source)
    assert vr.state == state


def test_without_a_configured_source_address_a_reload_keeps_the_primary_address(bench):
    vr = bench(priority=100).settled()
    vr.reload(preempt=False)
    assert vr.router.primary == vr.own


UNICAST = (ip_address("10.77.0.20"),)


@pytest.mark.parametrize(
    ("before", "after"),
    [({}, {"vrid": 52}), ({}, {"unicast_peers": UNICAST}), ({"unicast_peers": UNICAST}, {"unicast_peers": ()})],
)
def test_an_instance_in_another_place_is_a_new_one(bench, before, after):
    vr = bench(priority=100, **before).backup()
    assert vr.reload(**after) == []
    assert vr.state == "INITIALIZE"
    assert vr.instance.waits_for == "news of eth0"


def test_other_unicast_peers_are_no_other_place(bench):
    vr = bench(unicast_peers=UNICAST).backup()
    vr.reload(unicast_peers=(*UNICAST, ip_address("10.77.0.30")))
    assert vr.state == "BACKUP"


def test_other_addresses_end_the_wait_after_a_refusal(bench):
    vr = bench(priority=100)
    vr.master()
    vr.refused()
    assert vr.state == "FAULT"
    vr.reload(virtual_addresses=vr.settings.virtual_addresses[:1])
    assert vr.state == "BACKUP"
