"""``hafw check --pair``: what two files have to agree on, with the lines of both."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

from hafw.cli.pairing import compared
from hafw.config import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ONE = """[instance.VI_1]
interface = "eth0"
vrid = 51
version = 2
priority = 150
virtual_addresses = ["192.0.2.9", "192.0.2.8"]
excluded_addresses = ["192.0.2.7"]
auth = { type = "pass", password = "geheim" }
"""
TWO = ONE.replace("150", "100").replace("eth0", "ens3")
BOTH_MASTER = "must be the same on both: they would not hear each other, and both be MASTER"


def check(folder: Path, one: str, two: str, *options: str) -> subprocess.CompletedProcess[str]:
    for name, text in (("a.toml", one), ("b.toml", two)):
        (folder / name).write_text(text)
    command = [sys.executable, "-m", "hafw", "check", "--no-system", "a.toml", "--pair", "b.toml", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def complaints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], list[str]]:
    """The lines of a comparison, without the rest of ``hafw check``."""
    monkeypatch.chdir(tmp_path)

    def complaints(one: str, two: str) -> list[str]:
        for name, text in (("a.toml", one), ("b.toml", two)):
            (tmp_path / name).write_text(text)
        own = load("a.toml", "lb1", machine=False)[0]
        return [each.render("a.toml") for each in compared(own, "a.toml", ["b.toml"])]

    return complaints


def test_a_pair_that_fits_is_fine(tmp_path: Path):
    done = check(tmp_path, ONE, TWO, "--strict", "--node", "lb1")
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "ok: 1 instance, node lb1\n")


def pair_case(name: str, one: str, two: str, *lines: str):
    return pytest.param(one, two, list(lines), id=name)


HMAC = ONE.replace('{ type = "pass", password = "geheim" }', "{}").replace("version = 2", "version = 3")
SIGNED = HMAC.replace("{}", '{ type = "hmac", keys = { 1 = "KEY" } }').replace("KEY", "file:/etc/hafw/vrrp.key")


@pytest.mark.parametrize(
    ("one", "two", "lines"),
    [
        pair_case(
            "vrid",
            ONE,
            TWO.replace("51", "52"),
            f"a.toml:3: instance.VI_1.vrid = 51: HOST has 52 (b.toml:3): {BOTH_MASTER}",
        ),
        pair_case(
            "version",
            ONE,
            TWO.replace("version = 2\n", "").replace('auth = { type = "pass", password = "geheim" }\n', ""),
            f"a.toml:4: instance.VI_1.version = 2: HOST has 3 (b.toml:1): {BOTH_MASTER}",
            f"a.toml:8: instance.VI_1.auth: is pass, and none on HOST (b.toml:1): {BOTH_MASTER}",
        ),
        pair_case(
            "addresses",
            ONE,
            TWO.replace("2.8", "2.10"),
            (
                "a.toml:6: instance.VI_1.virtual_addresses: only lb1 has 192.0.2.8 and only HOST has 192.0.2.10"
                " (b.toml:6): must be the same on both: version 2 discards its adverts: they would not hear each other,"
                " and both be MASTER"
            ),
        ),
        pair_case(
            "excluded",
            ONE,
            TWO.replace('excluded_addresses = ["192.0.2.7"]\n', ""),
            (
                "a.toml:7: instance.VI_1.excluded_addresses: only lb1 has 192.0.2.7 (b.toml:1):"
                " must be the same on both: what one lacks is gone after a takeover"
            ),
        ),
        pair_case(
            "interval",
            ONE,
            TWO + 'advertisement_interval = "2s"\n',
            (
                'a.toml:1: instance.VI_1.advertisement_interval = "1s": HOST has "2s" (b.toml:9): must be the same on'
                " both: version 2 discards its adverts: they would not hear each other, and both be MASTER"
            ),
        ),
        pair_case(
            "password",
            ONE,
            TWO.replace("geheim", "secret"),
            f"a.toml:8: instance.VI_1.auth.password: is another than that of HOST (b.toml:8): {BOTH_MASTER}",
        ),
        pair_case(
            "unknown key",
            SIGNED,
            SIGNED.replace("150", "100").replace("1 = ", "2 = "),
            (
                "a.toml:8: instance.VI_1.auth.keys: lb1 signs with key 1, which HOST does not have (b.toml:8):"
                " must be known to both: they would not hear each other, and both be MASTER"
            ),
            (
                "a.toml:8: instance.VI_1.auth.keys: HOST signs with key 2, which lb1 does not have (b.toml:8):"
                " must be known to both: they would not hear each other, and both be MASTER"
            ),
        ),
        pair_case(
            "unicast",
            ONE,
            TWO + 'unicast_peers = ["192.0.2.1"]\n',
            f"a.toml:1: instance.VI_1.unicast_peers: lb1 sends multicast, and HOST unicast (b.toml:9): {BOTH_MASTER}",
        ),
        pair_case(
            "stranger",
            ONE + 'unicast_peers = ["192.0.2.2"]\n',
            TWO + 'unicast_peers = ["192.0.2.1"]\nsource_address = "192.0.2.3"\n',
            (
                "a.toml:9: instance.VI_1.unicast_peers: of lb1 lack 192.0.2.3, from which HOST speaks (source_address)"
                " (b.toml:10): lb1 discards what it hears from there"
            ),
        ),
        pair_case(
            "priority",
            ONE,
            ONE,
            (
                "a.toml:5: warning: instance.VI_1.priority = 150: HOST has the same (b.toml:5):"
                " the highest address wins: give each its own"
            ),
        ),
        pair_case(
            "missing",
            ONE,
            TWO.replace("VI_1", "VI_7").replace("51", "77").replace("192.0.2", "198.51.100"),
            (
                "a.toml:1: warning: instance.VI_1: HOST (b.toml) has no such virtual router:"
                " nobody takes its addresses over"
            ),
            (
                "a.toml:1: warning: instance: HOST has instance VI_7 (b.toml:1), and this file has not:"
                " nobody takes its addresses over"
            ),
        ),
    ],
)
def test_every_difference_is_told_with_both_lines(complaints, one: str, two: str, lines: list[str]):
    two = f'{two}[node]\nname = "lb2"\n'
    assert complaints(one, two) == [each.replace("HOST", "lb2") for each in lines]


def test_members_of_a_group_that_are_ranked_crosswise_are_refused(complaints):
    second = ONE.replace("VI_1", "VI_2").replace("51", "52").replace("192.0.2", "198.51.100")
    one = ONE + 'group = "G"\n' + second + 'group = "G"\n'
    two = TWO + 'group = "G"\n' + second.replace("150", "200") + 'group = "G"\n[node]\nname = "lb2"\n'
    assert complaints(one, two) == [
        (
            "a.toml:14: instance.VI_2.priority: orders lb1 and lb2 (b.toml:14) otherwise than VI_1 does, and group G"
            " has one MASTER for both: give its members the same order"
        )
    ]


def test_every_other_router_of_a_file_that_names_them_is_compared(complaints):
    two = TWO.replace("100", "{ lb2 = 100, lb3 = 150 }")
    assert complaints(ONE, two) == [
        (
            "a.toml:5: warning: instance.VI_1.priority = 150: lb3 has the same (b.toml:5):"
            " the highest address wins: give each its own"
        )
    ]


def test_two_routers_of_one_name_are_told(complaints):
    name = '[node]\nname = "lb1"\n'
    assert complaints(ONE + name, TWO + name) == [
        'a.toml:10: warning: node.name = "lb1": b.toml:10 has the same: each router needs its own'
    ]


def test_the_other_file_with_mistakes_of_its_own_is_not_compared(complaints, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="3"):
        complaints(ONE, TWO.replace("51", "300"))
    assert capsys.readouterr().err.splitlines() == [
        "b.toml:3: instance.VI_1.vrid = 300: must be 1 to 255",
        "b.toml: has mistakes of its own: mend them first, then compare",
    ]


def test_the_file_itself_names_no_other_router(complaints):
    complaints(ONE, TWO)
    with pytest.raises(click.BadParameter, match="is the file itself, and it names no other router"):
        compared(load("a.toml", "lb1", machine=False)[0], "a.toml", ["a.toml"])


def test_a_difference_is_exit_code_3_of_the_real_command(tmp_path: Path):
    done = check(tmp_path, ONE, TWO.replace("51", "52"))
    assert done.returncode == 3
    assert "a.toml:3: instance.VI_1.vrid = 51: b.toml has 52 (b.toml:3): must be the same on both" in done.stderr
    assert done.stdout == ""
