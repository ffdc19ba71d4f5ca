"""What a plugin runs beside everything else: checks at their interval, monitors and servers for ever."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import trio

from hafw.daemon.plugins.answering import Answering
from hafw.daemon.plugins.child import ChildGone, DeadlineMissed
from hafw.daemon.plugins.introduce import explain
from hafw.pipe import Reply, Verdict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from hafw.daemon.plugins.answering import Command
    from hafw.daemon.plugins.child import Answer, Child
    from hafw.daemon.plugins.health import Health, Target, Watch

REPORTS_PER_SECOND = 100
"""Verdicts of one monitor; more is a flood."""
MONITOR_PAUSE = 1.0
"""Seconds until a monitor that raised is called again, or a server; doubles."""
MONITOR_PAUSE_MAX = 30.0


class Beside:
    """The checks, monitors and server of one plugin; ``call`` is the host's, ``commands`` what a server may ask."""

    def __init__(self, health: Health, call: Callable[..., Awaitable[Answer]], commands: Mapping[str, Command]) -> None:
        self._health = health
        self._call = call
        self._commands = commands

    def begin(self, child: Child, hooks: Mapping[str, bool], nursery: trio.Nursery) -> None:
        """Start all of them in this life of the plugin; they end with it."""
        if "check" in hooks:
            for number, watch in enumerate(self._health.watches(per_router=hooks["check"])):
                nursery.start_soon(self._check, child, watch, f"check {number}")
        if "monitor" in hooks and self._health.routers:
            for router in self._health.routers if hooks["monitor"] else ("",):
                nursery.start_soon(self._monitor, child, router, "check" not in hooks)
        if "serve" in hooks:
            nursery.start_soon(self._serve, child)
        if not hooks.keys() & {"check", "monitor"}:
            verdict = Verdict(False, "its plugin has neither check nor monitor")
            self._health.report(self._health.targets(), verdict)

    async def _check(self, child: Child, watch: Watch, lane: str) -> None:
        """At the interval, counted from start to start; the process's death leaves a verdict unknown."""
        while True:
            started = trio.current_time()
            try:
                answer = await self._call(child, "check", lane, watch.timeout, router=watch.router)
            except DeadlineMissed:
                verdict = Verdict(False, f"no answer within {watch.timeout:g}s")
                self._health.report(watch.targets, verdict, watch.timeout)
                return
            except ChildGone:
                return
            self._judge(child, watch, answer.reply)
            with trio.move_on_at(started + watch.interval):
                await child.ending.wait()
                return

    def _judge(self, child: Child, watch: Watch, reply: Reply) -> None:
        if reply.failure is not None:
            self._health.report(watch.targets, Verdict(False, explain(reply.failure, "check")), reply.seconds)
        elif reply.verdict is None:
            child.kill("answered check without a verdict")
        else:
            self._health.answered(watch.targets, reply.verdict, reply.seconds)

    async def _monitor(self, child: Child, router: str, alone: bool) -> None:  # noqa: FBT001
        """One that raises is called again, one that returns has nothing to watch.

        ``alone``: no check would notice that it does not watch.
        """
        targets = self._health.targets(router)
        pause = MONITOR_PAUSE
        while True:
            reports = Reports(child, self._health, targets)
            try:
                answer = await self._call(
                    child, "monitor", f"monitor {router}", math.inf, router=router, on_part=reports
                )
            except ChildGone:
                return
            failure = answer.reply.failure
            if alone:
                detail = explain(failure, "monitor") if failure else "monitor ended: nothing watches any more"
                self._health.report(targets, Verdict(False, detail))
            if failure is None:
                return
            with trio.move_on_after(pause):
                await child.ending.wait()
                return
            pause = min(2 * pause, MONITOR_PAUSE_MAX)

    async def _serve(self, child: Child) -> None:
        """Whatever it asks is answered for as long as it runs."""
        answering = Answering(child, self._commands)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answering.run)
            await self._run_server(child, answering)
            await child.ending.wait()  # an answer that is cut short would end a process that only has nothing to serve
            nursery.cancel_scope.cancel()

    async def _run_server(self, child: Child, answering: Answering) -> None:
        """One that raises is called again, one that returns has nothing to serve."""
        pause = MONITOR_PAUSE
        while True:
            try:
                answer = await self._call(child, "serve", "serve", math.inf, on_part=answering.take)
            except ChildGone:
                return
            if answer.reply.failure is None:
                return
            with trio.move_on_after(pause):
                await child.ending.wait()
                return
            pause = min(2 * pause, MONITOR_PAUSE_MAX)


class Reports:
    """What a monitor says, passed on unless it is a flood."""

    def __init__(self, child: Child, health: Health, targets: tuple[Target, ...]) -> None:
        self._child = child
        self._health = health
        self._targets = targets
        self._second = 0.0
        self._count = 0

    def __call__(self, part: Reply) -> None:
        """One part of the endless answer."""
        now = trio.current_time()
        if now >= self._second + 1:
            self._second, self._count = now, 0
        self._count += 1
        if part.verdict is None:
            self._child.kill("reported what is no verdict")
        elif self._count > REPORTS_PER_SECOND:
            self._child.kill(f"reported more than {REPORTS_PER_SECOND} verdicts in a second")
        else:
            self._health.answered(self._targets, part.verdict)
