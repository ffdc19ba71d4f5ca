"""What only the routers of a file together show: their ranking, and checks that can never decide anything."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest

from hafw.config import ProcessConfig, load
from hafw.config.show import effective

if TYPE_CHECKING:
    from pathlib import Path

BASE = '[instance.VI_1]\ninterface = "eth0"\nvrid = 51\nvirtual_addresses = ["192.0.2.250"]\n'
CHECK = "[instance.VI_1.check.nginx]\nweight = "


def written(folder: Path, more: str) -> Path:
    file = folder / "config.toml"
    file.write_text(BASE + more)
    return file


def ranks(folder: Path, more: str, nodes: str) -> list[int | None]:
    """The place that each of these nodes takes itself to have."""
    file = written(folder, more)
    return [load(file, node)[0].instances["VI_1"].router.rank for node in nodes.split()]


def warnings(folder: Path, more: str, node: str = "lb1") -> list[str]:
    return [each.render("c") for each in load(written(folder, more), node)[1]]


@pytest.mark.parametrize(
    ("more", "places"),
    [
        pytest.param("priority = { lb1 = 150, lb2 = 50, lb3 = 100 }", [0, 2, 1], id="known and distinct"),
        pytest.param("version = 2\npriority = { lb1 = 1, lb2 = 254, lb3 = 100 }", [2, 0, 1], id="version 2"),
        pytest.param('skew = "ranked"\npriority = { lb1 = 3, lb2 = 2, lb3 = 1 }', [0, 1, 2], id="asked for"),
        pytest.param('skew = "rfc"\npriority = { lb1 = 3, lb2 = 2, lb3 = 1 }', [None] * 3, id="the RFC's asked for"),
        pytest.param("", [None] * 3, id="no priority"),
        pytest.param("priority = 150", [None] * 3, id="a plain number"),
        pytest.param("priority = { lb1 = 150, lb2 = 100, lb3 = 100 }", [None] * 3, id="two of the same priority"),
        pytest.param(
            "priority = { lb1 = 255, lb2 = 100, lb3 = 50 }\nowner = { lb1 = true, lb2 = false, lb3 = false }",
            [0, 1, 2],
            id="an owner is 255",
        ),
        pytest.param(
            "owner = { lb1 = true, lb2 = false, lb3 = false }",
            [None] * 3,
            id="an owner and two of the default priority",
        ),
    ],
)
def test_place_among_all_configured_priorities(tmp_path: Path, more: str, places: list[int | None]):
    assert ranks(tmp_path, f"{more}\n", "lb1 lb2 lb3") == places


def test_table_with_one_node_is_no_ranking(tmp_path: Path):
    assert ranks(tmp_path, "priority = { lb1 = 150 }\n", "lb1") == [None]


def test_skew_may_differ_by_node_since_nobody_is_left_out_of_the_places(tmp_path: Path):
    more = 'skew = { lb1 = "rfc", lb2 = "ranked", lb3 = "rfc" }\npriority = { lb1 = 3, lb2 = 2, lb3 = 1 }\n'
    assert ranks(tmp_path, more, "lb1 lb2 lb3") == [None, 1, None]


@pytest.mark.parametrize(
    "more",
    [
        "priority = { lb1 = 150, lb2 = 100 }\n",
        'priority = { lb1 = 150, lb2 = 100 }\nskew = "rfc"\nlast_resort = false\n',
        "owner = { lb1 = true, lb2 = false }\n",
        "[process]\nrealtime = true\ncpus = [1, 0]\nlock_memory = true\n",
        '[journal]\npath = "/var/lib/hafw/journal.jsonl"\nmax_size = 200_000\n',
    ],
)
def test_shown_configuration_reads_back_with_its_place(tmp_path: Path, more: str):
    config, _ = load(written(tmp_path, more), "lb1")
    shown = tmp_path / "shown.toml"
    shown.write_text(effective(config))
    again, _ = load(shown, "lb1")
    assert (again.instances, again.process, again.journal) == (config.instances, config.process, config.journal)


def test_shown_configuration_names_skew_and_last_resort(tmp_path: Path):
    config, _ = load(written(tmp_path, "priority = { lb1 = 150, lb2 = 100 }\n"), "lb2")
    instance = tomllib.loads(effective(config))["instance"]["VI_1"]
    assert (instance["priority"], instance["skew"], instance["last_resort"]) == (
        {"lb1": 150, "lb2": 100},
        "ranked",
        True,
    )


@pytest.mark.parametrize(
    ("value", "realtime"), [("true", 50), ("false", 0), ("99", 99), ("{ lb1 = 7, lb2 = false }", 7)]
)
def test_realtime(tmp_path: Path, value: str, realtime: int):
    more = f"[process]\nrealtime = {value}\n"
    assert load(written(tmp_path, more), "lb1")[0].process == ProcessConfig(realtime=realtime)


def test_last_resort_is_on_unless_said_otherwise(tmp_path: Path):
    found = [load(written(tmp_path, more), "lb1")[0] for more in ("", "last_resort = false\n")]
    assert [each.instances["VI_1"].router.last_resort for each in found] == [True, False]


IDLE = {
    "highest stays highest": (
        {"lb1": 150, "lb2": 100},
        "-10",
        "-10: never changes who is MASTER while all run: lb1 (150) stays ahead of lb2 (100): -51 would",
    ),
    "third changes nothing either": (
        {"lb1": 150, "lb2": 100, "lb3": 95},
        "-10",
        "-10: never changes who is MASTER while all run: lb1 (150) stays ahead of lb2 (100): -51 would",
    ),
    "added while healthy": (
        {"lb1": 50, "lb2": 100},
        "20",
        "20: never changes who is MASTER while all run: lb2 (100) stays ahead of lb1 (50): 51 would",
    ),
    "another on each router": (
        {"lb1": 150, "lb2": 100},
        "{ lb1 = -49, lb2 = -90 }",
        "-49: never changes who is MASTER while all run: lb1 (150) stays ahead of lb2 (100): -51 would",
    ),
}


@pytest.mark.parametrize(("priorities", "weight", "said"), IDLE.values(), ids=IDLE)
def test_weight_that_never_changes_the_master_is_a_warning(
    tmp_path: Path, priorities: dict[str, int], weight: str, said: str
):
    table = ", ".join(f"{node} = {each}" for node, each in priorities.items())
    text = f"priority = {{ {table} }}\n{CHECK}{weight}\n"
    assert warnings(tmp_path, text) == [f"c:7: warning: instance.VI_1.check.nginx.weight = {said}, or critical = true"]


@pytest.mark.parametrize(
    ("priorities", "weight"),
    [
        pytest.param("{ lb1 = 150, lb2 = 100 }", "-60", id="enough"),
        pytest.param("{ lb1 = 150, lb2 = 100 }", "-50", id="a tie, which the addresses decide"),
        pytest.param("{ lb1 = 150, lb2 = 100 }", "-51", id="as the warning says"),
        pytest.param("{ lb1 = 50, lb2 = 100 }", "51", id="as the warning says, added"),
        pytest.param("{ lb1 = 150, lb2 = 100, lb3 = 5 }", "-51", id="a third that is far behind"),
        pytest.param("150", "-10", id="priorities of the others unknown"),
        pytest.param(
            "{ lb1 = 150, lb2 = 100 }", "-10\n[instance.VI_1.check.web]\nplugin = 'nginx'\nweight = -45", id="two"
        ),
        pytest.param("{ lb1 = 150 }", "-10", id="alone"),
        pytest.param("{ lb1 = 2, lb2 = 1 }", "-60", id="at the lower end"),
    ],
)
def test_weight_that_may_change_it_is_none(tmp_path: Path, priorities: str, weight: str):
    assert warnings(tmp_path, f"priority = {priorities}\n{CHECK}{weight}\n") == []


def test_weight_that_only_the_other_checks_make_idle_is_found(tmp_path: Path):
    """With the other check lb1 falls far below lb2, without it it stays far above: 10 never matters."""
    other = "[instance.VI_1.check.web]\nplugin = 'nginx'\nweight = -120"
    (line,) = warnings(tmp_path, f"priority = {{ lb1 = 200, lb2 = 150 }}\n{CHECK}-10\n{other}\n")
    assert "check.nginx.weight = -10: never changes" in line


def test_without_preemption_no_weight_moves_a_living_master(tmp_path: Path):
    text = f"priority = {{ lb1 = 150, lb2 = 100 }}\npreempt = false\n{CHECK}-60\n"
    (line,) = warnings(tmp_path, text)
    idle = "never changes who is MASTER while all run"
    why = "with preempt = false nobody takes over from a living MASTER: critical = true would hand over"
    assert line == f"c:8: warning: instance.VI_1.check.nginx.weight = -60: {idle}: {why}"


@pytest.mark.parametrize("preempts", ["lb1", "lb2"])
def test_a_weight_may_count_where_one_of_them_preempts(tmp_path: Path, preempts: str):
    """lb2 takes over when lb1 falls below it; or lb1, back from a fault, does not until its check is well."""
    table = ", ".join(f"{node} = {str(node == preempts).lower()}" for node in ("lb1", "lb2"))
    text = f"priority = {{ lb1 = 150, lb2 = 100 }}\npreempt = {{ {table} }}\n{CHECK}-60\n"
    assert warnings(tmp_path, text) == []


def test_weight_beside_an_owner_is_said_once(tmp_path: Path):
    text = f"owner = {{ lb1 = true, lb2 = false }}\n{CHECK}-10\n"
    assert [line.partition("weight")[2] for line in warnings(tmp_path, text)] == [
        " = -10: has no effect: 255 never changes"
    ]
