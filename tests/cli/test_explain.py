"""``hafw explain``: what it prints of the examples, its document, and how it ends.

``HAFW_UPDATE_SCENARIOS=1 pytest tests/cli/test_explain.py`` writes what is printed anew.
"""

import json
import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from hafw.cli.verbs import cli

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent / "explained"
UPDATE = "HAFW_UPDATE_SCENARIOS" in os.environ
IDLE = {"useless_weight": 3, "nopreempt_weight": 3}
"""Exit codes of those that have a check that never counts."""


@pytest.fixture
def explain(monkeypatch):
    """Runs it on files of this folder: exit code, what was printed, what was complained of."""
    monkeypatch.chdir(HERE)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*words):
        done = CliRunner().invoke(cli, ["explain", *words])
        return done.exit_code, done.stdout, done.stderr

    return run


@pytest.mark.parametrize("name", sorted(path.stem for path in HERE.glob("*.toml")))
def test_what_is_printed_of_an_example(explain, name):
    code, out, err = explain(f"{name}.toml")
    file = HERE / f"{name}.txt"
    if UPDATE:
        file.write_text(out, "utf-8")
    assert (code, err) == (IDLE.get(name, 0), "")
    assert out == file.read_text("utf-8")


def test_a_wide_terminal_needs_no_second_lines(monkeypatch, explain):
    monkeypatch.setenv("COLUMNS", "140")
    _, out, _ = explain("critical_everywhere.toml")
    assert "anything on lb2, then lb1 nginx (or at once)    lb1 degraded  -             lb1 recovers\n" in out


def test_instances_can_be_chosen_by_name(monkeypatch, explain):
    monkeypatch.chdir(ROOT)
    assert "web_a: " not in explain("examples/active-active/config.toml", "web_b", "--depth", "1")[1]
    code, out, err = explain("examples/active-active/config.toml", "web_c")
    assert (code, out) == (2, "")
    assert "web_c: no such instance or group (did you mean web_b?): there is web_a and web_b" in err


def test_the_document_has_every_combination_with_its_end(explain):
    code, out, _ = explain("useless_weight.toml", "--json", "--depth", "1")
    found = json.loads(out)
    (instance,) = found["instances"]
    assert code == 3
    assert [each["failures"] for each in instance["outcomes"]][:3] == [
        [{"router": "lb1", "fails": "power"}],
        [{"router": "lb1", "fails": "link"}],
        [{"router": "lb1", "fails": "check", "check": "nginx"}],
    ]
    power = instance["outcomes"][0]
    assert (power["masters"], power["states"], power["timing"]) == (["lb2"], {"lb1": "OFF", "lb2": "MASTER"}, "any")
    assert 3.0 < power["dark_seconds"] < 3.1
    assert power["mended"]["masters"] == ["lb1"]
    assert power["mended"]["dark_seconds"] == 0
    assert [each["path"] for each in instance["findings"]] == ["instance.VI_1.check.nginx.weight"]


def test_what_stays_dark_has_no_seconds(explain):
    (instance,) = json.loads(explain("critical_everywhere.toml", "--json")[1])["instances"]
    ends = {each["timing"]: each for each in instance["outcomes"] if len({f["router"] for f in each["failures"]}) > 1}
    assert {each["dark_seconds"] for each in instance["outcomes"] if not each["masters"]} == {None}
    assert set(ends) == {"any", "order", "order-or-once"}


def test_peers_of_a_file_of_one_router(explain):
    """Level priorities are never enough; with the third one behind lb2, a weight counts when lb1 is away."""
    code, out, err = explain("one_router.toml", "--peer", "lb2=100", "--depth", "1")
    assert (code, err) == (3, "")
    assert "all is well  MASTER  BACKUP\n" in out
    assert "leaves lb1 at 130, still above lb2's 100: -51 or less moves it" in out
    code, out, err = explain("one_router.toml", "--peer", "lb2=100", "--peer", "lb3=90", "--depth", "1")
    assert (code, err) == (0, "")
    idle = (
        "never changes who is MASTER while all run: lb1 (150) stays ahead of lb2 (100): -51 would, or critical = true"
    )
    assert f"one_router.toml:14: warning: instance.VI_1.check.nginx.weight = -20: {idle}\n" in out


def test_a_peer_may_have_a_file_of_its_own(explain, tmp_path):
    other = tmp_path / "other.toml"
    text = Path("one_router.toml").read_text("utf-8").replace("priority = 150", "priority = 140")
    other.write_text(text, "utf-8")
    code, out, _ = explain("one_router.toml", "--peer", f"lb2={other}", "--depth", "1")
    assert "priority     150     140\n" in out
    assert code == 0


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("one_router.toml", "--peer", "lb2"), "--peer: lb2: must be as lb2=100 or lb2=/etc/hafw/lb2.toml"),
        (("one_router.toml", "--peer", "lb2=255"), "--peer: lb2=255: a priority must be 1 to 254"),
        (("one_router.toml", "--peer", "lb1=100"), "--peer: lb1: there are two routers of this name"),
        (
            ("useless_weight.toml", "--peer", "lb3=90"),
            "--peer: useless_weight.toml names its routers itself: lb1 and lb2",
        ),
        (("useless_weight.toml", "--node", "lb1"), "--node: useless_weight.toml names its routers itself: lb1 and lb2"),
        (
            ("trio.toml", "--depth", "4"),
            "--depth: 35715 orders of 15 failures in VI_1: more than 5000 take too long: --depth 3",
        ),
    ],
)
def test_what_cannot_be_asked(explain, words, complaint):
    code, out, err = explain(*words)
    assert (code, out) == (2, "")
    assert f"Invalid value for {complaint}\n" in err


def test_a_file_that_cannot_run_is_told_as_hafw_check_tells_it(explain, tmp_path):
    broken = tmp_path / "c.toml"
    broken.write_text('[instance.VI_1]\ninterface = "eth0"\nvirtual_addresses = ["192.0.2.1"]\n')
    code, out, err = explain(str(broken))
    assert (code, out) == (3, "")
    assert err.startswith(f"{broken}:1: instance.VI_1.vrid")


def test_other_warnings_of_the_file_are_told_beside_it(explain, tmp_path):
    level = tmp_path / "c.toml"
    level.write_text(Path("critical_everywhere.toml").read_text("utf-8").replace("lb2 = 100", "lb2 = 150"), "utf-8")
    code, out, err = explain(str(level), "--depth", "1")
    assert code == 0
    assert "is the same on lb1 and lb2: the highest address wins" in err
    assert "lb1 and lb2 are level, so the higher address wins: here lb2's is taken to be the highest." in out


def test_a_large_cluster_is_told_one_failure_at_a_time(explain, monkeypatch):
    monkeypatch.setattr("hafw.cli.explain.MOST", 20)
    code, out, _ = explain("critical_everywhere.toml")
    assert code == 0
    assert "6 failures, one at a time; with pairs (--depth 2) 36 orders of them.\n" in out


# -- sync groups ------------------------------------------------------------------------------------------------

LEVEL = "priority = { lb1 = 150, lb2 = 100 }"


@pytest.fixture
def grouped(tmp_path):
    """The firewall of ``sync_group.toml``, with this check of the group, and other priorities of its inner side."""

    def write(check, inner=LEVEL):
        text = Path("sync_group.toml").read_text("utf-8").replace("critical = true", check)
        outer, inside = text.split("[instance.VI_IN]")
        path = tmp_path / "c.toml"
        path.write_text(f"{outer}[instance.VI_IN]{inside.replace(LEVEL, inner)}", "utf-8")
        return str(path)

    return write


def test_a_group_is_explained_once_whichever_member_is_asked_for(explain):
    whole = explain("sync_group.toml", "--depth", "1")
    assert whole[0] == 0
    assert whole[1].startswith("VG_1, a sync group: VI_OUT 198.51.100.250, VI_IN 192.0.2.250\n")
    for names in (["VG_1", "VI_OUT"], ["VI_IN"]):
        assert explain("sync_group.toml", *names, "--depth", "1") == whole


def test_the_document_has_groups_with_the_dark_time_of_each_member(explain):
    code, out, _ = explain("sync_group.toml", "--json", "--depth", "1")
    found = json.loads(out)
    (group,) = found["groups"]
    assert (code, found["instances"]) == (0, [])
    assert group["group"] == "VG_1"
    assert [each["instance"] for each in group["members"]] == ["VI_OUT", "VI_IN"]
    assert group["routers"][0] == {"router": "lb1", "priorities": {"VI_OUT": 150, "VI_IN": 150}, "state": "MASTER"}
    link = group["outcomes"][2]
    assert link["failures"] == [{"router": "lb1", "fails": "link", "interface": "eth1"}]
    assert (link["masters"], link["states"]) == (["lb2"], {"lb1": "FAULT", "lb2": "MASTER"})
    assert link["dark_seconds_by_member"] == {"VI_OUT": 0, "VI_IN": link["dark_seconds"]}
    assert link["mended"]["dark_seconds_by_member"] == {"VI_OUT": 0, "VI_IN": 0}


def test_a_weight_of_a_group_that_never_counts_is_found(explain, grouped):
    """That member decides in which the leader is furthest ahead; here the outer one."""
    path = grouped("weight = -5", "priority = { lb1 = 110, lb2 = 100 }")
    code, out, err = explain(path, "--depth", "1")
    assert (code, err) == (3, "")
    assert "priority     150/110  100\nnginx fails  145/105  95\n" in out
    never = "can never change who is MASTER: leaves lb1 at 145, still above lb2's 100: -51 or less moves it"
    assert f"{path}:18: group.VG_1.check.nginx.weight = -5: {never}, or critical = true\n" in out


def test_a_weight_of_a_group_that_is_enough_is_fine(explain, grouped):
    path = grouped("weight = -51", "priority = { lb1 = 110, lb2 = 100 }")
    code, out, err = explain(path, "--depth", "1")
    assert (code, err) == (0, "")
    assert re.search(r"^lb1 nginx +lb2 +- +lb1 in ", out, re.MULTILINE)


def test_a_group_of_one_router_says_what_cannot_be_known(explain, grouped):
    path = grouped("weight = -20", "priority = 150")
    Path(path).write_text(Path(path).read_text("utf-8").replace(LEVEL, "priority = 150"), "utf-8")
    code, out, err = explain(path, "--node", "lb1", "--depth", "1")
    assert (code, err) == (0, "")
    assert "names no other router of this group: who takes over from lb1 cannot be said." in out
    code, out, err = explain(path, "--node", "lb1", "--peer", "lb2=100", "--depth", "1")
    assert (code, err) == (3, "")
    assert "leaves lb1 at 130, still above lb2's 100: -51 or less moves it" in out


def test_a_peer_whose_file_knows_no_group_is_refused(explain, grouped, tmp_path):
    path, other = Path(grouped("critical = true", "priority = 150")), tmp_path / "other.toml"
    path.write_text(path.read_text("utf-8").replace(LEVEL, "priority = 150"), "utf-8")
    other.write_text(path.read_text("utf-8").split("[instance.VI_IN]")[0].replace('group = "VG_1"', ""), "utf-8")
    code, out, err = explain(str(path), "--node", "lb1", "--peer", f"lb2={other}")
    assert (code, out) == (2, "")
    assert "--peer: lb2: instance VI_OUT: must be in the same sync group on every router, or in none\n" in err


def test_a_group_of_many_members_is_told_one_failure_at_a_time(explain, monkeypatch):
    monkeypatch.setattr("hafw.cli.explain.MOST", 127)
    assert "8 failures, one at a time; with pairs (--depth 2) 64 orders" in explain("sync_group.toml")[1]
    code, out, err = explain("sync_group.toml", "--depth", "2")
    assert (code, out) == (2, "")
    assert "64 orders of 8 failures in VG_1: more than 63 take too long: --depth 1\n" in err


def test_level_members_of_a_group_are_told_once(explain, grouped):
    path = grouped("critical = true", "priority = { lb1 = 150, lb2 = 150 }")
    Path(path).write_text(Path(path).read_text("utf-8").replace(LEVEL, "priority = { lb1 = 150, lb2 = 150 }"), "utf-8")
    code, out, _ = explain(path, "--depth", "1")
    assert code == 0
    assert out.count("are level, so the higher address wins: here lb2's is taken to be the highest.") == 1


def test_instances_beside_a_group_decide_alone(explain, grouped):
    path = grouped("critical = true")
    alone = '[instance.web]\ninterface = "eth0"\nvrid = 60\nvirtual_addresses = ["198.51.100.251"]\n' + LEVEL
    Path(path).write_text(Path(path).read_text("utf-8") + "\n" + alone, "utf-8")
    code, out, _ = explain(path, "--depth", "1")
    assert code == 0
    assert re.findall(r"^(\w+)(?:, a sync group)?: [\dV]", out, re.MULTILINE) == ["VG_1", "web"]
    assert explain(path, "web", "--depth", "1")[1].startswith("web: 198.51.100.251, VRID 60\n")
