from hypothesis import given
from hypothesis import strategies as st

from hafw.lab.ruler import Outage, Probe, measure

PERIOD = 0.001


def probes(pattern, period=PERIOD):
    """``.`` is answered, ``x`` is lost, a blank was never sent."""
    return [
        Probe(1000 + number * period, 1000 + number * period if fate == "." else 0.0, "lb1")
        for number, fate in enumerate(pattern)
        if fate != " "
    ]


def near(outage, longest, lost):
    return abs(outage.longest - longest) < 1e-6 and outage.lost == lost


def test_nothing_lost_is_no_outage():
    assert near(measure(probes("....."), PERIOD), 0.0, 0)


def test_an_outage_is_from_the_last_answered_to_the_next_answered_less_the_period():
    assert near(measure(probes("..xxx.."), PERIOD), 3 * PERIOD, 3)


def test_the_longest_of_several_counts_and_all_that_was_lost():
    assert near(measure(probes(".x..xx.x."), PERIOD), 2 * PERIOD, 4)


def test_an_outage_at_either_end_of_the_stretch_counts_as_far_as_it_was_seen():
    assert near(measure(probes("xx.."), PERIOD), 2 * PERIOD, 2)
    assert near(measure(probes("..xxx"), PERIOD), 3 * PERIOD, 3)


def test_a_pause_of_the_ruler_is_its_worst_tick_and_no_outage():
    outage = measure(probes("..    .."), PERIOD)
    assert near(outage, 0.0, 0)
    assert abs(outage.worst_tick - 5 * PERIOD) < 1e-6


def test_no_probe_at_all_measures_nothing():
    assert measure([], PERIOD) == Outage(0.0, 0, 0, 0.0)


@given(st.text(alphabet=".x", min_size=1, max_size=200), st.randoms())
def test_the_order_of_the_fates_does_not_matter_and_the_longest_run_is_found(pattern, random):
    shuffled = probes(pattern)
    random.shuffle(shuffled)
    longest = max(map(len, pattern.split(".")))
    assert near(measure(shuffled, PERIOD), longest * PERIOD, pattern.count("x"))
