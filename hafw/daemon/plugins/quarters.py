"""Where the processes of all plugins live: a cgroup each, if one was delegated, and a census of all of them."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING

import structlog
import trio

from hafw.config.values import format_size
from hafw.daemon.plugins import cgroup
from hafw.daemon.plugins.census import Census
from hafw.daemon.plugins.inforce import InForce, in_force
from hafw.daemon.plugins.scratch import sweep

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hafw.config.model import PluginConfig
    from hafw.daemon.plugins.census import Watched
    from hafw.daemon.plugins.cgroup import Group
    from hafw.daemon.plugins.child import Child

LOOK = 1.0
"""Seconds for a look at the limits of a new process, which is given nothing to do before."""

log = structlog.get_logger()


class Quarters:
    """Of one daemon. ``adopts``: nobody else in this process has children."""

    def __init__(self, *, adopts: bool = False) -> None:
        self.census = Census(adopts=adopts)
        self._delegation = cgroup.Delegation(why_not="not looked for yet")

    async def open(self) -> None:
        """Look for a cgroup; before the first plugin is started."""
        self._delegation = await trio.to_thread.run_sync(cgroup.find)

    async def run(self) -> None:
        """Beside the plugins: remove what an earlier daemon has left, and look at those that live."""
        for folder in await trio.to_thread.run_sync(sweep, abandon_on_cancel=True):
            log.info("plugin_leftover_removed", path=folder)
        await self.census.run()

    async def group(self, plugin: PluginConfig) -> Group | None:
        """The cgroup of this plugin, with its limits."""
        if self._delegation.path is None:
            return None
        return await trio.to_thread.run_sync(self._delegation.group, plugin.name, plugin.limits)

    @contextlib.asynccontextmanager
    async def house(self, plugin: PluginConfig, child: Child, group: Group | None) -> AsyncIterator[Watched]:
        """For the length of a process's life, which has not been told yet what it is for."""
        if group is not None and not await trio.to_thread.run_sync(group.take, child.pid):
            group = None
        watched = self.census.watch(plugin.name, child, plugin.limits, group)
        try:
            yield watched
        finally:
            self.census.forget(watched)

    async def in_force(self, plugin: PluginConfig, watched: Watched) -> tuple[InForce, ...]:
        """Its limits, as they are; none if that takes long, for the name of a user may be asked of a server."""
        read = partial(in_force, why_not=self._delegation.why_not, counted=self.census.can_count)
        with trio.move_on_after(LOOK):
            return await trio.to_thread.run_sync(read, plugin, watched, abandon_on_cancel=True)
        return ()


def ran_out_of_memory(plugin: PluginConfig, group: Group | None, before: int) -> str:
    """Why it died, if the kernel has ended one of its processes since; empty: it has not."""
    if group is None or group.out_of_memory() <= before:
        return ""
    return f"ran out of memory: at most {format_size(plugin.limits.memory)} (plugin.{plugin.name}.limits.memory)"
