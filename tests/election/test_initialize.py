"""INITIALIZE: RFC 9568 section 6.4.1, and what a router waits for before it may start."""

import pytest

from hafw.node import Node


def test_c_fsm_01_c_fsm_30_owner_goes_straight_to_master(bench):
    vr = bench(priority=255, owner=True, preempt=False).known()
    assert vr.startup() == [vr.sends(255), vr.binds(), vr.moves("INITIALIZE", "MASTER", "owner")]
    assert vr.router.speaker.adver_at == 1.0
    assert vr.installed() == [vr.announces(), vr.notes("takeover_complete", seconds=0.0)]


@pytest.mark.parametrize("preempt", [True, False])
@pytest.mark.parametrize("priority", [1, 100, 254])
def test_c_fsm_02_others_start_as_backup_without_a_word(bench, priority, preempt):
    vr = bench(priority=priority, preempt=preempt).known()
    assert vr.startup() == [vr.moves("INITIALIZE", "BACKUP", "startup")]
    assert vr.router.speaker.adver_at == float("inf")


def test_c_fsm_02_waits_one_master_down_interval_of_its_own_interval(bench):
    vr = bench(priority=100).known()
    vr.startup()
    assert vr.deadline == 3.609375


def test_c_fsm_03_adverts_timers_and_shutdown_do_nothing(bench):
    vr = bench(priority=100).known()
    assert vr.advert(0) == vr.advert(50) == vr.advert(200) == []
    assert vr.at(100.0).tick() == []
    assert vr.shutdown() == []
    assert (vr.state, vr.deadline) == ("INITIALIZE", float("inf"))


def test_c_fsm_31_no_timer_is_armed(bench):
    assert bench().known().deadline == float("inf")


def test_starts_once_the_link_the_plan_and_every_critical_verdict_are_known(bench):
    vr = bench(checks=[{"name": "web", "critical": True}, {"name": "disk", "weight": -10}])
    assert vr.startup() == []
    assert vr.instance.waits_for_now == "waits for news of eth0"
    assert vr.link() == []
    assert vr.instance.waits_for_now == "waits for the takeover plan"
    assert vr.plan() == []
    assert vr.instance.waits_for_now == "waits for the first verdict of check web"
    changed = vr.notes("check_changed", check="web", healthy=True, detail="")
    assert vr.verdict("web", healthy=True) == [changed, vr.moves("INITIALIZE", "BACKUP", "startup")]
    assert vr.instance.waits_for_now == ""


def test_a_startup_delay_is_waited_for_and_then_a_whole_master_down_interval_of_silence(bench):
    vr = bench(priority=100).known()
    assert vr.startup(delay=30.0) == []
    assert (vr.deadline, vr.instance.waits_for_now) == (30.0, "waits for the end of startup_delay")
    vr.at(29.0).advert(200)
    assert vr.at(30.0).tick() == [vr.moves("INITIALIZE", "BACKUP", "startup")]
    assert vr.deadline == pytest.approx(29.0 + 3.609375), "the advert was read, though nothing was done about it"


def test_a_startup_delay_below_a_second_is_waited_for_too(bench):
    vr = bench(priority=100).known()
    assert vr.startup(delay=0.5) == []
    assert vr.due() == [vr.moves("INITIALIZE", "BACKUP", "startup")]
    assert vr.now == 0.5


def test_a_link_that_comes_after_the_startup_delay_is_still_waited_for(bench):
    vr = bench(priority=100)
    vr.startup(delay=5.0)
    assert vr.at(5.0).tick() == []
    assert vr.deadline == float("inf")
    vr.plan()
    assert vr.link() == [vr.moves("INITIALIZE", "BACKUP", "startup")]


def test_a_shutdown_ends_the_startup_delay(bench):
    vr = bench(priority=100).known()
    vr.startup(delay=30.0)
    vr.at(1.0).shutdown()
    assert vr.deadline == float("inf")
    assert vr.at(40.0).tick() == []
    assert vr.state == "INITIALIZE"


def test_before_a_start_and_after_a_stop_no_startup_delay_is_waited_for(bench):
    vr = bench().known()
    assert vr.instance.waits_for == ""
    vr.startup(delay=30.0)
    vr.shutdown()
    assert vr.instance.waits_for == ""


def test_nothing_starts_by_itself(bench):
    vr = bench(checks=[{"name": "web", "critical": True}]).known()
    vr.verdict("web", healthy=True)
    assert vr.state == "INITIALIZE"
    assert vr.instance.waits_for_now == ""


@pytest.mark.parametrize(
    ("bad_news", "reason", "detail"),
    [
        (lambda vr: vr.link(up=False, problem="does not exist"), "interface-down", "eth0 does not exist"),
        (lambda vr: vr.link(primary={}), "no-primary-address", "eth0 has no IPv4 address of its own"),
        (lambda vr: vr.plan("vip: eth9 does not exist"), "no-takeover-plan", "vip: eth9 does not exist"),
    ],
)
def test_c_fsm_36_a_router_that_cannot_serve_starts_in_fault(bench, bad_news, reason, detail):
    vr = bench().known()
    bad_news(vr)
    assert vr.startup() == [vr.moves("INITIALIZE", "FAULT", reason, detail=detail)]


def test_a_second_startup_changes_nothing(bench):
    vr = bench().backup()
    vr.at(1.0)
    assert vr.startup() == []
    assert vr.deadline == 3.609375


def test_shutdown_before_startup_leaves_nothing_to_do(bench):
    vr = bench().known()
    assert vr.shutdown() == []
    assert vr.node.done


def test_a_node_without_routers_has_nothing_to_wait_for():
    node = Node([], 0.0)
    assert node.deadline == float("inf")
    assert node.done


def test_c_fsm_02_what_was_heard_of_the_segment_before_the_plan_was_ready_counts(bench):
    """The socket listens from the moment the link is there; only what to bind is not known yet."""
    vr = bench(priority=100)
    vr.link()
    vr.startup()
    assert vr.at(0.75).plan()[0].new == "BACKUP"
    assert vr.deadline == 3.609375


def test_c_fsm_02_an_advert_that_came_meanwhile_begins_the_wait_anew(bench):
    vr = bench(priority=100)
    vr.link()
    vr.startup()
    vr.at(0.5).advert(50)
    vr.at(0.75).plan()
    assert vr.deadline == 0.5 + 3.609375


def test_c_fsm_02_who_waited_longer_than_that_for_its_plan_is_due_at_once(bench):
    vr = bench(priority=100)
    vr.link()
    vr.startup()
    vr.at(60.0).plan()
    assert vr.deadline == 60.0
