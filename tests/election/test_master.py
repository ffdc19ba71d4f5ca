"""MASTER: RFC 9568 section 6.4.3, and giving way in silence."""

from ipaddress import ip_address

import pytest

from hafw.vrrp.actions import SendAdvertisement, SendGoodbye

LOWER_ADDRESS, HIGHER_ADDRESS, THIRD = "10.77.0.9", "10.77.0.20", "10.77.0.66"


def test_c_fsm_20_c_fsm_34_shutdown_says_goodbye_once_and_holds_until_claimed(bench):
    vr = bench(priority=100).settled()
    assert vr.shutdown() == [
        vr.sends(0),
        vr.holds(),
        vr.moves("MASTER", "INITIALIZE", "shutdown"),
        vr.starts_handover(planned=True),
    ]
    assert not vr.node.done
    assert vr.shutdown() == []
    released = vr.notes("vip_released", outcome=f"claimed by {vr.mac}")
    assert vr.claimed() == [vr.lets_go(), released, vr.ends_handover("taken over", 0.0)]
    assert vr.node.done
    assert vr.deadline == float("inf")


def test_c_fsm_20_nobody_answers_the_goodbye_released_after_master_down_interval(bench):
    vr = bench(priority=100).settled()
    vr.shutdown()
    assert vr.deadline == vr.now + 3.609375
    over = vr.ends_handover("nobody took over", 3.6094)
    assert vr.due() == [vr.lets_go(), vr.notes("vip_released", outcome="nobody took over"), over]
    assert vr.node.done


def test_c_fsm_21_adverts_follow_each_other_at_the_interval(bench):
    vr = bench(priority=100).settled()
    start = vr.router.speaker.adver_at
    adverts = [at for at, action in vr.run(until=start + 3.5) if action == vr.sends(100)]
    assert adverts == [start, start + 1.0, start + 2.0, start + 3.0]


def test_c_fsm_21_a_late_advert_does_not_delay_the_next_one(bench):
    vr = bench(priority=100).settled()
    due = vr.router.speaker.adver_at
    assert vr.at(due + 0.25).tick() == [vr.sends(100)]
    assert vr.router.speaker.adver_at == due + 1.0


def test_c_fsm_22_goodbye_of_another_is_answered_at_once(bench):
    vr = bench(priority=100).settled()
    vr.later(0.5)
    assert vr.advert(0) == [vr.sends(100)]
    assert vr.deadline == vr.now + 1.0


@pytest.mark.parametrize("version", [2, 3])
def test_c_sec_05_a_flood_of_goodbyes_is_answered_four_times_an_interval(bench, version):
    vr = bench(priority=100, version=version).settled()
    start = vr.now
    sent = [vr.at(start + 0.001 * n).advert(0) for n in range(1000)]
    assert [n for n, actions in enumerate(sent) if actions] == [0, 250, 500, 750]
    assert vr.router.speaker.adver_at == start + 0.75 + 1.0


def test_c_sec_05_a_flood_of_losing_adverts_is_answered_four_times_an_interval(bench):
    vr = bench(priority=100).settled()
    start = vr.now
    sent = [vr.at(start + 0.001 * n).advert(50) for n in range(1000)]
    assert [n for n, actions in enumerate(sent) if vr.sends(100) in actions] == [0, 250, 500, 750]
    assert sum(vr.announces() in actions for actions in sent) == 1


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("priority", [101, 255])
def test_c_fsm_23_better_advert_is_given_way_to_in_silence(bench, version, priority):
    vr = bench(priority=100, version=version).settled()
    vr.later(0.5)
    expected = [vr.holds(), vr.moves("MASTER", "BACKUP", "higher-priority", seq=3, peer=vr.peer)]
    assert vr.advert(priority) == expected
    assert vr.router.listener.down_at == vr.now + 3.609375
    assert vr.router.speaker.adver_at == float("inf")


def test_c_fsm_23_version_3_follows_the_winner_s_interval(bench):
    vr = bench(priority=100).settled()
    vr.advert(200, interval=2.0)
    assert vr.router.listener.down_at == vr.now + 7.21875


def test_c_fsm_23_version_2_keeps_its_own_interval(bench):
    vr = bench(version=2, priority=100).settled()
    vr.advert(200, interval=2.0)
    assert vr.router.listener.down_at == vr.now + 3.609375


def test_c_fsm_23_a_master_still_installing_gives_way_too(bench):
    vr = bench(priority=100).promoted()
    assert vr.advert(200) == [vr.holds(), vr.moves("MASTER", "BACKUP", "higher-priority", peer=vr.peer)]
    assert vr.installed() == []


def test_c_fsm_24_equal_priority_from_a_higher_address_wins(bench):
    vr = bench(priority=100).settled()
    expected = [vr.holds(), vr.moves("MASTER", "BACKUP", "higher-address", seq=3, peer=vr.peer)]
    assert vr.advert(100, source=HIGHER_ADDRESS) == expected


def test_c_fsm_24_addresses_are_compared_as_numbers_not_as_text(bench):
    vr = bench(priority=100, own="10.77.0.9").settled()
    vr.advert(100, source="10.77.0.10")
    assert vr.state == "BACKUP"


@pytest.mark.parametrize(("source", "state"), [("fe80::ff", "BACKUP"), ("fe80::9", "MASTER")])
def test_c_fsm_24_ipv6_compares_link_local_addresses(bench, source, state):
    vip = bench(own="fe80::fa").own
    vr = bench(priority=100, own="fe80::10", virtual_addresses=(vip,)).settled()
    vr.advert(100, source=source)
    assert vr.state == state


@pytest.mark.parametrize(("priority", "source"), [(99, HIGHER_ADDRESS), (1, HIGHER_ADDRESS), (100, LOWER_ADDRESS)])
def test_c_fsm_25_losing_advert_is_answered_at_once(bench, priority, source):
    vr = bench(priority=100).settled()
    vr.later(0.25)
    before = vr.router.speaker.adver_at
    assert vr.advert(priority, source=source) == [
        vr.sends(100),
        vr.notes("split_brain", peer=source, peer_priority=priority),
        vr.announces(),
    ]
    assert vr.router.speaker.adver_at == before


def adverts(vr, until):
    """What it sends up to then, and when."""
    return [(at, action) for at, action in vr.run(until) if isinstance(action, SendAdvertisement)]


def test_c_fsm_25_a_second_rival_is_answered_a_quarter_of_an_interval_after_the_first(bench):
    vr = bench(priority=100).settled()
    began, regular = vr.now, vr.router.speaker.adver_at
    assert vr.advert(50)[0] == vr.sends(100)
    vr.at(began + 0.04)
    assert [vr.advert(50, source=THIRD), vr.advert(50, source=THIRD)] == [[], []]
    assert adverts(vr, regular + 0.9) == [(began + 0.25, vr.sends(100)), (regular, vr.sends(100))]


def test_c_sec_05_an_answer_that_came_late_counts_as_one(bench):
    vr = bench(priority=100).settled()
    began = vr.now
    vr.advert(50)
    vr.later(0.04).advert(50, source=THIRD)
    vr.run(began + 0.25)
    assert vr.at(began + 0.3).advert(50, source="10.77.0.67") == []
    assert adverts(vr, began + 0.55)[-1] == (began + 0.5, vr.sends(100))


def test_c_fsm_25_a_regular_advert_is_an_answer_too(bench):
    vr = bench(priority=100).settled()
    regular = vr.router.speaker.adver_at
    vr.at(regular - 0.1).advert(50)
    vr.later(0.05).advert(50, source=THIRD)
    assert adverts(vr, regular + 0.9) == [(regular, vr.sends(100))]


def test_c_fsm_25_who_has_given_way_owes_no_answer(bench):
    vr = bench(priority=100).settled()
    vr.advert(50)
    vr.later(0.05).advert(50, source=THIRD)
    vr.advert(200)
    assert vr.router.speaker.deadline == float("inf")


def test_c_fsm_22_the_goodbye_of_a_second_router_is_answered_a_quarter_of_an_interval_after_the_first(bench):
    vr = bench(priority=100).settled()
    began = vr.now
    vr.advert(0)
    assert vr.later(0.1).advert(0, source=THIRD) == []
    assert adverts(vr, began + 0.9) == [(began + 0.25, vr.sends(100))]


def test_c_fsm_25_version_2_does_not_answer_but_announces_again(bench):
    vr = bench(version=2, priority=100).settled()
    assert vr.advert(50) == [vr.notes("split_brain", peer=str(vr.peer), peer_priority=50), vr.announces()]


def test_c_fsm_25_a_rivalry_is_told_once_and_its_end_too(bench):
    vr = bench(priority=100).settled()
    began = vr.now
    vr.advert(50)
    vr.run(until=began + 0.5)
    assert vr.advert(50) == [vr.sends(100)]
    told = [(at, action) for at, action in vr.run(until=began + 10.0) if hasattr(action, "kind")]
    assert told == [(began + 3.5, vr.notes("split_brain_over", peer=str(vr.peer), seconds=3.5))]


def test_c_fsm_25_a_rivalry_ends_when_the_rival_says_goodbye(bench):
    vr = bench(priority=100).settled()
    vr.advert(50)
    vr.later(0.5)
    assert vr.advert(0) == [vr.sends(100), vr.notes("split_brain_over", peer=str(vr.peer), seconds=0.5)]


def test_c_fsm_25_the_goodbye_of_a_third_router_does_not_end_a_rivalry(bench):
    vr = bench(priority=100).settled()
    vr.advert(50)
    vr.later(0.5)
    assert vr.advert(0, source="10.77.0.66") == [vr.sends(100)]


def test_c_fsm_25_a_rivalry_ends_when_we_give_way(bench):
    vr = bench(priority=100).settled()
    vr.advert(50)
    vr.later(0.5)
    assert vr.advert(200) == [
        vr.notes("split_brain_over", peer=str(vr.peer), seconds=0.5),
        vr.holds(),
        vr.moves("MASTER", "BACKUP", "higher-priority", peer=vr.peer),
    ]


def test_c_fsm_26_equal_priority_from_our_own_address_is_never_answered(bench):
    vr = bench(priority=100).settled()
    before = vr.deadline
    assert [vr.advert(100, source=vr.own) for _ in range(100)] == [[]] * 100
    assert (vr.state, vr.deadline) == ("MASTER", before)


def test_c_fsm_27_nopreempt_is_not_looked_at_in_master(bench):
    vr = bench(priority=100, preempt=False).settled()
    vr.advert(50)
    assert vr.state == "MASTER"
    vr.advert(101)
    assert vr.state == "BACKUP"


def test_c_fsm_27_preempt_delay_is_not_looked_at_in_master(bench):
    vr = bench(priority=100, preempt_delay=100.0).settled()
    assert vr.advert(50)[0] == vr.sends(100)


def test_c_fsm_31_a_tick_too_early_changes_nothing(bench):
    vr = bench(priority=100).settled()
    before = vr.deadline
    assert vr.tick() == []
    assert (vr.state, vr.deadline) == ("MASTER", before)


def test_c_fsm_36_a_master_whose_link_is_gone_cannot_say_goodbye(bench):
    vr = bench(priority=100).settled()
    assert vr.link(up=False) == [
        vr.holds(),
        vr.moves("MASTER", "FAULT", "interface-down", detail="eth0 no carrier"),
    ]


def test_a_master_whose_link_is_gone_says_goodbye_by_another_network_where_there_is_one(bench):
    vr = bench(priority=100, goodbye=(ip_address("10.0.0.2"),)).settled()
    assert vr.link(up=False) == [
        SendGoodbye("VI_1"),
        vr.holds(),
        vr.moves("MASTER", "FAULT", "interface-down", detail="eth0 no carrier"),
    ]


def test_a_backup_whose_link_is_gone_has_nothing_to_say(bench):
    vr = bench(priority=100, goodbye=(ip_address("10.0.0.2"),)).backup()
    assert vr.link(up=False) == [vr.moves("BACKUP", "FAULT", "interface-down", detail="eth0 no carrier")]


def test_c_fsm_36_a_master_without_a_primary_address_cannot_say_goodbye(bench):
    vr = bench(priority=100).settled()
    detail = "eth0 has no IPv4 address of its own"
    assert vr.link(primary={}) == [vr.holds(), vr.moves("MASTER", "FAULT", "no-primary-address", detail=detail)]


def test_a_refused_address_makes_a_master_say_goodbye(bench):
    vr = bench(priority=100).promoted()
    assert vr.refused("10.77.0.250: EINVAL") == [
        vr.sends(0),
        vr.holds(),
        vr.moves("MASTER", "FAULT", "address-refused", detail="10.77.0.250: EINVAL"),
        vr.starts_handover(planned=False),
    ]


def test_c_tmr_07_a_master_that_was_late_advertises_and_announces_at_once(bench):
    vr = bench(priority=100).settled()
    vr.at(vr.router.speaker.adver_at + 7.0)
    assert vr.tick() == [vr.sends(100), vr.notes("stall", seconds=7.0), vr.announces()]
    assert vr.router.speaker.adver_at == vr.now + 1.0


def test_c_tmr_07_a_late_master_that_hears_another_first_yields_without_a_word(bench):
    vr = bench(priority=100).settled()
    vr.later(7.0)
    assert vr.advert(200) == [
        vr.notes("stall", seconds=6.0),
        vr.holds(),
        vr.moves("MASTER", "BACKUP", "paused", peer=vr.peer),
    ]
    vr.tick()
    assert vr.state == "BACKUP"


def test_c_tmr_07_a_late_master_yields_even_to_a_lower_one_and_takes_the_role_back_without_a_gap(bench):
    vr = bench(priority=100).settled()
    vr.at(vr.router.speaker.adver_at + 2.6)
    vr.advert(50)
    assert vr.state == "BACKUP"
    assert vr.claimed() == [vr.lets_go(), vr.notes("vip_released", outcome=f"claimed by {vr.mac}")]
    for _ in range(3):
        vr.later(1.0).advert(50)
    assert vr.due() == [vr.binds()]
    assert vr.installed()[0] == vr.sends(100)
    assert vr.state == "MASTER"


@pytest.mark.parametrize("yields", [False, True])
def test_how_late_a_master_was_is_told_to_the_millisecond(bench, yields):
    vr = bench(priority=100).settled()
    vr.at(vr.router.speaker.adver_at + 7.1239)
    assert vr.notes("stall", seconds=7.124) in (vr.advert(200) if yields else vr.tick())


def test_a_master_that_is_a_little_late_stands_its_ground(bench):
    vr = bench(priority=100).settled()
    vr.at(vr.router.speaker.adver_at + 0.9)
    assert vr.advert(50)[0] == vr.sends(100)
    assert vr.state == "MASTER"


def test_c_tmr_10_early_adverts_of_a_jittering_master_are_tolerated(bench):
    vr = bench(priority=100).backup()
    for at in (0.8, 1.7, 2.5, 3.4, 4.3):
        assert vr.at(at).advert(200) == []
    assert vr.deadline == 4.3 + 3.609375


def contested(vr):
    """What is told of the first claim."""
    return vr.notes("split_brain", evidence="claim", mac=vr.mac, address="10.77.0.250", addresses=2)


def test_claims_of_our_addresses_are_told_once_and_answered_once_an_interval(bench):
    vr = bench(priority=100).settled()
    assert vr.claimed() == [contested(vr), vr.announces()]
    vr.later(0.5)
    assert vr.claimed() == []
    vr.later(0.5)
    assert vr.claimed() == [vr.announces()]


def test_claims_before_our_addresses_are_there_are_told_only(bench):
    vr = bench(priority=100).promoted()
    assert vr.claimed() == [contested(vr)]


def test_a_claim_that_is_not_repeated_is_over_after_three_minutes_and_remembered(bench):
    vr = bench(priority=100).settled()
    vr.claimed()
    began = vr.now
    vr.run(began + 100)
    vr.claimed()
    told = [(at, action) for at, action in vr.run(began + 1000) if action not in (vr.sends(100), vr.announces())]
    assert told == [(began + 280, vr.notes("split_brain_over", evidence="claim", mac=vr.mac, seconds=280.0))]
    claim = vr.router.speaker.contest.claim
    assert (claim.mac, claim.heard_at, claim.over) == (vr.mac, began + 100, True)
    assert (str(claim.address), claim.addresses) == ("10.77.0.250", 2)
    assert contested(vr) in vr.claimed()


def test_a_claim_ends_with_the_mastership(bench):
    vr = bench(priority=100).settled()
    vr.claimed()
    vr.run(vr.now + 2)
    assert vr.notes("split_brain_over", evidence="claim", mac=vr.mac, seconds=2.0) in vr.advert(200)
    assert vr.router.speaker.contest.claim is None


@pytest.mark.parametrize("evidence", ["advert", "claim"])
def test_how_long_there_were_two_is_told_to_the_millisecond(bench, evidence):
    vr = bench(priority=100).settled()
    vr.advert(50) if evidence == "advert" else vr.claimed()
    [over] = [action for action in vr.later(0.1239).advert(200) if getattr(action, "kind", "") == "split_brain_over"]
    assert over.fields["seconds"] == 0.124


def test_claims_of_a_rival_whose_adverts_are_heard_are_told_by_those(bench):
    vr = bench(priority=100).settled()
    vr.claimed()
    assert vr.notes("split_brain", peer=str(vr.peer), peer_priority=50) in vr.advert(50)
    assert vr.router.speaker.contest.claim is None
    assert vr.claimed() == []


def test_transitions_are_numbered_without_gaps(bench):
    vr = bench(priority=100).known()
    moves = [*vr.startup(), *vr.due(), *vr.advert(200), *vr.shutdown()]
    assert [action.seq for action in moves if hasattr(action, "seq")] == [1, 2, 3, 4]


def test_an_advert_that_is_late_by_a_whole_interval_is_a_stall(bench):
    vr = bench().settled()
    assert vr.notes("stall", seconds=1.0) in vr.at(vr.deadline + 1.0).tick()
