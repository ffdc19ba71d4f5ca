import dataclasses
import importlib.util
import json
import tomllib

import pytest

from bench import course, docs, report
from bench.__main__ import arguments
from bench.course import Results
from bench.peers import Setup, vip
from bench.plan import HAFW, HAFW_RFC, KEEPALIVED, RULER
from bench.scenarios import SCENARIOS

BOTH = [HAFW, KEEPALIVED]


def run(scenario, variant, failed="", remarks=None, **values):
    return {"scenario": scenario, "run": 0, "variant": variant, "failed": failed, "took": 1.0} | {
        "values": values,
        "remarks": remarks or {},
    }


@pytest.fixture
def results():
    runs = [
        run("stop-1", KEEPALIVED, outage=610.0, lost=610, newcomer=610.0),
        run("stop-1", KEEPALIVED, outage=612.0, lost=612, newcomer=611.0),
        run("stop-1", HAFW, outage=0.0, lost=0, newcomer=70.0),
        run("stop-1", HAFW, failed="lb1 is MASTER, and alone:\n not so after 30 s"),
        run("nginx-process", KEEPALIVED, remarks={"note": "no figure: no process events here"}),
    ]
    return Results({"when": "today", "hafw": "0.1.0"}, {"runs": 2}, runs)


def test_a_row_has_both_the_ratio_the_goal_and_whether_it_was_met(results):
    table = list(report.rows(results, SCENARIOS["stop-1"]))
    assert table[0] == ["", "keepalived", "hafw", "hafw / keepalived", "goal", ""]
    assert table[1] == ["outage at the client, ms", "611.0 (610.0-612.0)", "0", "0", "0, every run", "met"]
    assert table[-1][-1] == "NOT MET"
    assert len(table) == 4, "a figure that no run has is no row"


def test_a_failed_run_is_named_with_its_reason_and_counts_in_no_figure(results):
    text = report.terminal(results, [SCENARIOS["stop-1"]])
    assert "runs that succeeded: keepalived 2/2, hafw 1/2" in text
    assert "! hafw: lb1 is MASTER, and alone: not so after 30 s" in text


def test_a_remark_is_shown_where_there_is_no_figure(results):
    assert "! keepalived: no figure: no process events here" in report.terminal(results, [SCENARIOS["nginx-process"]])


def test_what_is_not_reached_is_listed_with_its_figure(results):
    ((scenario, metric, variant, found),) = report.unmet(results)
    assert (scenario.name, metric.key, variant, found) == ("stop-1", "newcomer", HAFW, "70.0")


def test_results_survive_the_file(results, tmp_path):
    results.save(tmp_path / "results.json")
    assert course.load(tmp_path / "results.json") == results
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def test_the_page_holds_every_table_its_plot_and_the_raw_results(results, tmp_path):
    out, tree = tmp_path / "out", tmp_path / "tree"
    out.mkdir()
    results.save(out / "results.json")
    (out / "stop-1.svg").write_text("<svg/>")
    stale = tree / "docs" / "performance" / "renamed.svg"
    stale.parent.mkdir(parents=True)
    stale.touch()
    docs.write(results, out, tree)
    page = (tree / "docs" / "performance.md").read_text()
    assert "| outage at the client, ms | 611.0 (610.0-612.0) | 0 | 0 | 0, every run | met |" in page
    assert "![MASTER stopped, 1 address](performance/stop-1.svg)" in page
    assert "- **MASTER stopped, 1 address, longest a newcomer was dark, ms**: 70.0; keepalived 610.5 (" in page
    assert "2 of 3 goals met" in page
    assert "no figure: no process events here" in page
    assert json.loads((stale.parent / "results.json").read_text())["machine"]["when"] == "today"
    assert not stale.exists()


def test_every_reason_is_of_a_figure_that_is_measured():
    for scenario, reasons in tomllib.loads(docs.REASONS.read_text(encoding="utf-8")).items():
        assert reasons.keys() <= {metric.key for metric in SCENARIOS[scenario].metrics}


if importlib.util.find_spec("matplotlib"):  # it comes with `make bench`, not with what `make test` installs

    def test_a_plot_is_drawn_for_what_was_measured_and_again_the_same(results, tmp_path):
        from bench import plots  # noqa: PLC0415

        (drawn,) = plots.draw(results, tmp_path)
        assert drawn.name == "stop-1.svg"
        assert drawn.with_suffix(".png").stat().st_size > 1000
        before = drawn.read_bytes()
        assert b"MASTER stopped, 1 address" in before
        plots.draw(results, tmp_path)
        assert drawn.read_bytes() == before


def test_the_peers_take_turns():
    chosen = [SCENARIOS["stop-1"], SCENARIOS["host-10ms"], SCENARIOS["noise"]]
    turns = [variant for _, _, variant in course.schedule(chosen, BOTH, 2)]
    assert turns == [KEEPALIVED, HAFW] * 2 + [KEEPALIVED, HAFW, HAFW_RFC] * 2 + [RULER] * 2
    assert [variant for _, _, variant in course.schedule(chosen[1:], [KEEPALIVED], 1)] == [KEEPALIVED, RULER]


def test_what_is_long_in_itself_is_not_repeated():
    runs = [run for _, run, variant in course.schedule([SCENARIOS["busy-4"]], BOTH, 5) if variant == HAFW]
    assert runs == [0]


def test_a_whole_course_takes_no_longer_than_it_says():
    assert course.estimate(list(SCENARIOS.values()), BOTH, 5) < 40 * 60


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_every_scenario_says_what_it_is_and_its_setup_is_one(scenario):
    assert scenario.about.endswith(".")
    assert Setup(**scenario.setup)
    assert len({metric.key for metric in scenario.metrics}) == len(scenario.metrics)


def test_addresses_are_distinct_and_none_is_that_of_a_host():
    several = [vip(number) for number in range(4000)]
    assert len(set(several)) == 4000
    assert not {f"10.77.0.{number}" for number in range(1, 120)} & set(several)


def test_an_unknown_scenario_is_refused_by_name(capsys):
    with pytest.raises(SystemExit) as refused:
        arguments().parse_args(["--only", "stop-1,stopp"])
    assert refused.value.code == 2
    assert "stopp: unknown; known are busy-32" in capsys.readouterr().err


def test_setups_are_values():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Setup().vips = 2
