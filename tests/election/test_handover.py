"""Leaving on purpose, serving as the last resort, maintenance, resuming, and time that stood still."""

import pytest

from hafw.vrrp.events import MaintenanceChanged, ReleaseAsked, Resumed, Startup, Suspended

NAME = "VI_1"
WEB = {"name": "web", "critical": True, "fall": 1, "rise": 1}


def claims(vr):
    return [vr.lets_go(), vr.notes("vip_released", outcome=f"claimed by {vr.mac}")]


def asked(vr, *, force=False):
    return vr.feed(ReleaseAsked(NAME, force))


# -- handover -----------------------------------------------------------------------------------------------------


def test_a_handover_says_goodbye_once_and_stays_master_until_a_successor_speaks(bench):
    vr = bench(priority=200).settled()
    assert asked(vr) == [vr.sends(0), vr.holds(), vr.starts_handover(planned=True)]
    assert (vr.state, vr.router.handing_over) == ("MASTER", True)
    assert asked(vr) == []
    vr.later(0.2)
    assert vr.advert(100) == [vr.moves("MASTER", "BACKUP", "handover", peer=vr.peer)]
    assert vr.later(0.01).claimed() == [*claims(vr), vr.ends_handover("taken over", 0.2, vr.peer)]
    assert not vr.router.handing_over


def test_how_long_a_handover_took_is_told_to_a_tenth_of_a_millisecond(bench):
    vr = bench(priority=200).settled()
    asked(vr)
    vr.later(0.123456).advert(100)
    assert vr.claimed()[-1] == vr.ends_handover("taken over", 0.1235, vr.peer)


def test_after_a_handover_the_successor_is_not_preempted_while_it_lives(bench):
    vr = bench(priority=200).settled()
    asked(vr)
    for _ in range(20):
        vr.later(0.5).advert(100)
        vr.tick()
    assert vr.state == "BACKUP"
    vr.due()
    assert (vr.state, vr.router.reason) == ("MASTER", "no-response")
    vr.installed()
    assert vr.advert(250)[-1].new == "BACKUP"


def test_the_next_daemon_does_not_preempt_the_successor_either(bench):
    vr = bench(priority=200)
    vr.link()
    vr.plan()
    vr.feed(Startup(NAME, deferring=True))
    for _ in range(20):
        vr.later(0.5).advert(100)
        vr.tick()
    assert vr.state == "BACKUP"
    vr.due()
    assert (vr.state, vr.router.reason) == ("MASTER", "no-response")


def test_a_router_that_is_stopped_and_started_still_leaves_the_role_to_whom_it_handed_it(bench):
    vr = bench(priority=200).settled()
    asked(vr)
    vr.later(0.5).advert(100)
    vr.shutdown()
    vr.startup()
    for _ in range(20):
        vr.later(0.5).advert(100)
        vr.tick()
    assert (vr.state, vr.tenure.bound) == ("BACKUP", False)


def test_the_role_is_wanted_back_after_the_next_term(bench):
    vr = bench(priority=200).settled()
    asked(vr)
    vr.advert(100)
    vr.run(until=vr.now + 4.0)
    assert vr.state == "MASTER"
    vr.installed()
    vr.later(5.0).advert(100)  # late: gives way
    assert vr.state == "BACKUP"
    for _ in range(3):
        vr.run(until=vr.now + 1.0)
        vr.advert(100)
    assert vr.due() == [vr.binds()]


def test_a_handover_that_nobody_answers_ends_in_the_old_state_and_nothing_was_ever_released(bench):
    vr = bench(priority=100).settled()
    asked(vr)
    over = vr.ends_handover("nobody took over", 3.6094)
    assert vr.due() == [vr.sends(100), vr.binds(), over]
    assert (vr.state, vr.router.handing_over) == ("MASTER", False)
    assert vr.installed() == [vr.announces()]
    assert vr.router.speaker.adver_at == vr.now + 1.0


def test_a_handover_waits_until_the_addresses_are_there_to_be_held(bench):
    vr = bench(priority=100).promoted()
    assert asked(vr) == []
    assert vr.sends(0) in vr.installed()
    assert vr.router.handing_over


def test_a_handover_that_waits_is_forgotten_with_the_term_it_was_asked_for(bench):
    vr = bench(priority=100).promoted()
    asked(vr)
    vr.later(0.1).advert(200)
    vr.due()
    vr.run(until=vr.now + 5.0)
    assert vr.state == "MASTER"
    assert vr.sends(0) not in vr.installed()


def test_a_forced_handover_releases_even_if_nobody_takes_over(bench):
    vr = bench(priority=100).settled()
    asked(vr, force=True)
    assert vr.due() == [
        vr.lets_go(),
        vr.notes("vip_released", outcome="nobody took over"),
        vr.moves("MASTER", "BACKUP", "handover"),
        vr.ends_handover("nobody took over", 3.6094),
    ]


def test_force_may_be_asked_for_later(bench):
    vr = bench(priority=100).settled()
    asked(vr)
    vr.later(1.0)
    asked(vr, force=True)
    vr.due()
    assert vr.state == "BACKUP"


def test_force_that_was_asked_for_is_not_taken_back_by_asking_once_more(bench):
    vr = bench(priority=100).settled()
    asked(vr, force=True)
    asked(vr)
    vr.due()
    assert vr.state == "BACKUP"


def test_a_handover_ends_a_rivalry_at_that_moment(bench):
    vr = bench(priority=100).settled()
    vr.advert(50)
    vr.later(0.25)
    assert vr.notes("split_brain_over", peer=str(vr.peer), seconds=0.25) in asked(vr)


def test_all_claimed_before_an_advert_was_heard_is_a_handover_too(bench):
    vr = bench(priority=100).settled()
    asked(vr)
    assert vr.claimed() == [
        *claims(vr),
        vr.moves("MASTER", "BACKUP", "handover"),
        vr.ends_handover("taken over", 0.0),
    ]


@pytest.mark.parametrize(("priority", "outcome"), [(0, "nobody took over"), (1, "taken over")])
def test_a_successor_is_whoever_says_that_it_is_master_and_no_other_that_leaves(bench, priority, outcome):
    """Priority 1 is that of a degraded MASTER, which is one all the same; 0 says that somebody is none any more."""
    vr = bench(priority=100).settled()
    asked(vr, force=True)
    vr.later(0.25).advert(priority)
    told = [action for _, action in vr.run(vr.now + 4.0)]
    seconds, successor = (3.6094, None) if priority == 0 else (0.25, vr.peer)
    assert vr.ends_handover(outcome, seconds, successor) in told


@pytest.mark.parametrize("state", ["backup", "known"])
def test_who_is_not_master_has_nothing_to_hand_over(bench, state):
    vr = getattr(bench(), state)()
    assert asked(vr) == []


def test_a_stop_during_a_handover_says_no_second_goodbye(bench):
    vr = bench(priority=100).settled()
    asked(vr)
    assert vr.later(0.1).shutdown() == [vr.holds(), vr.moves("MASTER", "INITIALIZE", "shutdown")]
    assert vr.claimed()[:2] == claims(vr)
    assert vr.node.done


@pytest.mark.parametrize(("version", "patience"), [(3, 8.0), (2, 7.0)])
def test_a_stop_during_a_handover_waits_for_whoever_has_joined_since_the_goodbye(bench, version, patience):
    """It has not heard the goodbye, so its whole master_down_interval runs, with the longest skew that there is."""
    vr = bench(priority=200, version=version, advertisement_interval=2.0).settled()
    asked(vr)
    vr.later(6.0)
    assert vr.shutdown() == [vr.holds(), vr.moves("MASTER", "INITIALIZE", "shutdown")]
    assert vr.run(until=vr.now + patience - 0.001) == []
    assert not vr.node.done
    vr.due()
    assert vr.node.done


def test_force_that_is_asked_for_later_waits_for_whoever_has_joined_meanwhile(bench):
    vr = bench(priority=200).settled()
    asked(vr)
    vr.later(3.0)
    assert asked(vr, force=True) == [vr.holds()]
    assert vr.run(until=vr.now + 3.999) == []
    assert vr.later(0.001).tick()[:2] == [vr.lets_go(), vr.notes("vip_released", outcome="nobody took over")]


def test_a_failing_check_during_a_handover_says_no_second_goodbye(bench):
    vr = sound(bench)
    asked(vr)
    assert vr.sends(0) not in vr.verdict("web", healthy=False)
    assert vr.state == "FAULT"


def test_the_owner_does_not_take_back_what_it_handed_over(bench):
    vr = bench(priority=255, owner=True).known()
    vr.startup()
    vr.installed()
    asked(vr)
    for _ in range(10):
        vr.later(1.0).advert(100)
        vr.tick()
    assert vr.state == "BACKUP"


# -- maintenance --------------------------------------------------------------------------------------------------


def maintain(vr, *, on=True):
    return vr.feed(MaintenanceChanged(NAME, on))


def test_in_maintenance_a_backup_stays_backup_when_nobody_is_master(bench):
    vr = bench(priority=200).backup()
    maintain(vr)
    assert vr.run(until=60.0) == []
    assert vr.state == "BACKUP"


def test_in_maintenance_nobody_is_preempted_and_the_role_is_wanted_back_afterwards(bench):
    vr = bench(priority=200).backup()
    maintain(vr)
    for _ in range(20):
        vr.later(0.5).advert(100)
        vr.tick()
    assert not vr.tenure.bound
    maintain(vr, on=False)
    for _ in range(3):
        vr.later(1.0).advert(100)
    assert vr.due() == [vr.binds()]


def test_maintenance_ends_a_preemption_that_has_begun(bench):
    vr = bench(priority=100).preparing()
    assert maintain(vr) == [vr.lets_go()]
    assert vr.installed() == []


def test_a_master_leaves_for_maintenance_even_if_nobody_takes_over(bench):
    vr = bench(priority=100).settled()
    assert maintain(vr)[0] == vr.sends(0)
    assert vr.moves("MASTER", "BACKUP", "maintenance", seq=3) in vr.due()
    assert vr.run(until=vr.now + 60.0) == []
    maintain(vr, on=False)
    vr.due()
    assert vr.state == "MASTER"


def test_who_comes_back_from_maintenance_before_anybody_took_over_goes_on_as_master(bench):
    vr = bench(priority=100).settled()
    vr.feed(MaintenanceChanged(NAME, on=True))
    vr.later(1.0).feed(MaintenanceChanged(NAME, on=False))
    assert vr.due()[:2] == [vr.sends(100), vr.binds()]
    assert vr.state == "MASTER"


def test_maintenance_holds_for_a_router_that_starts_in_it_the_owner_too(bench):
    vr = bench(priority=255, owner=True).known()
    maintain(vr)
    vr.startup()
    vr.run(until=60.0)
    assert vr.state == "BACKUP"


# -- last resort --------------------------------------------------------------------------------------------------


def sound(bench, **settings):
    """MASTER with a critical check that is healthy."""
    vr = bench(checks=[WEB], **settings).known()
    vr.verdict("web", healthy=True)
    vr.startup()
    vr.due()
    vr.installed()
    vr.run(until=vr.now + 6.0)
    return vr


def degraded(bench, **settings):
    """Its check has failed, and nobody has answered the goodbye."""
    vr = sound(bench, **settings)
    vr.verdict("web", healthy=False, detail="refused")
    vr.due()
    assert vr.state == "MASTER"
    return vr


def test_a_check_that_fails_where_nobody_takes_over_leaves_a_degraded_master(bench):
    vr = sound(bench)
    vr.verdict("web", healthy=False, detail="refused")
    assert vr.state == "FAULT"
    assert vr.due() == [
        vr.sends(1),
        vr.binds(),
        vr.moves("FAULT", "MASTER", "last-resort", detail="check web: refused"),
        vr.notes("degraded", on=True, detail="check web: refused"),
        vr.ends_handover("nobody took over", 3.6094),
    ]
    assert vr.router.degraded


def test_without_last_resort_the_addresses_go(bench):
    vr = sound(bench, last_resort=False)
    vr.verdict("web", healthy=False)
    assert vr.due()[0] == vr.lets_go()
    assert vr.state == "FAULT"


@pytest.mark.parametrize("trouble", ["link", "refused"])
def test_what_is_no_check_is_no_last_resort(bench, trouble):
    vr = sound(bench)
    vr.verdict("web", healthy=False)
    vr.link(up=False) if trouble == "link" else vr.refused()
    vr.due()
    assert vr.state == "FAULT"
    assert not vr.tenure.held


def test_a_degraded_master_says_goodbye_once_per_master_down_interval_in_place_of_an_advert(bench):
    vr = degraded(bench)
    vr.installed()
    start = vr.now
    sent = [(at - start, action.priority) for at, action in vr.run(start + 12.5) if hasattr(action, "priority")]
    assert sent == [(float(at), 0 if at in {4, 8, 12} else 1) for at in range(1, 13)]


def test_the_goodbye_of_a_degraded_master_is_due_when_the_master_down_interval_is_over_not_after_it(bench):
    vr = degraded(bench)
    vr.installed()
    start = vr.now
    vr.run(until=start + 2.5)
    assert vr.sends(0) in vr.at(start + 3.609375).tick()


def test_a_degraded_master_gives_way_to_any_advert_and_is_in_fault(bench):
    vr = degraded(bench)
    vr.later(0.5)
    assert vr.advert(50) == [
        vr.holds(),
        vr.moves("MASTER", "FAULT", "check-failed", detail="check web: refused", peer=vr.peer),
    ]


def test_a_degraded_master_that_recovers_is_an_ordinary_one(bench):
    vr = degraded(bench)
    vr.later(0.5)
    recovered = vr.verdict("web", healthy=True)
    assert recovered[1:] == [vr.sends(100), vr.notes("degraded", on=False)]
    assert (vr.state, vr.router.degraded) == ("MASTER", False)


@pytest.mark.parametrize("is_relieved", [True, False])
def test_a_degraded_master_that_recovers_while_it_hands_over_is_sound_afterwards(bench, is_relieved):
    vr = degraded(bench)
    vr.installed()
    asked(vr)
    vr.later(0.1).verdict("web", healthy=True)
    if is_relieved:
        assert vr.advert(50) == [vr.moves("MASTER", "BACKUP", "handover", peer=vr.peer)]
    else:
        assert vr.due()[:2] == [vr.sends(100), vr.binds()]
        assert not vr.router.degraded


def test_a_degraded_master_whose_link_goes_too_is_in_fault(bench):
    vr = degraded(bench)
    vr.link(up=False)
    assert vr.state == "FAULT"
    vr.due()
    assert not vr.tenure.held


def test_a_router_that_recovers_in_maintenance_does_not_answer_on_to_be_master_again(bench):
    vr = sound(bench, priority=100, last_resort=False)
    maintain(vr)
    vr.later(1.0).verdict("web", healthy=False)
    vr.verdict("web", healthy=True)
    assert (vr.state, vr.tenure.held) == ("BACKUP", vr.settings.all_addresses)
    assert next(action for _, action in vr.run(until=vr.tenure.hold_until)) == vr.lets_go()


def test_a_router_that_recovers_before_anybody_took_over_answers_until_it_is_master_again(bench):
    vr = sound(bench)
    vr.verdict("web", healthy=False)
    vr.later(2.0).verdict("web", healthy=True)
    seen = [action for _, action in vr.run(until=vr.now + 4.0)]
    assert vr.state == "MASTER"
    assert vr.lets_go() not in seen


def test_it_says_so_to_whoever_watches_over_it_when_it_goes_on_answering(bench):
    """The same set once more: what is held for ever without a word is a process that hangs."""
    vr = sound(bench, priority=1)
    vr.verdict("web", healthy=False)
    vr.later(3.0).verdict("web", healthy=True)
    assert vr.due() == [vr.holds()]


def test_where_somebody_did_take_over_no_degraded_master_returns_beside_it(bench):
    """The successor claims nothing: it is MASTER all the same, and its adverts are heard."""
    vr = sound(bench)
    vr.verdict("web", healthy=False, detail="refused")
    vr.later(1.0).advert(50)
    assert vr.due()[:2] == [vr.lets_go(), vr.notes("vip_released", outcome="not claimed in time")]
    assert vr.state == "FAULT"


def test_two_degraded_masters_end_as_one(bench):
    vr = degraded(bench)
    vr.later(0.5).advert(1, source="10.77.0.99")
    assert vr.state == "FAULT"
    other = degraded(bench)
    other.later(0.5).advert(1, source="10.77.0.9")
    assert other.state == "MASTER"


# -- resuming -----------------------------------------------------------------------------------------------------


def resumed(bench, last_advert_at, *, verdicts=None, **settings):
    vr = bench(**settings).at(100.0)
    event = Resumed(NAME, since=40.0, last_advert_at=last_advert_at, primary=vr.own, verdicts=verdicts or {})
    return vr, vr.feed(event)


def test_a_resumed_master_advertises_at_once_and_was_never_away(bench):
    vr, actions = resumed(bench, 99.5, priority=100)
    assert actions == [vr.sends(100), vr.binds(), vr.notes("resumed", silence=0.5, cause="")]
    assert (vr.state, vr.router.since, vr.router.primary) == ("MASTER", 40.0, vr.own)
    assert vr.installed() == [vr.announces()]
    assert vr.known().state == "MASTER"
    assert [at for at, action in vr.run(102.5) if action == vr.sends(100)] == [101.0, 102.0]


def test_it_is_too_late_to_resume_after_three_intervals(bench):
    vr, actions = resumed(bench, 97.0)
    assert (actions, vr.state) == ([], "INITIALIZE")
    vr.known().startup()
    assert vr.state == "BACKUP"


def test_a_resumed_router_has_no_startup_delay_to_wait_for_when_it_recovers(bench):
    vr, _ = resumed(bench, 99.5)
    vr.known().link(up=False)
    assert vr.state == "FAULT"
    vr.link()
    assert vr.state == "BACKUP"


@pytest.mark.parametrize(("silence", "state"), [(5.9, "MASTER"), (6.0, "INITIALIZE")])
def test_the_patience_of_the_peers_is_three_of_our_intervals(bench, silence, state):
    vr, _ = resumed(bench, 100.0 - silence, advertisement_interval=2.0)
    assert vr.state == state


def test_what_is_told_is_how_long_the_peers_heard_nothing_if_somebody_spoke_for_us_meanwhile(bench):
    vr = bench().at(100.0)
    event = Resumed(
        NAME, since=40.0, last_advert_at=99.5, primary=vr.own, verdicts={}, silence=0.123456, cause="SIGKILL"
    )
    assert vr.feed(event)[-1] == vr.notes("resumed", silence=0.123, cause="SIGKILL")


def test_what_the_checks_said_counts_on(bench):
    weight = {"name": "web", "weight": -60, "fall": 1}
    vr, actions = resumed(bench, 99.5, checks=[weight], verdicts={"web": False, "unknown": True})
    assert actions[0] == vr.sends(40)


def test_a_check_that_failed_leaves_nothing_to_resume(bench):
    vr, actions = resumed(bench, 99.5, checks=[WEB], verdicts={"web": False})
    assert (actions, vr.state) == ([], "INITIALIZE")


def test_a_resumed_master_does_not_wait_for_its_checks_and_obeys_them(bench):
    vr, _ = resumed(bench, 99.5, checks=[WEB], verdicts={"web": True})
    vr.known()
    assert vr.state == "MASTER"
    vr.verdict("web", healthy=False)
    assert vr.state == "FAULT"


# -- time that stood still ----------------------------------------------------------------------------------------


def test_c_tmr_07_a_master_that_was_suspended_yields_silently_to_whom_it_hears(bench):
    vr = bench(priority=200).settled()
    vr.feed(Suspended(30.0))
    assert vr.advert(100)[-1] == vr.moves("MASTER", "BACKUP", "paused", peer=vr.peer)


def test_c_tmr_07_a_master_that_was_suspended_and_hears_nobody_advertises_and_announces(bench):
    vr = bench(priority=200).settled()
    vr.feed(Suspended(30.0))
    said = vr.tick()
    assert said[0] == vr.sends(200)
    assert vr.announces() in said


def test_c_tmr_07_a_backup_that_was_suspended_gives_the_master_its_time_again(bench):
    vr = bench(priority=100).backup()
    vr.later(1.0).advert(200)
    vr.feed(Suspended(30.0))
    assert [action.kind for action in vr.tick()] == ["stall"]
    assert vr.later(0.9).advert(200) == []
    assert vr.state == "BACKUP"


@pytest.mark.parametrize("seconds", [2.5, 3.5])
def test_c_tmr_07_a_backup_that_was_suspended_for_less_listens_all_the_same(bench, seconds):
    vr = bench(priority=100, preempt=False).backup()
    vr.later(1.0).advert(50)
    vr.later(0.5).feed(Suspended(seconds))
    assert vr.tick() == []
    assert vr.later(0.9).tick() == []
    assert vr.advert(50) == []
    assert vr.state == "BACKUP"


def test_c_tmr_07_a_backup_that_was_suspended_takes_over_when_nobody_is_there(bench):
    vr = bench(priority=100).backup()
    vr.later(1.0).advert(200)
    vr.feed(Suspended(3.5))
    assert vr.deadline == vr.now + 1.609375
    assert vr.due()[0] == vr.sends(100)


def test_addresses_that_were_held_before_a_suspend_are_released_after_it(bench):
    vr = bench(priority=100).settled()
    vr.shutdown()
    vr.feed(Suspended(30.0))
    assert vr.tick()[0] == vr.lets_go()


# -- ranked skew --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("priority", "rank", "interval", "skew"),
    [
        (200, 0, 1.0, 1 / 64),
        (100, 1, 1.0, 2 / 64),
        (50, 2, 1.0, 3 / 64),
        (254, 1, 1.0, 2 / 256),
        (100, 1, 0.1, 0.006),
        (100, 1, 0.01, 0.006),
        (100, 2, 0.01, 0.01 * 156 / 256),
        (100, None, 1.0, 156 / 256),
    ],
)
def test_c_tmr_02_ranked_skew_is_the_place_and_never_more_than_the_rfc_s(bench, priority, rank, interval, skew):
    vr = bench(priority=priority, rank=rank, advertisement_interval=interval).backup()
    assert vr.router.listener.skew_time == pytest.approx(skew)
    assert vr.deadline == pytest.approx(3 * interval + skew)


def test_c_tmr_02_who_has_left_its_place_waits_the_rfc_s_skew(bench):
    vr = bench(priority=100, rank=1, checks=[{"name": "web", "weight": -60, "fall": 1}]).backup()
    vr.verdict("web", healthy=False)
    assert vr.router.listener.skew_time == pytest.approx(216 / 256)
    assert vr.deadline == pytest.approx(3 + 216 / 256)


def test_c_fsm_12_after_a_goodbye_the_ranked_wait_is_short(bench):
    vr = bench(priority=100, rank=1).backup()
    vr.later(1.0).advert(200)
    vr.later(0.5).advert(0)
    assert vr.deadline == pytest.approx(vr.now + 2 / 64)


def test_who_heard_no_goodbye_counts_its_skew_in_seconds_in_version_2(bench):
    vr = bench(version=2, advertisement_interval=4.0).settled()
    vr.feed(ReleaseAsked(NAME))
    vr.shutdown()
    assert vr.tenure.hold_until - vr.now == 3 * 4.0 + 1.0
