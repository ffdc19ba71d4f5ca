"""Addresses: announced while bound, put back when lost, held until claimed (deviates from C-ARP-04 on purpose)."""

from ipaddress import ip_address

import pytest

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


def test_no_refresh_means_the_repeats_only(bench):
    vr = bench(announce_refresh=0.0).master()
    assert announcements(vr, 1000.0) == pytest.approx([0.05, 0.25, 1.0, 5.0])


def test_a_configured_list_of_repeats_is_kept(bench):
    vr = bench(announce_repeat=(0.0, 2.0), announce_refresh=10.0).master()
    assert announcements(vr, 25.0) == pytest.approx([2.0, 12.0, 22.0])


def test_c_arp_07_nothing_is_announced_before_it_is_installed(bench):
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
    assert vr.claimed(VIP_TWO) == [vr.lets_go(), vr.notes("vip_released", outcome=f"claimed by {vr.mac}")]


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


@pytest.mark.parametrize(("interval", "wait"), [(0.1, 0.1), (0.5, 0.5), (1.0, 0.5), (10.0, 0.5)])
def test_the_winner_has_its_interval_but_half_a_second_at_most_to_claim(bench, interval, wait):
    vr = bench().settled()
    vr.advert(200, interval=interval)
    assert vr.tenure.hold_until == vr.now + wait
    assert vr.at(vr.now + wait).tick() == [vr.lets_go(), vr.notes("vip_released", outcome="not claimed in time")]


def test_the_successor_s_first_advert_shortens_the_wait_later_ones_do_not_extend_it(bench):
    vr = bench().settled()
    vr.shutdown()
    vr.later(1.0)
    assert vr.advert(50) == []
    first = vr.now
    assert vr.deadline == first + 0.5
    vr.later(0.25).advert(50)
    assert vr.deadline == first + 0.5
    assert vr.due() == [vr.lets_go(), vr.notes("vip_released", outcome="not claimed in time")]


def test_a_goodbye_is_no_successor(bench):
    vr = bench().settled()
    vr.shutdown()
    before = vr.deadline
    vr.later(1.0).advert(0)
    assert vr.deadline == before


def test_a_successor_at_the_last_moment_gets_no_more_time(bench):
    vr = bench().settled()
    vr.shutdown()
    before = vr.deadline
    vr.at(before - 0.125).advert(50)
    assert vr.deadline == before


def test_what_is_held_is_never_put_back(bench):
    vr = bench().settled()
    vr.shutdown()
    assert vr.lost(VIP) == []


def test_what_is_held_is_bound_again_by_the_next_takeover(bench):
    vr = bench(owner=True, priority=255).known()
    vr.startup()
    vr.installed()
    vr.link(up=False)
    assert vr.tenure.held == (VIP, VIP_TWO)
    assert vr.link() == [vr.sends(255), vr.binds(), vr.moves("FAULT", "MASTER", "owner")]
    assert vr.claimed()[0].kind == "split_brain"


# -- put back


def test_a_lost_address_is_put_back_at_once_and_announced(bench):
    vr = bench().settled()
    lost = vr.notes("vip_lost", addresses="10.77.0.250", count=1, culprit="networkd")
    assert vr.lost(VIP, culprit="networkd") == [vr.binds(), lost]
    vr.later(0.004)
    assert vr.installed() == [vr.announces(), vr.notes("vip_restored", seconds=0.004)]
    assert vr.state == "MASTER"


def test_a_long_list_of_lost_addresses_is_cut_in_the_notice_not_in_the_count(bench):
    many = tuple(ip_address(f"10.77.1.{n}") for n in range(1, 100))
    vr = bench(virtual_addresses=many).settled()
    names = "10.77.1.1, 10.77.1.2, 10.77.1.3, 10.77.1.4"
    assert vr.lost(*many)[1] == vr.notes("vip_lost", addresses=names, count=99, culprit="")


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


def test_removals_more_than_a_minute_ago_are_forgotten(bench):
    vr = bench().settled()
    for _ in range(20):
        vr.run(until=vr.now + 25.0)
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
    assert actions[-3:] == [
        vr.sends(0),
        vr.holds(),
        vr.moves("MASTER", "FAULT", "address-removed", detail="networkd keeps removing 10.77.0.250"),
    ]
    assert vr.instance.retry_at == vr.now + 5.0


def test_a_removal_reported_late_does_not_prolong_the_fault(bench):
    vr = bench().settled()
    remove_until_fault(vr)
    retry_at = vr.instance.retry_at
    vr.later(1.0)
    assert vr.lost(VIP) == []
    assert vr.instance.retry_at == retry_at
