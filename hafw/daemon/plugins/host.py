"""One plugin through the lives of its processes: started, watched, killed, started again, at last parked.

Every life is a nursery. What outlives it is here: the deliveries, whose head is delivered again, the checks' silence,
and the record of what went wrong.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import structlog
import trio

from hafw.daemon.plugins.beside import Beside
from hafw.daemon.plugins.child import Child, ChildGone
from hafw.daemon.plugins.deliveries import Deliveries
from hafw.daemon.plugins.health import Health
from hafw.daemon.plugins.introduce import Limits, RefusedError, explain, introduce, start_of, why_failed
from hafw.daemon.plugins.losses import Loss, Losses
from hafw.daemon.plugins.mailbox import SUPERSEDED
from hafw.daemon.plugins.printed import Printed
from hafw.daemon.plugins.quarters import ran_out_of_memory
from hafw.daemon.plugins.status import Counts, PluginStatus
from hafw.daemon.plugins.takeover import PlanRefused
from hafw.daemon.plugins.warned import Warned
from hafw.daemon.plugins.witness import Called, Witness

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hafw.config.model import CheckConfig, PluginConfig
    from hafw.daemon.plugins.answering import Command
    from hafw.daemon.plugins.census import Watched
    from hafw.daemon.plugins.child import Answer
    from hafw.daemon.plugins.inforce import InForce
    from hafw.daemon.plugins.mailbox import Letter
    from hafw.daemon.plugins.quarters import Quarters
    from hafw.daemon.plugins.telling import Telling
    from hafw.pipe import Hello, Offer, Reply, Router
    from hafw.vrrp.events import VerdictReported

ONLY_BEFORE = {"options", "configure", "takeover"}
"""A plugin with no other hook is asked in a process that does not stay."""
OF_A_CHANGE = {"became_master", "became_backup", "faulted", "stopped", "vip_changed", "group_changed", "before_release"}
"""Hooks of which every call matters: its failure is an event of its own."""
LINGER = 1.0
"""Seconds such a process waits for the next question: with many instances they come in a row."""

log = structlog.get_logger()


class Host:
    """The daemon's side of one plugin. ``routers`` is kept up to date by the owner."""

    def __init__(  # noqa: PLR0913 - its ports, each by name
        self,
        plugin: PluginConfig,
        offers: tuple[Offer, ...],
        checks: Sequence[tuple[str, CheckConfig]],
        routers: Mapping[str, Router],
        limits: Limits,
        *,
        node: str,
        quarters: Quarters,
        verdict: Callable[[VerdictReported], None],
        notice: Callable[[str, dict[str, Any]], None],
        commands: Mapping[str, Command],
        telling: Telling,
        witness: Witness,
    ) -> None:
        self._witness = witness
        self.name = plugin.name
        self.state = "starting"
        self.hello: Hello | None = None
        """``None``: it was never loaded, so nobody knows its hooks."""
        self.plugin = plugin
        self.offers = offers
        self.checks = checks
        self._routers = routers
        self._limits = limits
        self._node = node
        self._quarters = quarters
        self._watched: Watched | None = None
        self._in_force: tuple[InForce, ...] = ()
        self._notice = notice
        self._health = Health(checks, limits.grace, verdict)
        self._beside = Beside(self._health, self._call, commands)
        self._run_id = telling.run
        self._losses = Losses(self._lost)
        self._deliveries = Deliveries(self._call, limits, self._pulse, self._losses, telling)
        self._counts = Counts()
        self._printed = Printed(plugin.name)
        self._warned = Warned(plugin.name)
        self._failing: set[str] = set()
        self._deaths: deque[float] = deque(maxlen=limits.deaths)
        self._backoff = limits.backoff
        self._parked = False
        self._child: Child | None = None
        self._asked = False
        self._busy = 0
        self._used = 0.0
        self._news = trio.Event()
        self._scope = trio.CancelScope()
        self._gone = trio.Event()

    # -- life ---------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until ``stop``."""
        try:
            with self._scope:
                await self._run()
        finally:
            self._gone.set()

    async def stop(self) -> None:
        """End it for good; returns when no process is left. Events that are still queued remain for ``inherit``."""
        self._scope.cancel()
        await self._gone.wait()

    def inherit(self, predecessor: Host) -> None:
        """Deliver what another host was stopped before delivering."""
        self._deliveries.inherit(predecessor._deliveries)

    async def _run(self) -> None:
        async with trio.open_nursery() as nursery:
            self._health.lost(trio.current_time(), self._absence())
            nursery.start_soon(self._after_grace)
            nursery.start_soon(self._losses.run)
            while True:
                why = await self._live()
                if why:
                    self._died(why)
                    nursery.start_soon(self._after_grace)
                    await trio.sleep(self._next_pause())
                    self._counts.restarts += 1
                else:
                    self._become("finished")
                    while not self._asked:
                        await self._news.wait()
                self._become("starting")

    async def _live(self) -> str:
        """One process, from start to end: why it died, or nothing when it had nothing more to do."""
        group = await self._quarters.group(self.plugin)
        killed = group.out_of_memory() if group else 0
        try:
            weighed = group is not None and "cpu" in group.controllers
            start = start_of(self.plugin, self.offers, node=self._node, run=self._run_id, weighed=weighed)
            child = Child(start, self._witness)
        except OSError as error:
            return f"cannot be started: {(error.strerror or str(error)).lower()}"
        why = ""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child.run)
            try:
                async with self._quarters.house(self.plugin, child, group) as self._watched:
                    hello = await introduce(child, tuple(self._routers.values()), self._limits)
                    self._in_force = await self._quarters.in_force(self.plugin, self._watched)
                    self._begin(child, hello, nursery)
                    await self._wait_for_end(child, hello)
            except (ChildGone, RefusedError) as error:
                why = str(error)
            finally:
                self._child = None
                self._deliveries.end()
                why = why or child.why
                child.kill("is not needed any more")
        return ran_out_of_memory(self.plugin, group, killed) or why

    def _begin(self, child: Child, hello: Hello, nursery: trio.Nursery) -> None:
        self.hello, self._child = hello, child
        self._used, self._asked = trio.current_time(), False
        self._become("running")
        self._warned.say(hello.warnings)
        if self._counts.restarts:
            self._notice("plugin_restarted", {"plugin": self.name, "restarts": self._counts.restarts})
        self._beside.begin(child, hello.hooks, nursery)
        policy, replay = self.plugin.delivery or hello.delivery, self.plugin.replay
        self._deliveries.begin(child, hello, nursery, policy=policy, replay=hello.replay if replay is None else replay)

    async def _wait_for_end(self, child: Child, hello: Hello) -> None:
        """Of the process; of its usefulness, if the plugin has only something to say before a takeover."""
        if hello.hooks.keys() - ONLY_BEFORE:
            await child.ending.wait()
        while not child.ending.is_set():
            with trio.move_on_after(LINGER):
                await child.ending.wait()
            if not self._busy and trio.current_time() >= self._used + LINGER:
                return

    def _died(self, why: str) -> None:
        now = trio.current_time()
        self._deaths.append(now)
        recent = [death for death in self._deaths if death > now - self._limits.deaths_within]
        self._parked = self._parked or len(recent) >= self._limits.deaths
        self._counts.failures += 1
        self._counts.last_error = why
        self._become("parked" if self._parked else "backing-off")
        self._notice("plugin_failed", {"plugin": self.name, "detail": why, "state": self.state})
        self._health.lost(now, self._absence())

    def _next_pause(self) -> float:
        if self._parked:
            return self._limits.park
        pause, self._backoff = self._backoff, min(2 * self._backoff, self._limits.backoff_max)
        return pause

    async def _after_grace(self) -> None:
        await trio.sleep(self._limits.grace)
        if self.state != "running":
            self._health.fail_closed(trio.current_time(), self._absence())

    def _absence(self) -> str:
        return f"plugin {self.name} is not running: {self._counts.last_error or 'it has not started yet'}"

    def _become(self, state: str) -> None:
        self.state = state
        self._pulse()

    def _pulse(self) -> None:
        self._news.set()
        self._news = trio.Event()

    # -- calls --------------------------------------------------------------------------------------------------

    async def _call(self, child: Child, hook: str, lane: str, timeout: float, **arguments: Any) -> Answer:  # noqa: ANN401, ASYNC109
        figures, began = self._counts.called(hook), trio.current_time()
        name = arguments.get("router", "")
        routers = arguments.pop("routers", None) or ((self._routers[name],) if name else ())
        if hear := arguments.get("on_part"):
            arguments["on_part"] = self._warned.before(hear)
        try:
            answer = await child.call(hook, lane, timeout, routers=routers, **arguments)
        except ChildGone as error:
            figures.failures += 1
            self._tell(hook, arguments, began, None, str(error))
            raise
        self._warned.hear(*answer.parts, answer.reply)
        figures.took(trio.current_time() - began)
        failure, outcome = answer.reply.failure, answer.reply.outcome
        if change := arguments.get("group_change"):
            name = change.group
        if outcome is not None:
            self._printed.say(outcome.output, trio.current_time())
        wrong = ""
        if failure is not None:
            wrong = explain(failure, hook)
            self._failed(hook, name, wrong)
        elif outcome is not None and outcome.exit:
            wrong = why_failed(outcome)
            self._failed(hook, name, wrong, exit=outcome.exit)
        else:
            self._worked(hook)
        self._tell(hook, arguments, began, answer.reply, wrong)
        return answer

    def _tell(self, hook: str, arguments: Mapping[str, Any], began: float, reply: Reply | None, error: str) -> None:
        seconds = trio.current_time() - began
        call = Called(plugin=self.name, hook=hook, arguments=arguments, seconds=seconds, reply=reply, error=error)
        self._witness.called(call)

    def _worked(self, hook: str) -> None:
        self._failing.discard(hook)
        self._deaths.clear()
        self._backoff = self._limits.backoff
        self._parked = False

    def _failed(self, hook: str, instance: str, detail: str, **more: Any) -> None:  # noqa: ANN401
        """Of a change every time; of what is called again and again once, until it works: ``event`` may be it."""
        self._counts.failures += 1
        self._counts.of(hook).failures += 1
        self._counts.last_error = f"{hook} {instance}: {detail}" if more else detail
        if hook in OF_A_CHANGE or hook not in self._failing:
            self._failing.add(hook)
            about = {"group" if hook == "group_changed" else "instance": instance} if instance else {}
            fields = {"plugin": self.name, **about, "hook": hook, "detail": detail, **more, "state": self.state}
            self._notice("plugin_failed", fields)

    # -- before: takeover and release ---------------------------------------------------------------------------

    async def takeover(self, router: Router) -> tuple[Reply, ...]:
        """The plugin's part of a plan, in pieces; nothing from a plugin without the hook. Raises ``PlanRefused``."""
        answer: Answer | None = None
        with trio.move_on_after(self._limits.load + 2 * self._limits.call):
            while answer is None:
                child = await self._running("takeover")
                if child is None:
                    return ()
                self._busy += 1
                try:
                    answer = await self._call(
                        child, "takeover", "takeover", self._limits.call, router=router.name, routers=(router,)
                    )
                except ChildGone as error:
                    raise PlanRefused(f"plugin {self.name}: {error}") from None
                finally:
                    self._busy -= 1
                    self._used = trio.current_time()
        if answer is None:
            raise PlanRefused(self._absence())
        if answer.reply.failure is not None:
            raise PlanRefused(f"plugin {self.name}: {explain(answer.reply.failure, 'takeover')}")
        return answer.parts

    async def _running(self, hook: str) -> Child | None:
        """A process to call; None when the plugin has no such hook."""
        while True:
            if self.hello is not None and hook not in self.hello.hooks:
                return None
            if self._child is not None:
                return self._child
            if self.state == "parked" or (self.hello is None and self.state == "backing-off"):
                raise PlanRefused(self._absence())
            if not self._asked:
                self._asked = True
                self._pulse()
            await self._news.wait()

    async def before_release(self, router: Router, budget: float) -> None:
        """At most ``budget`` seconds; a plugin that does not run is not waited for."""
        if self._child is None or self.hello is None or "before_release" not in self.hello.hooks:
            return
        try:
            arguments = {"router": router.name, "routers": (router,), "budget": budget}
            await self._call(self._child, "before_release", f"release {router.name}", budget, **arguments)
        except ChildGone:
            return

    # -- beside: out of turn ------------------------------------------------------------------------------------

    async def ask(self, hook: str, lane: str, timeout: float, **arguments: Any) -> Answer | None:  # noqa: ANN401, ASYNC109
        """Call a hook when nothing of the daemon would; ``None``: the plugin has no such hook.

        Raises ``ChildGone``, or ``PlanRefused`` when there is no process to ask. As for ``Child.call`` in all else.
        """
        child = await self._running(hook)
        return await self._call(child, hook, lane, timeout, **arguments) if child else None

    # -- after: events ------------------------------------------------------------------------------------------

    def deliver(self, lane: str, letter: Letter) -> None:
        """Queue an event; never waits."""
        if self.hello is None or letter.hook in self.hello.hooks:
            self._deliveries.put(lane, letter)

    @property
    def letters(self) -> tuple[bool, list[tuple[str, Letter]]]:
        """What is queued, for those who keep it."""
        return self._deliveries.letters

    def abandon(self, why: str) -> None:
        """Nobody will answer what is still queued; it has ended, or is about to."""
        self._deliveries.abandon(why)

    def _lost(self, loss: Loss) -> None:
        if loss.why == SUPERSEDED:
            log.info("plugin_events_superseded", plugin=self.name, **loss.fields())
            return
        self._counts.last_error = loss.words()
        self._notice("plugin_failed", {"plugin": self.name, **loss.whose, "detail": loss.words(), "state": self.state})

    async def delivered(self, hook: str = "", seq: int = 0) -> bool:
        """Wait until every event was answered, or this one, or nobody will answer; whether it was."""
        while (owes := self._deliveries.owes(hook, seq)) and self.state != "parked":
            await self._news.wait()
        return not owes

    # -- status -------------------------------------------------------------------------------------------------

    def status(self, *, closely: bool = False) -> PluginStatus:
        """What there is to show; ``closely``: with its limits and every hook."""
        hello, counts, watched = self.hello, self._counts, self._watched
        return PluginStatus(
            name=self.name,
            package=hello.package if hello else "",
            version=hello.version if hello else "",
            user=hello.user if hello else "",
            state=self.state,
            hooks=tuple(hello.hooks) if hello else (),
            calls=counts.calls,
            failures=counts.failures,
            last_error=counts.last_error,
            restarts=counts.restarts,
            pid=self._child.pid if self._child else 0,
            queued=self._deliveries.queued,
            dropped=self._deliveries.figures.dropped,
            delivery=self.plugin.delivery or (hello.delivery if hello else ""),
            events=replace(self._deliveries.figures),
            processes=watched.processes if watched and self._child else 0,
            memory=watched.memory if watched and self._child else 0,
            memory_peak=watched.peak if watched else 0,
            remarks=watched.all_remarks if watched else (),
            results=tuple(self._deliveries.results),
            figures=tuple(counts.hooks.values()) if closely else (),
            limits=self._in_force if closely else (),
        )
