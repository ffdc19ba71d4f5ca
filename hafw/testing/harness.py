"""One plugin in its real process, driven by the daemon's own code: spawned, confined, called, timed, killed.

Only who decides is another: no election, but the test. Everything blocks until it is answered.
"""

from __future__ import annotations

import math
from itertools import count
from typing import TYPE_CHECKING, Any

import trio

from hafw.daemon.plugins import PlanRefused
from hafw.daemon.plugins.child import ChildGone
from hafw.pipe import GroupChange, StateChange, Verdict, VipChange
from hafw.testing import events
from hafw.testing.life import Life
from hafw.testing.outcome import PATIENCE, HookFailed, Result, Verdicts, result_of
from hafw.testing.promises import PROMISES, PromiseBroken, Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hafw.daemon.plugins import Plan
    from hafw.daemon.plugins.child import Answer
    from hafw.pipe import Reply, Router
    from hafw.testing.events import Event

CHECK_TIMEOUT = 5.0


class Delivery:
    """An event on its way."""

    def __init__(self, settle: Callable[[], Result]) -> None:
        self._settle = settle

    def wait(self) -> Result:
        """Block until it was answered or given up; raises ``HookFailed``."""
        return self._settle()


class PluginUnderTest(Life):
    """Made by the fixture ``hafw_plugin``, and closed by it. Instances are by name; the first one, if none is named."""

    def __init__(self, *life: Any, **more: Any) -> None:  # noqa: ANN401 - as Life
        super().__init__(*life, **more)
        self._states: dict[str, str] = {}
        self._seq = count(1)
        """Of the stream."""
        self._clock = events.Clock()
        self._last: tuple[Event, int] | None = None

    # -- before and beside --------------------------------------------------------------------------------------

    def takeover(self, instance: str = "") -> Plan:
        """What it wants bound and sent, checked as the daemon checks it; raises ``HookFailed`` for an offence too."""
        router = self.router(instance)
        try:
            return self._background.call(self._plugins.takeover, router)
        except PlanRefused as error:
            raise HookFailed(Result(hook="takeover", instance=router.name, error=str(error))) from None

    def check(self, instance: str = "", *, timeout: float = CHECK_TIMEOUT) -> Verdict:
        """Ask it once, now. Raises ``HookFailed`` when it raises, or takes more seconds than that and is killed."""
        router = self.router(instance)
        answer = self._ask("check", router, timeout)
        if answer.reply.verdict is None:
            raise HookFailed(Result(hook="check", instance=router.name, error="answered check without a verdict"))
        return answer.reply.verdict

    def monitor(self, instance: str = "") -> Verdicts[Verdict]:
        """Let it watch from now on, in this life of its process."""
        verdicts: Verdicts[Verdict] = Verdicts()
        router = self.router(instance)

        def hear(part: Reply) -> None:
            if part.verdict is not None:
                verdicts.hear(part.verdict)

        async def watch() -> None:
            try:
                await self._plugins.ask(self.name, "monitor", f"monitor {router.name}", math.inf, **about, on_part=hear)
                verdicts.end(self.record.calls[-1].error or "it returned: it has nothing to watch")
            except (ChildGone, PlanRefused) as error:
                verdicts.end(str(error))

        about = {"router": router.name, "routers": (router,)}
        self._expect("monitor")
        self._background.begin(watch)
        return verdicts

    def _ask(self, hook: str, router: Router, timeout: float) -> Answer:
        self._expect(hook)
        about = {"router": router.name, "routers": (router,)}

        async def ask() -> Answer | None:
            return await self._plugins.ask(self.name, hook, hook, timeout, **about)

        try:
            answer = self._background.call(ask)
        except (ChildGone, PlanRefused) as error:
            raise HookFailed(Result(hook=hook, instance=router.name, error=str(error))) from None
        assert answer is not None
        if answer.reply.failure is not None:
            raise HookFailed(Result(hook=hook, instance=router.name, error=self.calls(hook)[-1].error))
        return answer

    def _expect(self, hook: str) -> None:
        if hook not in self.hooks:
            raise ValueError(f"plugin {self.name} has no hook {hook}: it has {', '.join(self.hooks)}")

    # -- after --------------------------------------------------------------------------------------------------

    def become(self, state: str, instance: str = "", *, reason: str = "test", **change: Any) -> Result:  # noqa: ANN401
        """Let an instance become MASTER, BACKUP, FAULT, STOP or DELETED, and wait for the hook.

        The stream tells it first, to a plugin with the hook ``event``, which is waited for too. ``change`` are fields
        of ``StateChange``: ``old`` (otherwise what it became last, at first INITIALIZE), ``priority``, ``peer``,
        ``time`` (otherwise a second after what happened last). Raises ``HookFailed``.
        """
        return self.send(state, instance, reason=reason, **change).wait()

    def send(self, state: str, instance: str = "", *, reason: str = "test", **change: Any) -> Delivery:  # noqa: ANN401
        """As ``become``, but do not wait: to kill the process meanwhile, or to fill its queue."""
        router = self.router(instance)
        usual: dict[str, Any] = {"old": self._states.get(router.name, "INITIALIZE"), "priority": router.priority}
        about = usual | change | {"time": self._clock.next(change.get("time", ""))}
        told = StateChange(seq=0, instance=router.name, new=state, reason=reason, **about)
        event = events.of_state(router, told)
        self._states[router.name] = state
        return self._deliver(event, before=events.told_before(router, told))

    def backup(self, instance: str = "", *, reason: str = "test") -> Result:
        """Another router is MASTER."""
        return self.become("BACKUP", instance, reason=reason)

    def fault(self, reason: str, instance: str = "") -> Result:
        """The instance cannot serve: ``check-failed``, ``interface-down`` or another reason of the events."""
        return self.become("FAULT", instance, reason=reason)

    def stop(self, instance: str = "") -> Result:
        """The daemon ends. The process of the plugin lives on, so that what it has left can be looked at."""
        return self.become("STOP", instance, reason="shutdown")

    def vip(self, change: str, address: str = "", instance: str = "", *, culprit: str = "") -> Result:
        """``vip_bound``, ``vip_lost``, ``vip_restored`` or ``vip_released``; the first address, if none is named."""
        router = self.router(instance)
        known = [each.address for each in router.addresses]
        told = VipChange(
            seq=0,
            time=self._clock.next(),
            instance=router.name,
            address=address or known[0],
            change=change,
            culprit=culprit,
        )
        return self._deliver(events.of_vip(router, told)).wait()

    def group(self, state: str, group: str = "", *, reason: str = "test") -> Result:
        """A sync group (the first one, if none is named) has become MASTER, BACKUP, FAULT or STOP; as ``become``."""
        return self.send_group(state, group, reason=reason).wait()

    def send_group(self, state: str, group: str = "", *, reason: str = "test") -> Delivery:
        """As ``group``, but do not wait."""
        known = self._config.groups
        if not known or (group and group not in known):
            raise ValueError(f"group {group!r}: the configuration has {', '.join(known) or 'none'}")
        name = group or next(iter(known))
        told = GroupChange(
            seq=0,
            time=self._clock.next(),
            group=name,
            members=known[name],
            old=self._states.get(name, "INITIALIZE"),
            new=state,
            reason=reason,
            instance=known[name][0],
        )
        self._states[name] = state
        return self._deliver(events.of_group(told), before=events.group_told_before(told))

    def event(self, event: Mapping[str, Any]) -> Result:
        """Anything of the stream that ``hafw events --json`` shows; ``seq`` is given here, so is a missing ``time``."""
        if "type" not in event:
            raise ValueError(f"event {dict(event)}: has no type, which every event of the stream has")
        timed = {**event, "time": self._clock.next(event.get("time", ""))}
        return self._deliver(events.of_stream(timed, next(self._seq))).wait()

    def again(self) -> Result:
        """Deliver the last event once more, with the same ``seq``: as after a death, an event comes at least once."""
        if self._last is None:
            raise ValueError("nothing was delivered yet")
        return self._deliver(*self._last).wait()

    def before_release(self, budget: float = 5.0, instance: str = "") -> Result:
        """A planned handover of this MASTER comes, in ``budget`` seconds at most; raises ``HookFailed``."""
        router, since = self.router(instance), len(self.record.calls)
        self._background.call(self._plugins.before_release, (router,), budget)
        made = [call for call in self.record.calls[since:] if call.hook == "before_release"]
        return result_of(made, "before_release", router.name, 0)

    def _deliver(self, event: Event, seq: int = 0, before: Mapping[str, Any] | None = None) -> Delivery:
        """``before``: the stream tells it in the same breath, as the daemon does it."""
        since = len(self.record.calls)
        given = [events.of_stream(before, next(self._seq))] if before else []

        async def give() -> list[int]:
            return [*(each.give(self._plugins, 0) for each in given), event.give(self._plugins, seq)]

        *in_stream, number = self._background.call(give)
        self._last = event, number

        def settle() -> Result:
            result = self._settle(event, number, since)
            for each, of_it in zip(given, in_stream, strict=True):
                self._settle(each, of_it, since)
            return result

        return Delivery(settle)

    def _settle(self, event: Event, seq: int, since: int) -> Result:
        async def answered() -> bool:
            with trio.move_on_after(PATIENCE):
                return await self._plugins.delivered(self.name, event.hook, seq)
            return False

        is_answered = self._background.call(answered)
        calls = [call for call in self.record.calls[since:] if call.hook == event.hook]
        made = [call for call in calls if events.seq_of(call.arguments) == seq]
        if not made and not is_answered:
            status = self.status
            error = f"was not called within {PATIENCE:g}s: {status.last_error or status.state}"
            raise HookFailed(Result(hook=event.hook, instance=event.about, seq=seq, error=error, attempts=0))
        return result_of(made, event.hook, event.about, seq)

    # -- all of it ----------------------------------------------------------------------------------------------

    def assert_keeps_promises(self, *names: str, observe: Callable[[], Any] | None = None) -> None:
        """Try every promise, or those of ``hafw.testing.PROMISES`` that are named; the plugin has ended afterwards.

        ``observe`` returns what the plugin has done outside, such as the text of its file: something that compares.
        Raises ``PromiseBroken``, with all that are not kept.
        """
        if unknown := set(names) - PROMISES.keys():
            raise ValueError(f"no such promise: {', '.join(sorted(unknown))}: there are {', '.join(PROMISES)}")
        trial = Trial(self, observe, frozenset(names or PROMISES))
        trial.run()
        if trial.broken:
            raise PromiseBroken(trial.broken)
