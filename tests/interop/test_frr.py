"""hafw beside FRR's vrrpd: the election goes by priority whoever is who, and a goodbye moves it."""

import pytest

HIGH, LOW = "high", "low"
NOISE = 0.15
CENTISECONDS = 0.01
"""FRR cuts its timers to whole centiseconds."""
PAIRS = [("v3-ipv4", "frr", "keepalived")] + [
    (case, *pair) for case in ("v3-ipv4", "v3-ipv6") for pair in (("hafw", "frr"), ("frr", "hafw"))
]

pytestmark = [
    pytest.mark.wire,
    pytest.mark.peer("frr"),
    pytest.mark.parametrize("story", PAIRS, indirect=True, ids="-".join, scope="module"),
]


def test_the_higher_priority_is_elected_and_keeps_speaking_alone(story):
    assert story.first("election", HIGH).priority == 200
    assert len([advert for advert in story.chapter("election") if advert.host == HIGH]) >= 2
    assert len(story.overlap("election")) <= 1


def test_c_fsm_12_priority_0_is_honoured_within_the_skew(story):
    goodbye = next(advert for advert in story.chapter("goodbye") if advert.priority == 0)
    assert goodbye.host == HIGH
    waited = story.first("goodbye", LOW).time - goodbye.time
    assert story.case.skew * 0.95 - CENTISECONDS <= waited <= story.case.skew + NOISE


def test_c_fsm_15_the_higher_one_returns_and_the_lower_one_falls_silent(story):
    assert story.first("return", HIGH).priority == 200
    assert len(story.overlap("return")) <= 1


def test_c_tmr_03_the_death_of_the_master_is_noticed_after_master_down_interval(story):
    silence = story.first("death", LOW).time - story.last_before(story.begin["death"], HIGH).time
    expected = 3 * story.case.interval + story.case.skew
    assert expected * 0.95 - CENTISECONDS <= silence <= expected + NOISE
