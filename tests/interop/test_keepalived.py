"""hafw beside Debian's keepalived on a real wire, each as MASTER and as BACKUP.

keepalived beside itself is the control: what the harness finds there it cannot blame on hafw.
"""

import pytest

from hafw.sim.replay import replay

HIGH, LOW = "high", "low"
NOISE = 0.15
"""Seconds by which a shared machine may be late."""
PAIRS = [
    ("v3-ipv4", "keepalived", "keepalived"),
    ("v2-pass", "hafw", "keepalived"),
    pytest.param(("v2-pass", "keepalived", "hafw"), marks=pytest.mark.long),  # no interval below a second
    *(
        (case, *pair)
        for case in ("v3-ipv4", "v3-ipv6", "v3-unicast")
        for pair in (("hafw", "keepalived"), ("keepalived", "hafw"))
    ),
]

pytestmark = [
    pytest.mark.wire,
    pytest.mark.peer("keepalived"),
    pytest.mark.parametrize("story", PAIRS, indirect=True, ids="-".join, scope="module"),
]


def test_the_higher_priority_is_elected_and_has_every_address(story):
    first = story.first("election", HIGH)
    assert first.priority == 200
    assert {advert.version for advert in story.adverts} == {story.case.version}
    virtual = set(map(str, story.case.settings(HIGH).virtual_addresses))
    assert story.owners["election"] == {HIGH: virtual, LOW: set()}


def test_c_fsm_20_a_master_that_is_stopped_says_priority_0_once(story):
    goodbyes = [advert for advert in story.chapter("goodbye") if advert.priority == 0]
    assert [advert.host for advert in goodbyes] == [HIGH]


def test_c_fsm_12_priority_0_is_honoured_within_the_skew(story):
    goodbye = next(advert for advert in story.chapter("goodbye") if advert.priority == 0)
    waited = story.first("goodbye", LOW).time - goodbye.time
    assert story.case.skew * 0.95 <= waited <= story.case.skew + NOISE
    assert not story.owners["goodbye"][HIGH]
    assert story.owners["goodbye"][LOW]


def test_c_fsm_15_the_higher_one_returns_and_preempts(story):
    assert story.first("return", HIGH).priority == 200
    assert story.owners["return"][HIGH]
    assert not story.owners["return"][LOW]


def test_c_tmr_03_the_death_of_the_master_is_noticed_after_master_down_interval(story):
    silence = story.first("death", LOW).time - story.last_before(story.begin["death"], HIGH).time
    expected = 3 * story.case.interval + story.case.skew
    assert expected * 0.95 <= silence <= expected + NOISE
    assert story.owners["death"][LOW]


def test_what_hafw_recorded_of_it_is_lived_through_again(story, request):
    """Whoever was killed may have left half a line, and who still runs be in the middle of one."""
    _, *programs = request.node.callspec.params["story"]
    assert list(story.journals) == [
        host for host, program in zip((HIGH, LOW), programs, strict=True) if program == "hafw"
    ]
    for lines in story.journals.values():
        account = replay(lines)
        assert account.difference is None
        assert account.lost == 0
        assert {"BACKUP", "MASTER"} <= {each.new for _, _, each in account.transitions}


@pytest.mark.parametrize("chapter", ["election", "goodbye", "return"])
def test_two_masters_never_overlap_by_more_than_one_advert(story, chapter):
    assert len(story.overlap(chapter)) <= 1
