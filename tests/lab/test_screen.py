from hafw.lab.ruler import Outage, Probe
from hafw.lab.scenario import Row
from hafw.lab.screen import _strip, table

QUIET = Outage(0.0, 0, 1000, 0.001)


def test_the_table_is_aligned_and_says_who_has_the_address():
    rows = [
        Row("nginx of lb1 killed", "609 ms (skew)", "lb2", 0.0312, QUIET, Outage(0.04, 2, 100, 0.02)),
        Row("link of lb1 cut", "2609-3609 ms", "", 0.0, Outage(20.0, 20000, 20000, 0.001), QUIET),
    ]
    assert table(rows).splitlines() == [
        "FAILURE              NEW MASTER  AFTER  ADDRESS OUT  PAGES OUT  PAGES LOST  WAIT BY RFC 9568",
        "nginx of lb1 killed  lb2         31 ms         0 ms      40 ms           2  609 ms (skew)",
        "link of lb1 cut      none            -     20000 ms       0 ms           0  2609-3609 ms",
    ]


def test_the_strip_ends_now_and_shows_the_server_of_each_moment():
    probes = [Probe(1000.0, 1000.1, "lb1"), Probe(1000.25, 1000.3, "lb2"), Probe(1000.75, 1000.8, "lb3")]
    assert _strip(probes, 1001.0, 6) == " 12 3 "


def test_one_lost_probe_marks_its_moment():
    probes = [
        Probe(1000.0, 1000.1, "-"),
        Probe(1000.1, 0.0, "-"),
        Probe(1000.2, 1000.3, "-"),
        Probe(1000.3, 1000.4, "-"),
    ]
    assert _strip(probes, 1000.4, 2) == "x."
