"""Time that stood still (C-TMR-07): after a suspend everything that was heard or promised is older by so much."""

import pytest

from hafw.vrrp.events import Suspended

STRANGER = "10.77.0.66"
ASLEEP = 30.0


def sleeps(vr):
    vr.feed(Suspended(ASLEEP))
    return vr


def over(vr, until):
    """When the end of a split brain is told, from this moment on."""
    start = vr.now
    seen = [(vr.now, action) for action in vr.tick()] + vr.run(start + until)
    return [(at - start, action) for at, action in seen if getattr(action, "kind", "") == "split_brain_over"]


def test_c_sec_04_after_a_suspend_the_master_of_before_protects_nobody_from_a_goodbye(bench):
    vr = bench(priority=100).backup()
    vr.at(1.0).advert(200)
    sleeps(vr).advert(0, source=STRANGER)
    assert vr.deadline == 1.0 + 0.609375


def test_who_was_heard_before_a_suspend_is_still_known_with_the_time_that_has_passed(bench):
    vr = bench(priority=100).backup()
    vr.at(1.0).advert(200)
    peer = sleeps(vr).router.peer
    assert (peer.source, peer.priority, peer.heard_at) == (vr.peer, 200, 1.0 - ASLEEP)


def test_a_goodbye_that_was_heard_before_a_suspend_is_as_old_as_it_was(bench):
    vr = bench(priority=100).backup()
    vr.at(1.0).advert(0)
    peer = sleeps(vr).router.peer
    assert (peer.source, peer.priority, peer.heard_at) == (vr.peer, 0, 1.0 - ASLEEP)


def test_a_rival_that_was_heard_before_a_suspend_is_gone_after_it_and_the_suspend_counts(bench):
    vr = bench(priority=100).settled()
    vr.advert(50)
    vr.later(0.25)
    told = over(sleeps(vr), 60.0)
    assert told == [(0.0, vr.notes("split_brain_over", peer=str(vr.peer), seconds=ASLEEP + 0.25))]


def test_a_suspend_brings_the_end_of_a_rivalry_nearer(bench):
    vr = bench(priority=100, advertisement_interval=20.0).settled()
    vr.advert(50)
    told = over(sleeps(vr), 60.0)
    assert told == [(30.0, vr.notes("split_brain_over", peer=str(vr.peer), seconds=60.0))]


def test_the_patience_with_another_s_claims_goes_on_during_a_suspend(bench):
    vr = bench(priority=100).settled()
    vr.claimed()
    vr.later(0.5)
    told = over(sleeps(vr), 300.0)
    assert told == [(149.5, vr.notes("split_brain_over", evidence="claim", mac=vr.mac, seconds=180.0))]


def test_without_rival_claim_or_peer_a_suspend_only_makes_the_router_late(bench):
    vr = bench(priority=100).settled()
    since = vr.router.since
    assert vr.feed(Suspended(ASLEEP)) == []
    assert (vr.router.since, vr.router.speaker.adver_at) == (since - ASLEEP, vr.now + 1.0 - ASLEEP)


@pytest.mark.parametrize("state", ["known", "backup", "settled"])
def test_no_suspend_changes_the_state_by_itself(bench, state):
    vr = getattr(bench(priority=100), state)()
    before = vr.state
    assert vr.feed(Suspended(ASLEEP)) == []
    assert vr.state == before


def test_a_backup_whose_patience_ended_one_interval_ago_during_a_suspend_waits_for_one_advert_more(bench):
    vr = bench(priority=100).backup()
    vr.at(1.0).feed(Suspended(vr.deadline))
    assert vr.deadline == 1.0 + 1.0 + 0.609375
