"""FAULT: keepalived's fourth state. A router in it takes no part in the election."""

import pytest

from hafw.vrrp.actions import SendAdvertisement
from tests.election.conftest import PEER

STRANGER = "10.77.0.66"


def faulted(vr):
    vr.link(up=False)
    assert vr.state == "FAULT"
    return vr


def test_c_fsm_36_a_backup_whose_link_is_gone_leaves_without_a_word(bench):
    vr = bench().backup()
    expected = [vr.moves("BACKUP", "FAULT", "interface-down", seq=2, detail="eth0 no carrier")]
    assert vr.link(up=False) == expected
    assert vr.deadline == float("inf")


def test_c_fsm_36_a_preempting_backup_whose_link_is_gone_unbinds(bench):
    vr = bench().preparing()
    assert vr.link(up=False)[0] == vr.lets_go()
    assert vr.state == "FAULT"


@pytest.mark.parametrize("priority", [0, 50, 100, 200])
def test_an_advert_moves_nothing_in_fault(bench, priority):
    vr = faulted(bench().backup())
    assert vr.advert(priority) == []
    assert (vr.state, vr.deadline) == ("FAULT", float("inf"))


def test_who_is_master_is_known_in_fault_too(bench):
    vr = faulted(bench().backup())
    vr.at(2.0).advert(200)
    assert (vr.router.peer.source, vr.router.peer.live(4.9), vr.router.peer.live(5.0)) == (PEER, True, False)


def test_a_degraded_master_is_known_in_fault_too(bench):
    vr = faulted(bench().backup())
    vr.at(2.0).advert(200, source=STRANGER)
    vr.at(2.5).advert(1)
    assert (vr.router.peer.source, vr.router.peer.priority) == (PEER, 1)


def test_c_sec_04_in_fault_too_the_goodbye_of_a_stranger_is_none_of_the_master(bench):
    vr = faulted(bench().backup())
    vr.at(2.0).advert(200)
    vr.at(2.5).advert(0, source=STRANGER)
    assert (vr.router.peer.source, vr.router.peer.priority) == (PEER, 200)


def test_recovery_listens_for_a_whole_master_down_interval(bench):
    vr = faulted(bench(priority=100).backup())
    vr.at(50.0)
    assert vr.link() == [vr.moves("FAULT", "BACKUP", "recovered")]
    assert vr.deadline == 50.0 + 3.609375


def test_recovery_forgets_a_master_that_is_silent_and_its_interval(bench):
    vr = bench(priority=100).backup()
    vr.at(1.0).advert(200, interval=10.0)
    faulted(vr).at(31.0).link()
    assert vr.router.peer is None
    assert vr.deadline == 31.0 + 3.609375


def test_recovery_forgets_a_master_that_said_goodbye_and_its_interval(bench):
    vr = bench(priority=100).backup()
    vr.at(1.0).advert(200, interval=10.0)
    faulted(vr).at(2.0).advert(0, interval=10.0)
    vr.link()
    assert vr.router.peer is None
    assert vr.deadline == 2.0 + 3.609375


def test_c_sim_03_recovery_waits_by_the_interval_of_the_master_that_was_heard_meanwhile(bench):
    """One lost advert of it would be enough otherwise, and the better router displace it, though it is not to."""
    vr = faulted(bench(priority=150, preempt=False).backup())
    vr.at(50.0).advert(100, interval=2.0)
    vr.at(50.5).link()
    assert vr.deadline == 50.5 + 3 * 2.0 + 106 * 2.0 / 256


def test_c_sim_03_a_first_wait_is_by_the_interval_of_the_master_that_was_heard_before(bench):
    vr = bench(priority=150, preempt=False).known()
    vr.at(5.0).advert(100, interval=2.0)
    vr.at(5.5).startup()
    assert vr.deadline == 5.0 + 3 * 2.0 + 106 * 2.0 / 256


def test_version_2_waits_by_its_own_interval_whatever_was_heard(bench):
    vr = faulted(bench(priority=100, version=2).backup())
    vr.at(2.0).advert(200, interval=2.0)
    vr.link()
    assert vr.deadline == 2.0 + 3.609375


def test_c_sec_04_a_strangers_goodbye_after_the_recovery_is_none_of_the_master_that_was_heard(bench):
    vr = faulted(bench(priority=150, preempt=False).backup())
    vr.at(50.0).advert(100)
    vr.at(50.2).link()
    expected = vr.deadline
    vr.advert(0, source=STRANGER)
    assert vr.deadline == expected


def test_shutdown_ends_the_retries(bench):
    vr = bench().promoted()
    vr.refused()
    vr.shutdown()
    vr.claimed()
    assert vr.node.done
    assert vr.deadline == float("inf")


def test_c_fsm_30_recovery_of_the_owner_is_mastership(bench):
    vr = bench(priority=255, owner=True).known()
    vr.startup()
    vr.run(1.0)
    faulted(vr)
    assert vr.link() == [vr.sends(255), vr.binds(), vr.moves("FAULT", "MASTER", "owner")]


CRITICAL = [{"name": "web", "critical": True, "rise": 1, "fall": 1}]


def owner_since(bench, seconds):
    """An owner with a check, MASTER for so long."""
    vr = bench(priority=255, owner=True, checks=CRITICAL).known()
    vr.startup()
    vr.verdict("web", healthy=True)
    vr.installed()
    vr.run(seconds)
    return vr


def test_c_sec_05_an_owner_whose_check_flaps_begins_once_an_interval(bench):
    vr = owner_since(bench, 60.25)
    sent = 0
    for number in range(100):
        actions = [*vr.verdict("web", healthy=bool(number % 2)), *(each for _, each in vr.run(vr.now + 0.01))]
        sent += sum(isinstance(each, SendAdvertisement) for each in actions)
    assert sent == 3  # goodbye, the first recovery, goodbye
    vr.verdict("web", healthy=True)
    assert vr.deadline == 60.25 + 0.01 + 1.0  # an interval after the first recovery
    assert vr.due()[:3] == [vr.sends(255), vr.binds(), vr.moves("BACKUP", "MASTER", "owner", seq=vr.node.seq)]


def test_c_fsm_30_an_owner_that_began_an_interval_ago_recovers_at_once(bench):
    vr = owner_since(bench, 1.0)
    vr.verdict("web", healthy=False)
    vr.verdict("web", healthy=True)
    assert vr.state == "MASTER"


def test_an_owner_that_waits_for_its_interval_takes_the_role_back_from_whomever_it_finds(bench):
    vr = owner_since(bench, 0.5)
    vr.verdict("web", healthy=False)
    vr.verdict("web", healthy=True)
    vr.at(0.7).advert(100)
    assert (vr.state, vr.deadline) == ("BACKUP", 1.0)
    assert vr.due()[0] == vr.binds()
    assert vr.installed()[:2] == [vr.sends(255), vr.moves("BACKUP", "MASTER", "preempted", peer=vr.peer)]


def test_shutdown_in_fault_sends_nothing(bench):
    vr = faulted(bench().backup())
    assert vr.shutdown() == [vr.moves("FAULT", "INITIALIZE", "shutdown")]
    assert vr.link() == []
    assert vr.state == "INITIALIZE"


def test_a_master_in_fault_goes_on_answering_until_claimed(bench):
    vr = bench(checks=[{"name": "web", "critical": True, "fall": 1}]).known()
    vr.verdict("web", healthy=True)
    vr.startup()
    vr.due()
    vr.installed()
    fault = vr.verdict("web", healthy=False, detail="refused")
    assert fault == [
        vr.notes("check_changed", check="web", healthy=False, detail="refused"),
        vr.sends(0),
        vr.holds(),
        vr.moves("MASTER", "FAULT", "check-failed", detail="check web: refused"),
        vr.starts_handover(planned=False),
    ]
    vr.later(0.5).advert(50)
    released = vr.notes("vip_released", outcome=f"claimed by {vr.mac}")
    assert vr.later(0.1).claimed() == [vr.lets_go(), released, vr.ends_handover("taken over", 0.5, vr.peer)]
    assert vr.state == "FAULT"


def test_the_goodbye_is_not_repeated_when_a_second_cause_appears(bench):
    vr = bench().settled()
    vr.refused()
    assert vr.link(up=False) == []
    assert vr.router.reason == "address-refused"


def test_what_a_late_keeper_reports_in_fault_changes_nothing(bench):
    vr = bench().promoted()
    vr.link(up=False)
    assert vr.installed() == []
    assert vr.state == "FAULT"


def test_without_track_primary_a_lost_link_is_no_fault_and_a_lost_address_is_one(bench):
    """keepalived's dont_track_primary: two routers on a crossover cable, of which the other one dies."""
    vr = bench(priority=100, track_primary=False).settled()
    assert vr.link(up=False) == []
    assert vr.state == "MASTER"
    vr.link(up=False, primary={})
    assert (vr.state, vr.router.reason) == ("FAULT", "no-primary-address")


def test_without_track_primary_a_router_joins_and_serves_without_a_link(bench):
    vr = bench(priority=100, track_primary=False)
    vr.plan()
    vr.startup()
    assert vr.link(up=False) == [vr.moves("INITIALIZE", "BACKUP", "startup")]
    assert vr.due() == [vr.sends(100), vr.binds(), vr.moves("BACKUP", "MASTER", "no-response", seq=2)]
