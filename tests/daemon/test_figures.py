from hafw.daemon.figures import LATENESS, TAKEOVER, Figures, Histogram
from hafw.daemon.observe import LogWriter, Observer


def test_a_histogram_counts_what_is_at_most_each_bound():
    histogram = Histogram((0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7.0):
        histogram.add(value)
    assert histogram.record() == {"buckets": [[0.1, 2], [1.0, 3]], "count": 4, "sum": 7.65}


def test_bounds_are_in_order():
    assert sorted(set(TAKEOVER)) == [*TAKEOVER]
    assert sorted(set(LATENESS)) == [*LATENESS]


def test_figures_are_of_what_the_stream_says(tmp_path):
    with (tmp_path / "log").open("w") as stream:
        writer = LogWriter(stream)
        observer, figures = Observer(writer), Figures()
        observer.subscribe(figures.take)
        observer.event({"type": "takeover_complete", "instance": "VI_1", "seconds": 0.004})
        observer.event({"type": "takeover_complete", "instance": "VI_1", "seconds": 60.0})
        observer.event({"type": "split_brain", "instance": "VI_2"})
        writer.close()
    assert figures.events == {"takeover_complete": 2, "split_brain": 1}
    assert figures.takeovers("VI_1")["count"] == 2
    assert dict(map(tuple, figures.takeovers("VI_1")["buckets"]))[0.005] == 1
    assert figures.takeovers("VI_2") == {"buckets": [[each, 0] for each in TAKEOVER], "count": 0, "sum": 0.0}
