"""Addresses: announced while bound, put back when lost, held until claimed (deviates from C-ARP-04 on purpose)."""

from ipaddress import ip_address

import pytest

from hafw.vrrp.actions import SendAdvertisement

VIP, VIP_TWO = ip_address("10.77.0.250"), ip_address("10.77.0.251")


def announcements(vr, until):
    start = vr.now
    return [at - start for at, action in vr.run(until=start + until) if action == vr.announces()]


def test_c_arp_11_announced_at_0_50_ms_250_ms_1_s_5_s_then_every_60_s(bench):
    vr = bench().promoted()
    assert vr.installed()[0] == vr.announces()
    assert announcements(vr, 130.0) == pytest.approx([0.05, 0.25, 1.0, 5.0, 65.0, 125.0])


def test_a_late_announcement_stands_for_those_that_were_missed(bench):
    vr = bench().master()
    assert vr.later(0.3).tick() == [vr.announces()]
    assert announcements(vr, 10.0) == pytest.approx([0.7, 4.7])


def test_an_announcement_stands_for_the_one_that_is_due_at_that_very_moment(bench):
    vr = bench(announce_repeat=(0.0, 0.25, 0.5), announce_refresh=10.0).master()
    assert vr.later(0.5).tick() == [vr.announces()]
    assert announcements(vr, 15.0) == [10.0]


def test_no_refresh_means_the_repeats_only(bench):
    vr = bench(announce_refresh=0.0).master()
    assert announcements(vr, 1000.0) == pytest.approx([0.05, 0.25, 1.0, 5.0])


def test_a_configured_list_of_repeats_is_kept(bench):
    vr = bench(announce_repeat=(0.0, 2.0), announce_refresh=10.0).master()
    assert announcements(vr, 25.0) == pytest.approx([2.0, 12.0, 22.0])


def test_c_arp_07_c_nd_11_nothing_is_announced_before_it_is_installed(bench):
    vr = bench().promoted()
    assert announcements(vr, 100.0) == []


def test_the_report_of_an_installed_set_counts_once(bench):
    vr = bench().master()
    assert vr.installed() == []


def test_another_s_claim_is_answered_by_the_whole_list_of_announcements(bench):
    vr = bench().settled()
    assert vr.claimed()[-1] == vr.announces()
    assert announcements(vr, 64.0) == pytest.approx([0.05, 0.25, 1.0, 5.0])


def test_nothing_is_announced_any_more_after_giving_way(bench):
    vr = bench().master()
    vr.advert(200)
    vr.claimed()
    assert announcements(vr, 3.0) == []


# -- held until claimed


def test_a_claim_of_one_address_releases_that_one(bench):
    vr = bench().settled()
    vr.shutdown()
    assert vr.claimed(VIP) == [vr.holds(VIP_TWO)]
    released = vr.notes("vip_released", outcome=f"claimed by {vr.mac}")
    assert vr.claimed(VIP_TWO) == [vr.lets_go(), released, vr.ends_handover("taken over", 0.0)]


def test_a_claim_of_what_is_released_already_changes_nothing(bench):
    vr = bench().settled()
    vr.shutdown()
    vr.claimed(VIP)
    assert vr.claimed(VIP) == []
    vr.claimed()
    assert vr.claimed() == []


def test_all_addresses_in_one_event_are_one_new_set(bench):
    vr = bench().settled()
    vr.advert(200)
    assert vr.claimed() == [vr.lets_go(), vr.notes("vip_released", outcome=f"claimed by {vr.mac}")]


def test_excluded_addresses_are_bound_and_held_with_the_others(bench):
    six = ip_address("fd77::250")
    vr = bench(excluded_addresses=(six,)).promoted()
    assert vr.binds().bound == (VIP, VIP_TWO, six)
    assert vr.advert(200)[0] == vr.holds(VIP, VIP_TWO, six)


@pytest.mark.requirement("C-ARP-04", "C-ND-04", "C-FWD-05")
@pytest.mark.parametrize(("interval", "wait"), [(0.1, 0.1), (0.5, 0.5), (1.0, 0.5), (10.0, 0.5)])
def test_the_winner_has_its_interval_but_half_a_second_at_most_to_claim_and_as_long_again(bench, interval, wait):
    vr = bench(priority=100).settled()
    vr.advert(200, interval=interval)
    start = vr.now
    assert vr.due() == [vr.reminds()]
    assert vr.now == start + wait
    assert vr.due() == [vr.lets_go(), vr.notes("vip_released", outcome="not claimed in time")]
    assert vr.now == start + wait + wait


def test_the_successor_s_first_advert_shortens_the_wait_later_ones_do_not_extend_it(bench):
    vr = bench().settled()
    vr.shutdown()
    vr.later(1.0)
    assert vr.advert(50) == []
    first = vr.now
    assert vr.deadline == first + 0.5
    vr.later(0.25).advert(50)
    assert vr.deadline == first + 0.5
    over = vr.ends_handover("taken over", 1.0, vr.peer)
    assert vr.due() == [vr.lets_go(), vr.notes("vip_released", outcome="not claimed in time"), over]


def test_a_successor_that_claims_one_after_the_other_has_time_for_the_next_one(bench):
    """It may have thousands to bind and to announce; what it has not claimed yet nobody else answers for."""
    vr = bench().settled()
    vr.shutdown()
    vr.later(0.03).advert(50)
    vr.later(0.4).claimed(VIP)
    assert vr.deadline == vr.now + 0.5
    vr.later(0.4).claimed(VIP)  # nothing new: no more time
    assert vr.deadline == pytest.approx(vr.now + 0.1)


def test_a_goodbye_is_no_successor(bench):
    vr = bench().settled()
    vr.shutdown()
    before = vr.deadline
    vr.later(1.0).advert(0)
    assert vr.deadline == before


def test_a_successor_at_the_last_moment_gets_its_time_to_claim_all_the_same(bench):
    vr = bench().settled()
    vr.shutdown()
    vr.at(vr.deadline - 0.125).advert(50)
    assert vr.deadline == vr.now + 0.5


def test_what_is_held_is_never_put_back(bench):
    vr = bench().settled()
    vr.shutdown()
    assert vr.lost(VIP) == []


def test_what_is_held_is_bound_again_by_the_next_takeover(bench):
    vr = bench(owner=True, priority=255).known()
    vr.startup()
    vr.installed()
    vr.run(1.0)
    vr.link(up=False)
    assert vr.tenure.held == (VIP, VIP_TWO)
    assert vr.link() == [vr.sends(255), vr.binds(), vr.moves("FAULT", "MASTER", "owner")]
    assert vr.claimed()[0].kind == "split_brain"


# -- reminding a winner that does not claim


def yielded(vr, priority=150):
    """BACKUP since this moment; its addresses are held for half a second, then once again."""
    vr.advert(priority)
    assert (vr.state, vr.deadline) == ("BACKUP", vr.now + 0.5)
    return vr


def released(vr):
    return [vr.lets_go(), vr.notes("vip_released", outcome="not claimed in time")]


@pytest.mark.parametrize("version", [2, 3])
def test_c_fsm_23_the_winner_is_reminded_once_whatever_it_answers(bench, version):
    vr = yielded(bench(priority=100, version=version).settled())
    start = vr.now
    assert vr.due() == [vr.reminds()]
    assert vr.later(0.001).advert(150) == []
    assert vr.later(0.249).advert(150) == []
    assert (vr.due(), vr.now) == (released(vr), start + 1.0)
    vr.advert(150)
    assert vr.deadline == vr.now + 3.609375


def test_a_claim_in_time_needs_no_reminder(bench):
    vr = yielded(bench().settled())
    assert vr.later(0.499).claimed() == [vr.lets_go(), vr.notes("vip_released", outcome=f"claimed by {vr.mac}")]
    assert vr.deadline == vr.router.listener.down_at


def test_a_claim_of_some_leaves_the_others_to_be_reminded_of(bench):
    vr = yielded(bench(priority=100).settled())
    assert vr.later(0.25).claimed(VIP) == [vr.holds(VIP_TWO)]
    assert vr.due() == [vr.reminds()]


def test_a_claim_after_the_reminder_releases_at_once(bench):
    vr = yielded(bench(priority=100).settled())
    assert vr.due() == [vr.reminds()]
    assert vr.later(0.002).claimed() == [vr.lets_go(), vr.notes("vip_released", outcome=f"claimed by {vr.mac}")]
    assert vr.deadline == vr.router.listener.down_at


def test_every_yielding_reminds_anew(bench):
    vr = yielded(bench(priority=100).settled())
    assert vr.run(until=vr.now + 3.625)[-1][1] == vr.moves("BACKUP", "MASTER", "no-response")
    vr.installed()
    assert yielded(vr).due() == [vr.reminds()]


def test_c_fsm_20_after_shutdown_nobody_is_reminded(bench):
    vr = yielded(bench().settled())
    vr.shutdown()
    assert vr.due() == released(vr)
    assert vr.node.done


def test_in_fault_nobody_is_reminded(bench):
    vr = yielded(bench().settled())
    vr.link(up=False)
    assert vr.due() == released(vr)
    assert vr.deadline == float("inf")


def test_a_router_that_came_back_from_fault_reminds_the_master_that_lives(bench):
    vr = yielded(bench().settled())
    vr.link(up=False)
    vr.link()
    assert (vr.state, vr.due()) == ("BACKUP", [vr.reminds()])


def test_a_router_that_came_back_from_fault_reminds_nobody_who_has_said_goodbye(bench):
    vr = yielded(bench().settled())
    vr.link(up=False)
    vr.advert(0)
    vr.link()
    assert (vr.state, vr.due()) == ("BACKUP", released(vr))


def test_after_a_shutdown_that_held_nobody_is_reminded_of_the_yielding_before(bench):
    vr = yielded(bench().settled())
    vr.run(until=vr.now + 4.0)
    vr.installed()
    vr.shutdown()
    assert [action for _, action in vr.run(until=vr.now + 10.0)] == [
        vr.lets_go(),
        vr.notes("vip_released", outcome="nobody took over"),
        vr.ends_handover("nobody took over", 3.6094),
    ]


def weighty(bench, weight):
    return bench(priority=100, checks=[{"name": "web", "weight": weight, "rise": 1, "fall": 1}]).settled()


def test_the_reminder_has_a_priority_that_nobody_gives_way_to(bench):
    """Ours could be above the winner's by now: it would resign, and nobody be MASTER."""
    vr = yielded(bench(priority=100).settled())
    assert vr.due() == [SendAdvertisement("VI_1", 1)]


def test_a_backup_that_has_become_the_better_reminds_nobody_or_the_winner_would_give_way_to_it(bench):
    vr = yielded(weighty(bench, 60))
    vr.verdict("web", healthy=True)
    assert vr.due() == released(vr)
    assert vr.state == "BACKUP"


@pytest.mark.parametrize(("priority", "source"), [(0, "10.77.0.20"), (50, "10.77.0.20"), (100, "10.77.0.9")])
def test_c_sim_04_who_would_lose_to_us_by_now_is_not_reminded(bench, priority, source):
    """Gone, fallen, or another MASTER: our advert would only demote it, and we are none."""
    vr = yielded(bench(priority=100).settled())
    vr.later(0.25).advert(priority, source=source)
    assert vr.due() == released(vr)


def test_an_equal_winner_with_the_higher_address_is_reminded(bench):
    vr = yielded(bench(priority=100).settled(), priority=100)
    assert vr.due() == [vr.reminds()]


def test_a_winner_that_fell_silent_while_we_were_stalled_is_not_reminded(bench):
    vr = yielded(bench().settled())
    assert vr.later(3.25).tick() == released(vr)


# -- put back


def test_a_lost_address_is_put_back_at_once_and_announced(bench):
    vr = bench().settled()
    lost = vr.notes("vip_lost", addresses="10.77.0.250", count=1, culprit="networkd")
    assert vr.lost(VIP, culprit="networkd") == [vr.binds(), lost]
    vr.later(0.004)
    assert vr.installed() == [vr.announces(), vr.notes("vip_restored", seconds=0.004)]
    assert vr.state == "MASTER"


def test_addresses_that_were_lost_twice_were_away_since_the_first_time(bench):
    vr = bench().settled()
    vr.lost(VIP)
    vr.later(0.25).lost(VIP_TWO)
    vr.later(0.25)
    assert vr.installed()[-1] == vr.notes("vip_restored", seconds=0.5)


def test_a_long_list_of_lost_addresses_is_cut_in_the_notice_not_in_the_count(bench):
    many = tuple(ip_address(f"10.77.1.{n}") for n in range(1, 100))
    vr = bench(virtual_addresses=many).settled()
    names = "10.77.1.1, 10.77.1.2, 10.77.1.3, 10.77.1.4"
    assert vr.lost(*many)[1] == vr.notes("vip_lost", addresses=names, count=99)


def test_c_arp_07_lost_addresses_are_not_announced_until_they_are_back(bench):
    vr = bench().master()
    vr.lost(VIP)
    assert announcements(vr, 3.0) == []
    assert vr.claimed()[-1].kind == "split_brain"


def test_the_fourth_removal_within_a_minute_is_answered_ever_more_slowly(bench):
    vr = bench().settled()
    waits = []
    for _ in range(7):
        vr.later(0.0625)
        start, actions = vr.now, vr.lost(VIP)
        while vr.binds() not in actions:
            actions = vr.due()
        waits.append(vr.now - start)
        vr.installed()
    assert waits == pytest.approx([0.0, 0.0, 0.0, 0.25, 0.5, 0.75, 1.0])


def test_removals_within_the_last_minute_count(bench):
    vr = bench().settled()
    for _ in range(3):
        vr.run(until=vr.now + 19.0)
        assert vr.lost(VIP)[0] == vr.binds()
        vr.installed()
    vr.run(until=vr.now + 19.0)
    assert [action.kind for action in vr.lost(VIP)] == ["vip_lost"]


@pytest.mark.parametrize("pause", [20.0, 25.0])
def test_removals_a_minute_ago_and_more_are_forgotten(bench, pause):
    vr = bench().settled()
    for _ in range(20):
        vr.run(until=vr.now + pause)
        assert vr.lost(VIP)[0] == vr.binds()
        vr.installed()


def remove_until_fault(vr):
    removals = 0
    while vr.state == "MASTER":
        actions = vr.lost(VIP, culprit="networkd")
        removals += 1
        while vr.state == "MASTER" and vr.binds() not in actions:
            actions = vr.due()
        vr.installed()
    return removals, actions


def test_the_twelfth_removal_within_a_minute_is_a_fault_with_a_handover(bench):
    vr = bench().settled()
    removals, actions = remove_until_fault(vr)
    assert removals == 12
    assert actions[-4:] == [
        vr.sends(0),
        vr.holds(),
        vr.moves("MASTER", "FAULT", "address-removed", detail="networkd keeps removing 10.77.0.250"),
        vr.starts_handover(planned=False),
    ]
    assert vr.instance.retry_at == vr.now + 5.0


def test_a_removal_reported_late_does_not_prolong_the_fault(bench):
    vr = bench().settled()
    remove_until_fault(vr)
    retry_at = vr.instance.retry_at
    vr.later(1.0)
    assert vr.lost(VIP) == []
    assert vr.instance.retry_at == retry_at


def test_how_long_a_takeover_and_a_restoration_took_is_told_to_a_tenth_of_a_millisecond(bench):
    vr = bench().promoted()
    assert vr.later(0.123456).installed()[-1] == vr.notes("takeover_complete", seconds=0.1235)
    vr.run(until=vr.now + 6.0)
    vr.lost()
    assert vr.later(0.123456).installed()[-1] == vr.notes("vip_restored", seconds=0.1235)


def test_a_successor_of_the_last_resort_is_one(bench):
    vr = bench().settled()
    vr.shutdown()
    vr.advert(1)
    assert vr.tenure.hold_until == vr.now + 0.5
