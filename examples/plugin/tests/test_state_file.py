# ruff: noqa: D100, D103 - test names are sentences

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hafw.testing import PluginRefused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hafw.testing import PluginUnderTest, Simulates, StartsPlugin


@pytest.fixture
def start(hafw_plugin: StartsPlugin, tmp_path: Path) -> Callable[..., PluginUnderTest]:
    """The plugin in its real process, as the user who may write below ``tmp_path``."""

    def start(**options: str) -> PluginUnderTest:
        known = {"folder": str(tmp_path / "state"), "drained": str(tmp_path / "drained")}
        return hafw_plugin("state_file", options=known | options, user=tmp_path.owner())

    return start


def test_the_file_holds_the_state_and_nothing_else_is_in_the_folder(
    start: Callable[..., PluginUnderTest], tmp_path: Path
) -> None:
    plugin = start()
    for state in ("BACKUP", "MASTER", "FAULT", "STOP"):
        plugin.become(state, reason="no-response", time="2026-01-01T00:00:00.000Z")
        (only,) = (tmp_path / "state").iterdir()
        assert only.read_text() == f"{state}\nsince 2026-01-01T00:00:00.000Z\nbecause no-response\n"


def test_a_router_that_is_drained_hands_over_and_its_file_says_why(
    start: Callable[..., PluginUnderTest], hafw_sim: Simulates, tmp_path: Path
) -> None:
    plugin, sim = start(), hafw_sim({"lb1": 200, "lb2": 100})
    sim.watch("lb1", plugin)
    sim.follow("lb1", plugin)
    sim.run(10)
    assert sim.master == "lb1"
    (tmp_path / "drained").touch()
    assert plugin.check().detail == f"{tmp_path}/drained exists"
    sim.run_until(lambda: sim.master == "lb2")
    assert (tmp_path / "state" / "VI_1").read_text().endswith("because check-failed\n")


def test_it_keeps_what_a_plugin_promises(start: Callable[..., PluginUnderTest], tmp_path: Path) -> None:
    file = tmp_path / "state" / "VI_1"
    start().assert_keeps_promises(observe=lambda: file.read_text() if file.exists() else "")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"folder": "state", "drained": "d"},
            [
                'plugin.state_file.folder = "state": must be an absolute path',
                'plugin.state_file.drained = "d": must be an absolute path',
            ],
        ),
        (
            {"folder": "/proc/nowhere"},
            ['plugin.state_file.folder = "/proc/nowhere": cannot be written to: set user to one who may'],
        ),
    ],
)
def test_a_configuration_that_cannot_work_is_refused_in_words(
    start: Callable[..., PluginUnderTest], options: dict[str, str], said: list[str]
) -> None:
    with pytest.raises(PluginRefused) as caught:
        start(**options)
    assert caught.value.mistakes == said
