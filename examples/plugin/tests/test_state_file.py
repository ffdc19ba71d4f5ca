"""A plugin is an ordinary object: its hooks are tested by calling them."""
# ruff: noqa: D103 - test names are sentences

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hafw_state_file import Options, StateFile

from hafw.api import Router, StateChange, Verdict

if TYPE_CHECKING:
    from pathlib import Path

ROUTER = Router(name="VI_1", vrid=51, version=3, priority=100, interface="eth0")


def change(old: str, new: str) -> StateChange:
    return StateChange(
        seq=1, time="2026-11-22T21:14:02.118Z", instance="VI_1", old=old, new=new, reason="no-response", priority=100
    )


@pytest.fixture
def plugin(tmp_path: Path) -> StateFile:
    plugin = StateFile()
    plugin.configure(Options(folder=str(tmp_path / "state"), drained=str(tmp_path / "drained")), [ROUTER])
    return plugin


@pytest.mark.parametrize(
    ("hook", "state"),
    [("became_master", "MASTER"), ("became_backup", "BACKUP"), ("faulted", "FAULT"), ("stopped", "STOP")],
)
def test_the_file_holds_the_state(plugin: StateFile, tmp_path: Path, hook: str, state: str) -> None:
    getattr(plugin, hook)(ROUTER, change("INITIALIZE", state))
    assert (tmp_path / "state" / "VI_1").read_text() == (
        f"{state}\nsince 2026-11-22T21:14:02.118Z\nbecause no-response\n"
    )


def test_the_last_state_replaces_the_one_before_and_leaves_nothing_else(plugin: StateFile, tmp_path: Path) -> None:
    plugin.became_backup(ROUTER, change("INITIALIZE", "BACKUP"))
    plugin.became_master(ROUTER, change("BACKUP", "MASTER"))
    (only,) = (tmp_path / "state").iterdir()
    assert only.read_text().startswith("MASTER\n")


def test_the_check_fails_while_the_router_is_drained(plugin: StateFile, tmp_path: Path) -> None:
    assert plugin.check() == Verdict(True, "not drained")
    (tmp_path / "drained").touch()
    assert plugin.check() == Verdict(False, f"{tmp_path}/drained exists")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            Options(folder="state", drained="d"),
            ['folder: = "state": must be an absolute path', 'drained: = "d": must be an absolute path'],
        ),
        (
            Options(folder="/proc/nowhere"),
            ['folder: = "/proc/nowhere": cannot be written to: set user to one who may'],
        ),
    ],
)
def test_a_configuration_that_cannot_work_is_refused_in_words(options: Options, said: list[str]) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        StateFile().configure(options, [ROUTER])
    assert str(caught.value).splitlines() == said
