"""BACKUP: RFC 9568 section 6.4.2, and preemption that binds before it speaks."""

from ipaddress import ip_address

import pytest

from hafw.vrrp.actions import SendAdvertisement
from hafw.vrrp.events import Suspended

OTHER = "10.77.0.30"

PEER_LOW, PEER_HIGH = "10.77.0.9", "10.77.0.20"


def test_c_fsm_10_shutdown_of_a_backup_sends_nothing(bench):
    vr = bench().backup()
    vr.at(1.0)
    assert vr.shutdown() == [vr.moves("BACKUP", "INITIALIZE", "shutdown")]
    assert vr.deadline == float("inf")
    assert vr.node.done


def test_c_fsm_11_c_fsm_34_silence_promotes_advert_first_then_addresses(bench):
    vr = bench(priority=100).backup()
    assert vr.due() == [vr.sends(100), vr.binds(), vr.moves("BACKUP", "MASTER", "no-response")]
    assert vr.now == 3.609375
    vr.later(0.002)
    assert vr.installed() == [vr.announces(), vr.notes("takeover_complete", seconds=0.002)]


def test_c_fsm_11_with_a_virtual_mac_the_addresses_come_first_because_the_advert_moves_the_traffic(bench):
    vr = bench(priority=100, virtual_mac=True).backup()
    assert vr.due() == [vr.binds(), vr.sends(100), vr.moves("BACKUP", "MASTER", "no-response")]


def test_c_fsm_11_nothing_happens_before_the_timer_fires(bench):
    vr = bench(priority=100).backup()
    assert vr.at(3.609374).tick() == []
    assert vr.state == "BACKUP"


def test_c_arp_05_every_entry_to_master_announces(bench):
    vr = bench().settled()
    vr.advert(200)
    vr.claimed()
    vr.due()
    assert vr.state == "MASTER"
    assert vr.installed()[0] == vr.announces()


def test_c_fsm_12_goodbye_of_the_master_shortens_the_wait_to_the_skew(bench):
    vr = bench(priority=100).backup()
    vr.at(1.0).advert(200)
    assert vr.at(1.5).advert(0) == []
    assert vr.deadline == 1.5 + 0.609375
    assert vr.due() == [vr.sends(100), vr.binds(), vr.moves("BACKUP", "MASTER", "master-resigned")]


def test_c_fsm_12_goodbye_before_anybody_was_heard_is_believed(bench):
    vr = bench(priority=100).backup()
    assert vr.at(0.25).advert(0) == []
    assert vr.deadline == 0.25 + 0.609375


def test_c_fsm_12_the_skew_is_of_the_learned_interval_not_of_the_goodbye_s(bench):
    vr = bench(priority=100).backup()
    vr.at(1.0).advert(200, interval=2.0)
    vr.at(2.0).advert(0, interval=0.1)
    assert vr.deadline == 2.0 + 1.21875


def test_c_sec_05_whoever_takes_the_role_and_says_goodbye_in_turns_is_followed_once_an_interval(bench):
    vr = bench(priority=254).settled()
    began, sent = vr.now, []
    for number in range(1, 1000):
        taken = [*vr.advert(255), *vr.advert(0)] if vr.state == "MASTER" else []
        actions = [*taken, *(each for _, each in vr.run(began + number / 1000))]
        sent += [each for each in actions if isinstance(each, SendAdvertisement)]
    assert sent == [vr.sends(254)]
    assert began + 1.0 < vr.deadline < began + 1.0 + 0.01
    assert vr.due()[0] == vr.sends(254)


def test_c_sec_04_goodbye_of_a_stranger_leaves_the_live_master_alone(bench):
    vr = bench(priority=100).backup()
    vr.at(1.0).advert(200)
    before = vr.deadline
    assert vr.at(1.5).advert(0, source="10.77.0.66") == []
    assert vr.deadline == before == 4.609375


def test_c_sec_04_goodbye_of_a_stranger_is_believed_once_the_master_is_silent(bench):
    vr = bench(priority=100).backup()
    vr.at(1.0).advert(200)
    assert vr.at(4.0).advert(0, source="10.77.0.66") == []
    assert vr.deadline == 4.0 + 0.609375


def two_masters(vr, other=90):
    """Both are heard, and do not hear each other; the last one was ``PEER``, at 2.0, the other at 1.75."""
    for second in (1.0, 2.0):
        vr.at(second - 0.25).advert(other, source=OTHER)
        vr.at(second).advert(200)
    return vr


def test_c_sim_03_when_one_of_two_masters_says_goodbye_the_other_is_waited_for(bench):
    vr = two_masters(bench(priority=100, preempt=False).backup())
    assert vr.at(2.5).advert(0) == []
    assert (vr.router.peer.source, vr.deadline) == (ip_address(OTHER), 1.75 + 3.609375)


def test_a_preempting_backup_does_not_wait_for_the_lower_one_of_two_masters(bench):
    vr = two_masters(bench(priority=100).backup())
    vr.at(2.5).advert(0)
    assert vr.deadline == 2.5 + 0.609375
    assert vr.due() == [vr.binds()]


def test_c_fsm_37_the_lower_one_of_two_masters_is_waited_for_while_the_preempt_delay_runs(bench):
    vr = two_masters(bench(priority=100, preempt_delay=60.0).backup())
    vr.at(2.5).advert(0)
    assert vr.deadline == 1.75 + 3.609375


def test_when_both_of_two_masters_say_goodbye_nobody_is_waited_for(bench):
    vr = two_masters(bench(priority=100, preempt=False).backup())
    vr.at(2.25).advert(0, source=OTHER)
    assert vr.deadline == 2.0 + 3.609375
    vr.at(2.5).advert(0)
    assert vr.deadline == 2.5 + 0.609375


def test_a_master_that_has_been_silent_too_long_is_not_the_other_one(bench):
    vr = bench(priority=100, preempt=False).backup()
    vr.at(1.0).advert(200, source=OTHER)
    for second in (2.0, 3.0, 4.0):
        vr.at(second).advert(200)
    vr.at(4.0).advert(0)
    assert vr.deadline == 4.0 + 0.609375


def test_the_other_one_of_two_masters_grows_older_while_the_machine_sleeps(bench):
    vr = two_masters(bench(priority=100, preempt=False).backup())
    vr.feed(Suspended(3.0))
    vr.at(2.5).advert(0)
    assert vr.deadline == 2.5 + 0.609375


@pytest.mark.parametrize("priority", [100, 101, 254, 255])
def test_c_fsm_13_advert_as_good_as_ours_restarts_the_wait(bench, priority):
    vr = bench(priority=100).backup()
    assert vr.at(2.0).advert(priority) == []
    assert vr.deadline == 2.0 + 3.609375
    assert vr.state == "BACKUP"


def test_c_fsm_13_c_tmr_05_version_3_follows_the_interval_of_the_master(bench):
    vr = bench(priority=100).backup()
    vr.at(1.0).advert(200, interval=2.0)
    assert vr.deadline == 1.0 + 7.21875
    vr.at(3.0).advert(200, interval=0.5)
    assert vr.deadline == 3.0 + 1.8046875


def test_c_fsm_13_version_2_waits_its_own_interval(bench):
    vr = bench(version=2, priority=100).backup()
    vr.at(1.0).advert(200, interval=10.0)
    assert vr.deadline == 1.0 + 3.609375


def test_c_fsm_14_without_preempt_a_lower_advert_restarts_the_wait(bench):
    vr = bench(priority=100, preempt=False).backup()
    assert vr.at(2.0).advert(1, interval=2.0) == []
    assert vr.deadline == 2.0 + 7.21875


def test_c_fsm_15_with_preempt_a_lower_advert_is_discarded(bench):
    vr = bench(priority=100).backup()
    assert vr.at(2.0).advert(99, interval=2.0) == []
    assert vr.deadline == 3.609375
    assert vr.router.listener.master_adver_interval == 1.0


@pytest.mark.parametrize("source", [PEER_LOW, PEER_HIGH])
def test_c_fsm_16_no_tie_break_in_backup(bench, source):
    vr = bench(priority=100).backup()
    assert vr.at(2.0).advert(100, source=source) == []
    assert vr.deadline == 2.0 + 3.609375


def test_c_fsm_30_owner_preempts_even_with_nopreempt(bench):
    vr = bench(priority=255, owner=True, preempt=False).known()
    vr.startup()
    vr.installed()
    vr.at(0.5).advert(255, source="10.77.0.99")
    assert vr.state == "BACKUP"
    assert vr.router.listener.down_at == 0.5 + 3.00390625
    assert vr.due() == [vr.reminds()]
    assert vr.due()[0] == vr.lets_go()
    assert vr.at(1.5).advert(200) == []
    assert vr.deadline == 0.5 + 3.00390625


def test_c_fsm_32_a_new_master_advertises_at_its_own_interval(bench):
    vr = bench(priority=100).backup()
    vr.at(1.0).advert(200, interval=5.0)
    vr.due()
    assert vr.state == "MASTER"
    assert vr.router.speaker.adver_at == vr.now + 1.0


def test_c_fsm_35_a_changed_priority_shifts_the_running_timer_by_the_skew(bench):
    vr = bench(priority=100, checks=[{"name": "web", "weight": -50, "fall": 1, "rise": 1}]).backup()
    vr.at(1.0).advert(200)
    vr.verdict("web", healthy=False)
    assert vr.deadline == 1.0 + 3.8046875
    vr.verdict("web", healthy=True)
    assert vr.deadline == 1.0 + 3.609375


def test_preemption_binds_while_backup_and_speaks_once_installed(bench):
    vr = bench(priority=100).backup()
    for second in (1.0, 2.0, 3.0):
        assert vr.at(second).advert(90) == []
    assert vr.due() == [vr.binds()]
    assert (vr.now, vr.state) == (3.609375, "BACKUP")
    vr.later(0.01)
    assert vr.installed() == [
        vr.sends(100),
        vr.moves("BACKUP", "MASTER", "preempted", peer=vr.peer),
        vr.announces(),
        vr.notes("takeover_complete", seconds=0.0),
    ]
    assert vr.router.speaker.adver_at == vr.now + 1.0


def test_preemption_waits_for_a_slow_keeper_as_long_as_the_master_lives(bench):
    vr = bench(priority=100).preparing()
    for _ in range(5):
        vr.later(0.5).advert(90)
        assert vr.due() == []
    assert vr.state == "BACKUP"
    assert vr.installed()[0] == vr.sends(100)


def test_preemption_of_a_master_that_falls_silent_becomes_a_takeover(bench):
    vr = bench(priority=100).preparing()
    assert vr.due() == []
    assert vr.due() == []
    assert vr.due() == [vr.sends(100), vr.binds(), vr.moves("BACKUP", "MASTER", "no-response")]
    assert vr.installed() == [vr.announces(), vr.notes("takeover_complete", seconds=0.0)]


def test_preemption_of_a_master_that_resigns_becomes_a_takeover(bench):
    vr = bench(priority=100).preparing()
    assert vr.advert(0) == []
    assert vr.due() == [vr.sends(100), vr.binds(), vr.moves("BACKUP", "MASTER", "master-resigned")]


@pytest.mark.parametrize("priority", [100, 200])
def test_preemption_is_undone_by_an_advert_as_good_as_ours(bench, priority):
    vr = bench(priority=100).preparing()
    vr.later(0.001)
    assert vr.advert(priority, source="10.77.0.5") == [vr.lets_go()]
    assert vr.deadline == vr.now + 3.609375
    assert vr.installed() == []
    assert vr.state == "BACKUP"


def test_preemption_is_undone_by_shutdown_without_a_word(bench):
    vr = bench(priority=100).preparing()
    assert vr.shutdown() == [vr.lets_go(), vr.moves("BACKUP", "INITIALIZE", "shutdown")]


def test_preemption_that_is_refused_never_disturbs_the_live_master(bench):
    vr = bench(priority=100).preparing()
    assert vr.refused("10.77.0.250: ENOSPC") == [
        vr.lets_go(),
        vr.moves("BACKUP", "FAULT", "address-refused", detail="10.77.0.250: ENOSPC"),
    ]


def falling(bench):
    """Preempts at 100; its check costs it 50."""
    return bench(priority=100, checks=[{"name": "web", "weight": -50, "fall": 1, "rise": 1}])


def test_preemption_is_undone_when_our_priority_falls_below_the_master_s(bench):
    vr = falling(bench).preparing(priority=90)
    vr.verdict("web", healthy=False)
    vr.later(0.002)
    assert vr.installed() == [vr.lets_go()]
    assert vr.state == "BACKUP"
    assert vr.deadline == 3.0 + 3.8046875


def test_a_priority_that_falls_while_the_timer_runs_does_not_blame_a_live_master(bench):
    vr = falling(bench).backup()
    for second in (1.0, 2.0, 3.5):
        vr.at(second).advert(90, interval=1.5)
    vr.verdict("web", healthy=False)
    assert vr.due() == []
    assert vr.now == 3.8046875
    assert vr.state == "BACKUP"
    assert vr.deadline == 3.5 + 5.70703125
    assert vr.due() == [vr.sends(50), vr.binds(), vr.moves("BACKUP", "MASTER", "no-response")]


def test_a_priority_that_falls_after_binding_unbinds_at_the_next_advert(bench):
    vr = falling(bench).preparing(priority=90)
    vr.verdict("web", healthy=False)
    assert vr.at(4.0).advert(90) == [vr.lets_go()]
    assert vr.deadline == 4.0 + 3.8046875


def test_a_priority_that_falls_after_binding_unbinds_at_the_next_deadline(bench):
    vr = falling(bench).preparing(priority=90)
    vr.verdict("web", healthy=False)
    assert vr.due() == [vr.lets_go()]
    assert vr.deadline == 3.0 + 3.8046875


def test_with_fewer_down_timer_adverts_a_silent_master_is_taken_over_from_sooner(bench):
    """``down_timer_adverts`` below 3: a MASTER of which two adverts may be missing elsewhere is lost to us."""
    vr = bench(priority=100, down_timer_adverts=1).backup()
    vr.at(1.0).advert(200)
    assert vr.deadline == 1.0 + 1.609375
    assert vr.due() == [vr.sends(100), vr.binds(), vr.moves("BACKUP", "MASTER", "no-response")]


def test_c_fsm_37_while_the_preempt_delay_runs_lower_adverts_restart_the_wait(bench):
    vr = bench(priority=100, preempt_delay=5.0).backup()
    for second in (1.0, 2.0, 3.0, 4.0, 5.0):
        assert vr.at(second).advert(90) == []
        assert vr.deadline == second + 3.609375
    assert vr.at(6.0).advert(90) == []
    assert vr.deadline == 5.0 + 3.609375


@pytest.mark.parametrize("priority", [100, 0])
def test_c_fsm_37_the_preempt_delay_starts_anew_after_an_equal_or_a_goodbye(bench, priority):
    vr = bench(priority=100, preempt_delay=5.0).backup()
    vr.at(1.0).advert(90)
    vr.at(3.0).advert(priority)
    vr.at(3.25).advert(90)
    vr.at(6.5).advert(90)
    assert vr.deadline == 6.5 + 3.609375
    vr.at(8.25).advert(90)
    assert vr.deadline == 6.5 + 3.609375


def test_c_fsm_37_the_preempt_delay_does_not_delay_a_takeover(bench):
    vr = bench(priority=100, preempt_delay=100.0).backup()
    vr.at(1.0).advert(90)
    assert vr.due() == [vr.sends(100), vr.binds(), vr.moves("BACKUP", "MASTER", "no-response")]
    assert vr.now == 4.609375


def test_c_tmr_07_a_backup_that_woke_late_listens_once_more_before_it_blames_the_master(bench):
    vr = bench(priority=100).backup()
    vr.at(1.0).advert(200)
    assert vr.at(9.609375).tick() == [vr.notes("stall", seconds=5.0)]
    assert vr.state == "BACKUP"
    assert vr.deadline == 9.609375 + 1.609375
    assert vr.due() == [vr.sends(100), vr.binds(), vr.moves("BACKUP", "MASTER", "no-response")]


def test_c_tmr_07_how_late_a_backup_woke_is_told_in_milliseconds(bench):
    vr = bench(priority=100).backup()
    assert vr.at(3.609375 + 1.23456).tick() == [vr.notes("stall", seconds=1.235)]


def test_c_tmr_07_a_late_backup_that_hears_the_master_stays(bench):
    vr = bench(priority=100).backup()
    vr.at(9.609375).tick()
    vr.at(10.0).advert(200)
    assert vr.deadline == 10.0 + 3.609375


def test_c_tmr_07_lateness_is_forgiven_once_not_for_ever(bench):
    vr = bench(priority=100).backup()
    vr.at(9.0).tick()
    assert vr.at(20.0).tick() == [vr.sends(100), vr.binds(), vr.moves("BACKUP", "MASTER", "no-response")]


def test_c_tmr_07_lateness_below_an_interval_is_no_stall(bench):
    vr = bench(priority=100).backup()
    assert vr.at(4.5).tick() == [vr.sends(100), vr.binds(), vr.moves("BACKUP", "MASTER", "no-response")]


def test_a_master_that_died_while_a_slow_keeper_bound_is_succeeded_as_soon_as_it_has(bench):
    vr = bench(priority=200).preparing()
    vr.run(until=6.2)
    assert vr.installed()[0] == vr.sends(200)
    assert vr.state == "MASTER"


def test_c_tmr_07_one_interval_late_is_not_late_enough_to_be_forgiven(bench):
    vr = bench().backup()
    vr.at(vr.deadline + 1.0).tick()
    assert vr.state == "MASTER"


def test_a_master_that_is_as_good_by_now_is_not_preempted_although_all_is_bound(bench):
    vr = bench(priority=150, checks=[{"name": "load", "weight": -60, "fall": 1}]).preparing(90)
    vr.verdict("load", healthy=True)
    vr.verdict("load", healthy=False)
    assert vr.router.priority == 90
    assert vr.installed() == [vr.lets_go()]
    assert vr.state == "BACKUP"


def test_addresses_that_were_removed_from_a_router_that_never_had_any_are_nobody_s_loss(bench):
    assert bench().backup().lost() == []
