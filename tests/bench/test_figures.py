import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import figures
from bench.figures import Spread
from bench.plan import HAFW, HAFW_RFC, KEEPALIVED, ZERO, Goal, Metric, told, verdicts
from hafw.lab.ruler import Probe


def probes(*pairs):
    return [Probe(sent, answered, "-") for sent, answered in pairs]


def test_a_spread_is_median_least_and_most_of_the_runs_that_found_something():
    assert figures.spread([3.0, None, 1.0, 10.0]) == Spread(3, 3.0, 1.0, 10.0)
    assert figures.spread([4.0, 2.0]) == Spread(2, 3.0, 2.0, 4.0)
    assert figures.spread([None, None]) is None


def test_the_ratio_is_of_the_medians_and_nothing_is_divided_by_nothing():
    two, four, zero = Spread(1, 2.0, 2.0, 2.0), Spread(1, 4.0, 4.0, 4.0), Spread(1, 0.0, 0.0, 0.0)
    assert figures.ratio(two, four) == 0.5
    assert figures.ratio(zero, four) == 0
    assert figures.ratio(two, zero) is None
    assert figures.ratio(None, four) is None


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=300), st.integers(1, 100))
def test_a_percentile_is_a_value_that_as_many_reach_or_stay_below(values, hundredths):
    found = figures.percentile(values, hundredths)
    assert found in values
    assert sum(value <= found for value in values) >= len(values) * hundredths / 100
    assert sum(value < found for value in values) < len(values) * hundredths / 100


def test_a_percentile_of_nothing_is_not_a_number():
    assert math.isnan(figures.percentile([], 99))


def test_bursts_are_told_apart_by_their_pauses():
    assert figures.bursts([], 1.0) == 0
    assert figures.bursts([5.0], 1.0) == 1
    assert figures.bursts([1.0, 1.5, 2.0, 9.0, 9.5, 20.0], 1.0) == 3


def test_the_longest_pause_counts_from_the_beginning_of_the_stretch_to_its_end():
    answers = probes((1.0, 1.2), (1.5, 1.6), (1.7, 0.0), (1.9, 2.0))
    assert figures.longest_pause(answers, 1.0, 2.1) == pytest.approx(0.4)
    assert figures.longest_pause(answers, 0.0, 2.1) == pytest.approx(1.2)
    assert figures.longest_pause([], 3.0, 5.0) == 2.0


def test_a_newcomer_is_dark_from_its_first_request_although_the_kernel_kept_it_and_lost_nothing():
    assert figures.dark(probes((1.0, 1.5), (1.1, 1.5), (1.6, 1.61))) == pytest.approx(0.5)
    assert figures.dark(probes((1.0, 1.001), (1.1, 0.0), (1.4, 1.401))) == pytest.approx(0.4)
    assert figures.dark(probes((1.0, 0.0), (3.0, 0.0))) == 2.0
    assert figures.dark([]) is None


@pytest.mark.parametrize(
    ("one", "other", "seconds"),
    [
        ([(1, True)], [], 0),
        ([(1, True)], [(4, True)], 6),
        ([(1, True), (5, False)], [(4, True)], 1),
        ([(1, True), (3, False)], [(4, True)], 0),
        ([(1, True), (1, True), (6, False), (7, True), (8, False)], [(4, True)], 3),
    ],
)
def test_two_hosts_hold_an_address_together_from_the_second_taking_to_the_first_release(one, other, seconds):
    assert figures.overlap(one, other, until=10.0) == pytest.approx(seconds)
    assert figures.overlap(other, one, until=10.0) == pytest.approx(seconds)


def test_of_each_address_the_first_claim_counts():
    assert figures.first_of_each([(2.0, "b"), (1.0, "a"), (3.0, "a"), (1.5, "b")]) == {"a": 1.0, "b": 1.5}


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (math.nan, "-"), (0, "0"), (0.126, "0.13"), (9.99, "9.99"), (9.996, "10.0"), (610.3, "610.3")],
)
def test_as_many_digits_as_say_something(value, text):
    assert figures.shown(value) == text


def test_thousands_have_no_fraction():
    assert figures.shown(3609.44) == "3609"


def test_several_runs_are_told_with_their_spread():
    assert told(Spread(5, 610.0, 600.0, 2000.0)) == "610.0 (600.0-2000)"
    assert told(Spread(1, 610.0, 610.0, 610.0)) == "610.0"
    assert told(None) == "-"


OURS, THEIRS = Spread(5, 10.0, 0.0, 50.0), Spread(5, 20.0, 20.0, 20.0)


@pytest.mark.parametrize(
    ("goal", "met", "text"),
    [
        (Goal(limit=10), True, "<= 10 ms"),
        (Goal(limit=9.99), False, "<= 9.99 ms"),
        (Goal(limit=10, every_run=True), False, "<= 10 ms, every run"),
        (ZERO, False, "0, every run"),
        (Goal(ratio=0.5), True, "<= 0.5 x keepalived"),
        (Goal(ratio=0.4), False, "<= 0.4 x keepalived"),
        (Goal(ratio=1), True, "not above keepalived"),
    ],
)
def test_a_goal_is_judged_by_the_median_or_by_the_worst_run(goal, met, text):
    assert goal.met(OURS, THEIRS) is met
    assert goal.text("ms") == text


def test_what_cannot_be_judged_is_neither_met_nor_missed():
    assert Goal(ratio=1).met(OURS, None) is None
    assert Goal(limit=1).met(None, THEIRS) is None
    both = Metric("x", "x", goal=Goal(limit=20), rfc_goal=Goal(ratio=1))
    assert verdicts(both, {HAFW: OURS, KEEPALIVED: None, HAFW_RFC: OURS}) == {HAFW: True}
    assert verdicts(both, {HAFW: OURS, KEEPALIVED: THEIRS, HAFW_RFC: OURS}) == {HAFW: True, HAFW_RFC: True}
    assert verdicts(Metric("x", "x"), {HAFW: OURS, KEEPALIVED: THEIRS}) == {}
