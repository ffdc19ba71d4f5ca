"""Sync groups in config.toml: what they become, and every mistake in the words that an operator reads."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest

from hafw.config import ConfigErrors, load
from hafw.config.show import effective

if TYPE_CHECKING:
    from pathlib import Path

    from hafw.config import Config


def pair(first: str = "", second: str = "", more: str = "", group: str = 'group = "VG_1"\n') -> str:
    """VI_1 at lines 1 to 5, what is added to it, VI_2 in as many lines, and what is added at the end."""
    return (
        f'[instance.VI_1]\ninterface = "eth0"\nvrid = 51\nvirtual_addresses = ["192.0.2.250"]\n{group}{first}'
        f'[instance.VI_2]\ninterface = "eth1"\nvrid = 52\nvirtual_addresses = ["192.0.2.251"]\n{group}{second}{more}'
    )


def loaded(tmp_path: Path, text: str, node: str = "lb1") -> Config:
    file = tmp_path / "config.toml"
    file.write_text(text)
    config, problems = load(file, node)
    assert problems == []
    return config


def complaints(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "config.toml"
    file.write_text(text)
    try:
        _, problems = load(file, "lb1")
    except ConfigErrors as errors:
        problems = errors.problems
    return [problem.render("config.toml").removeprefix("config.toml:") for problem in problems]


ORDER = "priority = { lb1 = 150, lb2 = 100 }\n"
CHECK = "[group.VG_1.check.nginx]\n"


def test_members_know_their_group_and_the_configuration_knows_its_members(tmp_path: Path):
    config = loaded(tmp_path, pair(ORDER, ORDER))
    assert [each.router.group for each in config.instances.values()] == ["VG_1", "VG_1"]
    assert config.groups == {"VG_1": ("VI_1", "VI_2")}


def test_a_check_of_the_group_is_one_of_every_member_and_marked_as_shared(tmp_path: Path):
    own = "[instance.VI_1.check.script]\ncritical = true\n"
    config = loaded(tmp_path, pair(more=f'{CHECK}weight = -60\ninterval = "2s"\nfall = 3\n{own}'))
    one, two = config.instances.values()
    assert [(each.settings.name, each.group) for each in one.checks] == [("script", ""), ("nginx", "VG_1")]
    (check,) = two.checks
    assert (check.settings.weight, check.settings.fall, check.interval, check.plugin) == (-60, 3, 2.0, "nginx")
    assert {"nginx", "script"} <= config.plugins.keys()


def test_what_is_shown_reads_back_as_the_same(tmp_path: Path):
    config = loaded(tmp_path, pair(ORDER, ORDER, f"{CHECK}critical = true\n"))
    text = effective(config)
    shown = tomllib.loads(text)
    assert shown["instance"]["VI_2"]["group"] == "VG_1"
    assert "check" not in shown["instance"]["VI_2"]
    assert shown["group"]["VG_1"]["check"]["nginx"]["critical"] is True
    assert loaded(tmp_path, text).instances == config.instances


CASES = {
    "a weight in a member's own check": (
        pair("[instance.VI_1.check.nginx]\nweight = -60\n"),
        [
            ("7: instance.VI_1.check.nginx.weight = -60: would shift one member of group VG_1 and not the others:"
            " put the check into [group.VG_1.check.nginx], or critical = true")
        ],
    ),
    "an order of the routers that is another one in each member": (
        pair(ORDER, "priority = { lb1 = 100, lb2 = 150 }\n"),
        [
            ("12: instance.VI_2.priority: orders lb1 and lb2 otherwise than VI_1 does,"
            " and group VG_1 has one MASTER for both: give its members the same order")
        ],
    ),
    "equal in one member, ordered in the other": (
        pair(ORDER, "priority = { lb1 = 100, lb2 = 100 }\n"),
        [
            ("12: warning: instance.VI_2.priority = 100: is the same on lb1 and lb2:"
            " the highest address wins: give each its own"),
            ("12: instance.VI_2.priority: orders lb1 and lb2 otherwise than VI_1 does,"
            " and group VG_1 has one MASTER for both: give its members the same order"),
        ],
    ),
    "a table that nobody names": (
        pair(more="[group.VG_2]\n"),
        ['11: group.VG_2: no instance is in it: group = "VG_2" in each of its members, or leave it out'],
    ),
    "a group of one": (
        pair(group="").replace('eth0"\n', 'eth0"\ngroup = "VG_1"\n'),
        [
            ('3: warning: instance.VI_1.group = "VG_1": no other instance is in it, and a group of one changes nothing:'
            " leave it out, or add the others")
        ],
    ),
    "a group called as an instance": (
        pair(group='group = "VI_2"\n'),
        ['5: instance.VI_1.group = "VI_2": an instance is called so: choose another name for the group'],
    ),
    "a name with a blank": (
        pair(group='group = "my group"\n'),
        ['5: instance.VI_1.group = "my group": a group\'s name must be letters, digits, _ . : and -, at most 64'],
    ),
    "no string": (pair(group="group = 1\n"), [
        "5: instance.VI_1.group = 1: must be a string",
        "10: instance.VI_2.group = 1: must be a string",
    ]),
    "an unknown key of a group": (
        pair(more="[group.VG_1]\nchek = 1\n"),
        ["12: group.VG_1.chek: unknown key (did you mean check?)"],
    ),
    "no table": (pair(more="[group]\nVG_1 = 1\n"), ["12: group.VG_1: must be a table: [group.VG_1]"]),
    "no tables": ("group = 1\n" + pair(), ["1: group: must be tables: [group.NAME]"]),
    "checks that are none": (
        pair(more="[group.VG_1]\ncheck = 1\n"),
        ["12: group.VG_1.check: must be tables: [group.VG_1.check.NAME]"],
    ),
    "a check without a consequence": (
        pair(more=CHECK),
        ["11: group.VG_1.check.nginx: critical = true or weight = N is required: what shall its failure do?"],
    ),
    "a check that a member has, too": (
        pair("[instance.VI_1.check.nginx]\ncritical = true\n", more=f"{CHECK}critical = true\n"),
        [
            ("6: instance.VI_1.check.nginx: [group.VG_1.check.nginx] has the name already:"
            " it holds for all members: remove this one, or name it differently")
        ],
    ),
    "a plugin that is not there": (
        pair(more="[group.VG_1.check.varnish]\ncritical = true\n"),
        [
            ('11: group.VG_1.check.varnish: plugin "varnish" is neither configured nor installed'
            ": pip install the package that offers it")
        ],
    ),
    "members that wait for each other": (
        pair('advertisement_interval = "2s"\n', "preempt = false\n"),
        [
            ('7: warning: instance.VI_2.advertisement_interval = "1s": VI_1 of group VG_1 has "2s",'
            " and they wait for each other: give them the same"),
            ("12: warning: instance.VI_2.preempt = false: VI_1 of group VG_1 has true,"
            " and they wait for each other: give them the same"),
        ],
    ),
    "a weight of the group that never decides": (
        pair(ORDER, ORDER, f"{CHECK}weight = -10\n"),
        [
            ("14: warning: group.VG_1.check.nginx.weight = -10: never changes who is MASTER while all run:"
            " lb1 (150) stays ahead of lb2 (100): -51 would, or critical = true")
        ],
    ),
    "keepalived's word": (
        pair(more="[vrrp_sync_group]\n"),
        ["11: vrrp_sync_group: is keepalived's word: a sync group is group = \"NAME\" in each of its instances"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_a_bad_group_is_refused_in_exactly_these_words(tmp_path: Path, text: str, expected: list[str]):
    assert complaints(tmp_path, text) == expected


def test_the_base_of_all_cases_is_good(tmp_path: Path):
    assert complaints(tmp_path, pair()) == []
    assert complaints(tmp_path, pair(ORDER, ORDER, f"{CHECK}weight = -60\n")) == []
