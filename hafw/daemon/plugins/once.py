"""Every check of a configuration, run once: what ``hafw check --run`` shows before a daemon relies on it."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import trio

from hafw.daemon.plugins.about import checks_of, router_of
from hafw.daemon.plugins.child import ChildGone, DeadlineMissed
from hafw.daemon.plugins.health import Health
from hafw.daemon.plugins.introduce import Limits, RefusedError, explain, installed, introduce, start_of
from hafw.daemon.plugins.visiting import visit, visit_all
from hafw.pipe import Verdict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from hafw.config.model import CheckConfig, Config, PluginConfig
    from hafw.daemon.plugins.child import Child
    from hafw.daemon.plugins.health import Watch
    from hafw.pipe import Hello, Reply, Router
    from hafw.vrrp.events import VerdictReported

    _Job = Callable[[Child], Awaitable[None]]

MONITOR_PATIENCE = 2.0
"""Seconds in which a plugin that only has a monitor shall say how things are."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One check, executed once."""

    owner: str
    """Its instance or sync group."""
    check: CheckConfig
    user: str
    """Whom its process ran as; empty: it did not come up."""
    healthy: bool
    detail: str
    duration: float
    """Seconds."""

    @property
    def path(self) -> str:
        """Its key path."""
        return f"{'group' if self.check.group else 'instance'}.{self.owner}.check.{self.check.settings.name}"


def run_checks(config: Config, *, limits: Limits | None = None) -> list[Ran]:
    """Run every check once, as its user and in its real plugin process, in the order of the file; blocks.

    A check whose process does not come up, or that misses its timeout, has failed, as in the daemon. Not to be called
    inside a running trio loop.
    """
    round_ = _Round(config, limits or Limits())
    visit_all(round_.ask, [plugin for name, plugin in config.plugins.items() if checks_of(config, name)])
    order = [
        (check.group or name, check.settings.name) for name, each in config.instances.items() for check in each.checks
    ]
    return [round_.ran[key] for key in dict.fromkeys(order)]


class _Round:
    """One run of all checks."""

    def __init__(self, config: Config, limits: Limits) -> None:
        self.ran: dict[tuple[str, str], Ran] = {}
        self._config, self._limits, self._offers = config, limits, installed()
        self._routers: dict[str, Router] = {name: router_of(each) for name, each in config.instances.items()}

    async def ask(self, plugin: PluginConfig) -> None:
        """All checks of one plugin, one after the other: they shall not disturb each other's durations."""
        pending = _Pending(checks_of(self._config, plugin.name), self.ran)
        left: list[_Job] | None = None
        try:
            start = start_of(plugin, self._offers.get(plugin.kind, ()), node=self._config.node_name)
            while left is None or left:  # a check that hangs costs the process, and the others get a new one
                async with visit(start) as child:
                    hello = await introduce(child, tuple(self._routers.values()), self._limits)
                    pending.user = hello.user
                    left = self._jobs(hello, pending) if left is None else left
                    while left and not child.ending.is_set():
                        await left.pop(0)(child)
        except (RefusedError, ChildGone, OSError) as error:
            pending.fail(f"plugin {plugin.name}: {error}")

    def _jobs(self, hello: Hello, pending: _Pending) -> list[_Job]:
        if "check" in hello.hooks:
            watches = pending.health.watches(per_router=hello.hooks["check"])
            return [partial(self._check, watch, pending) for watch in watches]
        if "monitor" in hello.hooks:
            routers = pending.health.routers if hello.hooks["monitor"] else ("",)
            return [partial(self._monitor, router, pending) for router in routers]
        pending.fail("its plugin has neither check nor monitor")
        return []

    def _known(self, router: str) -> tuple[Router, ...]:
        return (self._routers[router],) if router else ()

    async def _check(self, watch: Watch, pending: _Pending, child: Child) -> None:
        known = self._known(watch.router)
        try:
            answer = await child.call("check", "check", watch.timeout, routers=known, router=watch.router)
        except DeadlineMissed:
            verdict = Verdict(False, f"no answer within {watch.timeout:g}s (timeout)")
            pending.health.report(watch.targets, verdict, watch.timeout)
            return
        reply = answer.reply
        if reply.failure is not None:
            pending.health.report(watch.targets, Verdict(False, explain(reply.failure, "check")), reply.seconds)
        else:
            said = reply.verdict or Verdict(False, "answered check without a verdict")
            pending.health.answered(watch.targets, said, reply.seconds)

    async def _monitor(self, router: str, pending: _Pending, child: Child) -> None:
        """Its first word counts; one that is silent has nothing to complain of, but does not say so."""
        targets = pending.health.targets(router)
        spoke = trio.Event()
        started = trio.current_time()

        def hear(part: Reply) -> None:
            if not spoke.is_set() and part.verdict is not None:
                pending.health.answered(targets, part.verdict, trio.current_time() - started)
                spoke.set()

        async def listen() -> None:
            with contextlib.suppress(ChildGone):
                await child.call("monitor", "m", routers=self._known(router), router=router, on_part=hear)
            nursery.cancel_scope.cancel()

        with trio.move_on_after(MONITOR_PATIENCE):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(listen)
                await spoke.wait()
                nursery.cancel_scope.cancel()
        if not spoke.is_set():
            pending.health.report(targets, Verdict(False, f"its monitor said nothing within {MONITOR_PATIENCE:g}s"))


class _Pending:
    """The checks of one plugin, and what is known of them so far."""

    def __init__(self, checks: Sequence[tuple[str, CheckConfig]], ran: dict[tuple[str, str], Ran]) -> None:
        self.user = ""
        self._checks = {(check.group or name, check.settings.name): check for name, check in checks}
        self._ran = ran
        self.health = Health(checks, math.inf, self._tell)

    def _tell(self, event: VerdictReported) -> None:
        key = (event.router, event.check)
        self._ran[key] = Ran(event.router, self._checks[key], self.user, event.healthy, event.detail, event.duration)

    def fail(self, why: str) -> None:
        """All that have no verdict yet."""
        left = [key for key in self._checks if key not in self._ran]
        self.health.report(left, Verdict(False, why))
