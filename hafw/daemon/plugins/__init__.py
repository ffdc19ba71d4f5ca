"""All plugins of one configuration, as the daemon sees them.

Nothing here is waited for in the election's path: ``deliver`` and ``publish`` are plain calls that queue, and what a
plugin says comes in by itself.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import trio

from hafw.daemon.plugins.about import checks_of, router_of, with_link
from hafw.daemon.plugins.deliveries import HookResult
from hafw.daemon.plugins.host import Host
from hafw.daemon.plugins.introduce import Limits, installed
from hafw.daemon.plugins.mailbox import Letter
from hafw.daemon.plugins.quarters import Quarters
from hafw.daemon.plugins.status import PluginStatus
from hafw.daemon.plugins.takeover import Draft, Plan, PlanRefused
from hafw.daemon.plugins.telling import Telling
from hafw.daemon.plugins.witness import NOBODY, Witness
from hafw.pipe import GroupChange, Router, StateChange, VipChange

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from pathlib import Path

    from hafw.config.model import Config
    from hafw.daemon.plugins.answering import Command
    from hafw.daemon.plugins.child import Answer
    from hafw.daemon.plugins.outbox import Kept
    from hafw.pipe import Offer, Reply
    from hafw.vrrp.events import VerdictReported

__all__ = [
    "HookResult",
    "Limits",
    "Plan",
    "PlanRefused",
    "PluginStatus",
    "Plugins",
    "router_of",
    "with_link",
]

T = TypeVar("T")

HOOK_OF_STATE = {
    "MASTER": "became_master",
    "BACKUP": "became_backup",
    "FAULT": "faulted",
    **dict.fromkeys(("STOP", "DELETED"), "stopped"),
}
"""Of ``INITIALIZE`` nobody hears: nothing has happened yet."""
OWN_TROUBLE = {"plugin_failed", "plugin_restarted"}
"""Events that their own plugin is not told: it would fail about having failed."""


class Plugins:
    """Hosts, one per plugin. ``verdict`` and ``notice`` are called in the trio thread and must not wait."""

    def __init__(  # noqa: PLR0913 - its ports, each by name
        self,
        config: Config,
        *,
        verdict: Callable[[VerdictReported], None],
        notice: Callable[[str, dict[str, Any]], None],
        commands: Mapping[str, Command] = MappingProxyType({}),
        limits: Limits | None = None,
        run: str = "",
        witness: Witness = NOBODY,
        adopts: bool = False,
        outbox: Path | None = None,
    ) -> None:
        """``commands``: what a plugin with the ``serve`` hook may ask, by its word; nothing that changes anything.

        ``run``: the name of this daemon's life, for ``change.run``. ``outbox``: the file that keeps what is queued.
        ``adopts``: nothing else in this process starts processes, so every orphan is one of a plugin's.
        """
        self._routers: dict[str, Router] = {}
        self.telling = Telling(run, outbox, self._queues, self._routers)
        self._quarters = Quarters(adopts=adopts)
        self._commands = commands
        self._witness = witness
        self._limits = limits or Limits()
        self._verdict = verdict
        self._notice = notice
        self._known: dict[str, Router] = {}
        """As configured, to tell what a new configuration changes."""
        self._hosts: dict[str, Host] = {}
        self._nursery: trio.Nursery | None = None
        self._adopt(config, installed())

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Start every plugin and keep it running, until cancelled; then no process of theirs is left."""
        await self._quarters.open()
        async with trio.open_nursery() as self._nursery:
            self._nursery.start_soon(self._quarters.run)
            for host in self._hosts.values():
                self._nursery.start_soon(host.run)
            self._nursery.start_soon(self.telling.outbox.run)
            task_status.started()
            await trio.sleep_forever()

    async def reconfigure(self, config: Config) -> None:
        """Replace the plugins that the new configuration changes; returns when the old processes are gone.

        A plugin is left alone when its package, its own section, its checks and the instances are what they were.
        Events that were not answered yet are delivered to the successor.
        """
        before = self._hosts
        self._adopt(config, await trio.to_thread.run_sync(installed))
        if self._nursery is None:  # a dry run: none was started
            return
        await together(Host.stop, [host for name, host in before.items() if self._hosts.get(name) is not host])
        for name, host in self._hosts.items():
            if (old := before.get(name)) is not host:
                if old:
                    host.inherit(old)
                self._nursery.start_soon(host.run)
        for name in before.keys() - self._hosts.keys():
            before[name].abandon("not delivered: the plugin is not in the configuration any more")

    def _adopt(self, config: Config, offers: Mapping[str, tuple[Offer, ...]]) -> None:
        """Make hosts where there are none that fit."""
        known = {name: router_of(each) for name, each in config.instances.items()}
        # What has been learned of an interface since is kept, if it is still about the same instance.
        current = {name: self._routers[name] if self._known.get(name) == each else each for name, each in known.items()}
        same_routers = self._known == known
        self._known = known
        self._routers.clear()
        self._routers.update(current)
        hosts = {}
        for name, plugin in config.plugins.items():
            checks, mine, old = checks_of(config, name), offers.get(plugin.kind, ()), self._hosts.get(name)
            if old and same_routers and (old.plugin, old.offers, old.checks) == (plugin, mine, checks):
                hosts[name] = old
            else:
                hosts[name] = Host(
                    plugin,
                    mine,
                    checks,
                    self._routers,
                    self._limits,
                    node=config.node_name,
                    quarters=self._quarters,
                    verdict=self._verdict,
                    notice=self._notice,
                    commands=self._commands,
                    telling=self.telling,
                    witness=self._witness,
                )
        self._hosts = hosts
        self.telling.present.keep_only({*known, *(f"group {each}" for each in config.groups)})

    async def takeover(self, router: Router) -> Plan:
        """Ask every plugin, all at once, what to bind and send. Raises ``PlanRefused``, which names the plugin."""
        self._routers[router.name] = router
        hosts = list(self._hosts.values())
        answers: dict[str, tuple[Reply, ...]] = {}
        refused: list[PlanRefused] = []

        async def ask(host: Host) -> None:
            try:
                answers[host.name] = await host.takeover(router)
            except PlanRefused as error:
                refused.append(error)

        await together(ask, hosts)
        if refused:
            raise PlanRefused("; ".join(map(str, refused)))
        draft = Draft(router)
        for host in hosts:
            for part in answers[host.name]:
                draft.take(host.name, part)
                await trio.lowlevel.checkpoint()  # thousands of addresses must not hold up an advert
        return draft.plan

    def deliver(self, router: Router, change: StateChange | VipChange, *, seq: int = 0) -> int:
        """Queue a change for every plugin that wants it, in the order of the calls; returns its number.

        ``seq``: that of a change that was told before, to tell it again; 0: it is the next one.
        """
        self._routers[router.name] = router
        if isinstance(change, VipChange):
            vip_change = self.telling.numbered(change, seq)
            self._put(router.name, lambda: Letter("vip_changed", router, vip_change=vip_change))
            return vip_change.seq
        if hook := HOOK_OF_STATE.get(change.new):
            told = self.telling.numbered(change, seq)
            self._put(router.name, lambda: Letter(hook, router, change=told))
            return told.seq
        self.telling.present.forget(router.name)
        return 0

    def deliver_group(self, change: GroupChange, *, seq: int = 0) -> int:
        """Queue a change of a sync group for every plugin that wants it, behind what its members were told before."""
        lane = f"group {change.group}"
        if change.new in HOOK_OF_STATE:
            told = self.telling.numbered(change, seq)
            self._put(lane, lambda: Letter("group_changed", group_change=told))
            return told.seq
        self.telling.present.forget(lane)
        return 0

    def publish(self, event: Mapping[str, Any]) -> None:
        """Queue an event of the stream for every plugin with the ``event`` hook."""
        about = event.get("plugin") if event.get("type") in OWN_TROUBLE else None
        self._put("", lambda: Letter("event", event=event), but=about)

    def _put(self, lane: str, letter: Callable[[], Letter], but: str | None = None) -> None:
        self.telling.present.note(lane, letter())
        for host in self._hosts.values():
            if host.name != but:
                host.deliver(lane, letter())

    async def before_release(self, routers: Iterable[Router], budget: float) -> None:
        """Give every plugin ``budget`` seconds to prepare for a planned handover; returns when all are ready."""
        pairs = [(host, router) for host in self._hosts.values() for router in routers]

        async def prepare(pair: tuple[Host, Router]) -> None:
            host, router = pair
            await host.before_release(router, budget)

        await together(prepare, pairs)

    async def ask(self, plugin: str, hook: str, lane: str, timeout: float, **arguments: Any) -> Answer | None:  # noqa: ANN401, ASYNC109
        """Call a hook of one plugin out of turn, as ``Host.ask`` does."""
        return await self._hosts[plugin].ask(hook, lane, timeout, **arguments)

    async def drain(self, timeout: float) -> None:  # noqa: ASYNC109 - nothing goes wrong when it passes
        """Wait until every queued event was answered, at most ``timeout`` seconds."""
        with trio.move_on_after(timeout):
            await together(Host.delivered, self._hosts.values())

    async def delivered(self, plugin: str, hook: str, seq: int) -> bool:
        """Wait until one plugin has answered one event, or nobody will, as ``Host.delivered`` does."""
        return await self._hosts[plugin].delivered(hook, seq)

    def abandon(self, why: str = "not delivered: the daemon has ended") -> None:
        """Nobody will deliver what is still queued: it is told as lost."""
        for host in self._hosts.values():
            host.abandon(why)

    def restore(self, kept: Kept) -> None:
        """Deliver what the daemon before us did not; before anything is told by this one."""
        self.telling.go_on(kept)
        for name, queue in kept.queues.items():
            host = self._hosts.get(name)
            if lost := queue.hand_on(self._routers, host.deliver if host else None):
                self._notice("plugin_failed", {"plugin": name, "detail": lost})

    def _queues(self) -> dict[str, tuple[bool, list[tuple[str, Letter]]]]:
        return {name: host.letters for name, host in self._hosts.items()}

    def snapshot(self, *, closely: bool = False) -> list[PluginStatus]:
        """Every plugin, in configured order; ``closely``: with its limits and every hook."""
        return [host.status(closely=closely) for host in self._hosts.values()]


async def together(function: Callable[[T], Awaitable[object]], arguments: Iterable[T]) -> None:
    """Call it with each, all at once."""
    async with trio.open_nursery() as nursery:
        for argument in arguments:
            nursery.start_soon(function, argument)
