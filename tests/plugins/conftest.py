"""Real plugin processes: each test writes the plugin that it needs, and waits for what the daemon hears of it."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest
import trio

from hafw.config.model import CheckConfig, Config, InstanceConfig, PluginConfig
from hafw.daemon.plugins import Limits, Plugins, router_of
from hafw.node import CheckSettings
from hafw.pipe import Address, StateChange
from hafw.vrrp.settings import RouterSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from hafw.daemon.plugins import PluginStatus
    from hafw.pipe import Router
    from hafw.vrrp.events import VerdictReported

sys.path.insert(0, str(Path(__file__).parent))  # surface lies beside its tests

LIMITS = Limits(backoff=0.01, backoff_max=0.05, park=30.0, event=5.0)
"""Short where a test waits for it to pass, as in earnest elsewhere."""


def make_instance(name: str = "VI_1", addresses: tuple[str, ...] = ("192.0.2.10",), **check: Any) -> InstanceConfig:
    """An instance on eth0; with any argument of a check, it has the check ``web``."""
    checks = ()
    if check:
        settings = CheckSettings(name="web", critical=True)
        checks = (CheckConfig(settings=settings, **{"plugin": "local", "interval": 0.05, "timeout": 5.0, **check}),)
    return InstanceConfig(
        router=RouterSettings(
            name=name, interface="eth0", vrid=51, virtual_addresses=tuple(map(ip_address, addresses))
        ),
        addresses=tuple(Address(address=each, prefixlen=24, interface="eth0") for each in addresses),
        checks=checks,
    )


def make_config(*instances: InstanceConfig, plugins: tuple[PluginConfig, ...]) -> Config:
    return Config(
        path="config.toml",
        node_name="lb1",
        instances={each.router.name: each for each in instances or (make_instance(),)},
        plugins={each.name: each for each in plugins},
    )


def change_to(state: str, seq: int = 1, router: str = "VI_1") -> StateChange:
    return StateChange(
        seq=seq, time="2026-11-22T21:14:02.118Z", instance=router, old="BACKUP", new=state, reason="test", priority=100
    )


class Stage:
    """Plugins that run, and everything they have said."""

    def __init__(self, config: Config, limits: Limits, commands: dict[str, Any], run: str = "") -> None:
        self.config = config
        self.plugins = Plugins(
            config, verdict=self._verdict, notice=self._notice, limits=limits, commands=commands, run=run
        )
        self.verdicts: list[VerdictReported] = []
        self.notices: list[tuple[str, dict[str, Any]]] = []
        self._news = trio.Event()

    def _verdict(self, event: VerdictReported) -> None:
        self.verdicts.append(event)
        self._pulse()

    def _notice(self, kind: str, fields: dict[str, Any]) -> None:
        self.notices.append((kind, fields))
        self._pulse()

    def _pulse(self) -> None:
        self._news.set()
        self._news = trio.Event()

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until it holds; it is looked at after every verdict and notice."""
        with trio.move_on_after(10) as patience:
            while not condition():
                await self._news.wait()
        assert not patience.cancelled_caught, (self.notices, self.verdicts[-5:], self.plugins.snapshot())

    async def state(self, wanted: str, name: str = "local") -> None:
        host = self.plugins._hosts[name]
        with trio.fail_after(10):
            while host.state != wanted:
                await host._news.wait()

    def status(self, name: str = "local") -> PluginStatus:
        return next(each for each in self.plugins.snapshot() if each.name == name)

    def router(self, name: str = "VI_1") -> Router:
        return router_of(self.config.instances[name])

    def deliver(self, state: str, seq: int = 1, router: str = "VI_1") -> None:
        self.plugins.deliver(self.router(router), change_to(state, seq, router))

    def failures(self) -> list[str]:
        return [fields["detail"] for kind, fields in self.notices if kind == "plugin_failed"]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., PluginConfig]:
    """A one-file plugin from its source, which need not import the API."""

    def write(source: str, name: str = "local", **settings: Any) -> PluginConfig:
        file = tmp_path / f"{name}.py"
        file.write_text("from hafw.api import *\nimport os, time\n" + dedent(source))
        return PluginConfig(name=name, file=str(file), **settings)

    return write


@pytest.fixture
def play() -> Callable[..., Any]:
    """Run plugins for the length of a block; afterwards not one of their processes is left."""

    @asynccontextmanager
    async def play(
        *plugins: PluginConfig,
        instances: tuple[InstanceConfig, ...] = (),
        limits: Limits = LIMITS,
        commands: dict[str, Any] | None = None,
    ) -> AsyncIterator[Stage]:
        stage = Stage(make_config(*instances, plugins=plugins), limits, commands or {})
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                await nursery.start(stage.plugins.run)
                yield stage
                nursery.cancel_scope.cancel()

    return play


@pytest.fixture
def stage_of() -> Callable[..., Any]:
    """The same with instances of these names and sync groups, for as long as the test itself is patient."""

    @asynccontextmanager
    async def stage_of(plugin: PluginConfig, groups: dict[str, str]) -> AsyncIterator[Stage]:
        instances = [make_instance(name) for name in groups]
        members = [
            replace(each, router=replace(each.router, group=group))
            for each, group in zip(instances, groups.values(), strict=True)
        ]
        stage = Stage(make_config(*members, plugins=(plugin,)), LIMITS, {}, run="4f1c")
        async with trio.open_nursery() as nursery:
            await nursery.start(stage.plugins.run)
            yield stage
            nursery.cancel_scope.cancel()

    return stage_of


@pytest.fixture
def instance() -> Callable[..., InstanceConfig]:
    return make_instance


@pytest.fixture
def config() -> Callable[..., Config]:
    return make_config


@pytest.fixture
def limits() -> Limits:
    return LIMITS
