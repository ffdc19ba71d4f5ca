"""What a plugin owes to those who run it, tried one promise after the other."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from hafw.testing import traces
from hafw.testing.configuration import PluginRefused
from hafw.testing.outcome import HookFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hafw.testing.harness import PluginUnderTest
    from hafw.testing.outcome import Result
    from hafw.testing.traces import Holdings

PROMISES = {
    "answers": "every hook answers within its deadline, and does not fail",
    "repetition": "an event that comes twice, with the same seq, does no harm",
    "processes": "no process is left, neither after an event nor after its end",
    "descriptors": "no descriptor is left open after an event",
    "files": "no temporary file is left after an event",
    "options": "hafw check refuses an option that it does not know, and changes nothing beside a daemon that serves",
    "output": "nothing that it prints is too much for the log",
}
"""By name, what is promised."""
ROUNDS = 3
"""How often everything happens: what grows with each round is a leak, what the first one leaves may be wanted."""
SETTLE = 2.0
"""Seconds that a child of a hook has to vanish."""
UNKNOWN_OPTION = "no_such_option"
LOOK = 0.01
SHOWN = 3
"""How many of what was left behind are named."""


class PromiseBroken(AssertionError):  # noqa: N818 - what happened to it
    """What is wrong, a line for each promise that is not kept."""

    def __init__(self, broken: dict[str, str]) -> None:
        self.broken = broken
        """By the name of the promise."""
        lines = [f"{name}: {PROMISES[name]}; but {what}" for name, what in broken.items()]
        super().__init__("\n".join(lines))


@dataclass(slots=True)
class Trial:
    """One plugin on trial."""

    plugin: PluginUnderTest
    observe: Callable[[], Any] | None
    wanted: frozenset[str]
    broken: dict[str, str] = field(default_factory=dict)
    hopeless: bool = False
    """Its processes die of what they are told: the rest would only take long."""

    def blame(self, promise: str, what: str) -> None:
        """The first offence against each promise is told."""
        if promise in self.wanted:
            self.broken.setdefault(promise, what)

    def run(self) -> None:
        """All of it; the plugin has ended afterwards."""
        if "options" in self.wanted:
            self._configures()
        if self.wanted - {"options"}:
            self._live()
        self.plugin.close()
        if left := self.plugin.left_behind:
            traces.end(left)
            named = ", ".join(f"{pid} ({words:.60})" for pid, words in sorted(left.items())[:SHOWN])
            self.broken.pop("processes", None)  # that they pile up says less than what they are
            self.blame("processes", f"{named} lives on: wait for what you start, or end it in stopped")
        if self.plugin.record.unlogged:
            count = self.plugin.record.unlogged
            self.blame("output", f"{count} lines of it were dropped from the log: print less")

    def _configures(self) -> None:
        """As ``hafw check`` lets it, beside the daemon that serves."""
        path, before = f"plugin.{self.plugin.name}.{UNKNOWN_OPTION}", self._seen()
        try:
            self.plugin.examine(self.plugin.options)
            self.plugin.examine({**self.plugin.options, UNKNOWN_OPTION: 1})
        except PluginRefused as refused:
            if not any(line.startswith(path) for line in refused.mistakes):
                self.blame("options", f"configure refuses: {'; '.join(refused.mistakes)}")
        else:
            self.blame("options", f"{UNKNOWN_OPTION} = 1 is taken")
        if (after := self._seen()) != before:
            self.blame("options", f"configure changes {_shown(before)} to {_shown(after)}: it may only look")

    def _live(self) -> None:
        self._look()
        after_first = self._round()
        after_last = [self._round() for _ in range(ROUNDS - 1)][-1]
        self._compare(after_first, after_last)
        self._die_and_hear_it_again()

    def _look(self) -> None:
        """Its checks, once each."""
        for instance in self.plugin.instances if "check" in self.plugin.hooks else ():
            try:
                self.plugin.check(instance)
            except HookFailed as failed:
                self.blame("answers", str(failed))

    def _round(self) -> Holdings | None:
        """Everything that can happen, each twice; what it holds then, ``None``: it has died meanwhile."""
        pid = self.plugin.status.pid
        for deed in deeds(self.plugin):
            if not self.hopeless and self._succeeds(deed) and deed.repeats:
                self._repeat(self._seen())
        if pid != self.plugin.status.pid:
            return None
        deadline = time.monotonic() + SETTLE
        while traces.holdings(pid).children and time.monotonic() < deadline:
            time.sleep(LOOK)
        return traces.holdings(pid)

    def _succeeds(self, deed: Deed) -> bool:
        try:
            return deed.do().attempts > 0
        except HookFailed as failed:
            self.blame("answers", str(failed))
            self.hopeless = failed.result.attempts != 1
            return False

    def _seen(self) -> Any:  # noqa: ANN401 - whatever the author looks at
        return self.observe() if self.observe else None

    def _repeat(self, before: Any) -> None:  # noqa: ANN401
        try:
            hook = self.plugin.again().hook
        except HookFailed as failed:
            self.blame("repetition", f"the second time it fails: {failed}")
            return
        if (after := self._seen()) != before:
            change = f"{_shown(before)} becomes {_shown(after)}"
            self.blame(
                "repetition", f"{hook} told twice makes a difference: {change}: look at change.run and change.seq"
            )

    def _die_and_hear_it_again(self) -> None:
        """As after a death in the middle of it: the next process knows nothing of the one before."""
        for deed in deeds(self.plugin):
            if not self.hopeless and deed.repeats and deed.hook != "event" and self._succeeds(deed):
                before = self._seen()
                self.plugin.kill()
                self._repeat(before)
                return

    def _compare(self, first: Holdings | None, last: Holdings | None) -> None:
        if first is None or last is None:
            return
        grown = f"more after {ROUNDS - 1} more rounds"
        if more := _more(first.descriptors, last.descriptors):
            self.blame("descriptors", f"there are {len(more)} {grown}, such as {more[0]}: close them")
        if more := _more(first.files, last.files):
            self.blame("files", f"there are {len(more)} {grown}, such as {more[0]}: remove them")
        if children := _more(tuple(map(str, first.children)), tuple(map(str, last.children))):
            self.blame("processes", f"there are {len(children)} children {grown}: wait for them")


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that a plugin hears of."""

    hook: str
    do: Callable[[], Result]
    repeats: bool = True
    """It has a number, and may come twice."""


def deeds(plugin: PluginUnderTest) -> Iterator[Deed]:
    """All that it wants to hear of, in the order of a life."""
    return (deed for deed in _all_deeds(plugin) if deed.hook in plugin.hooks)


def _all_deeds(plugin: PluginUnderTest) -> Iterator[Deed]:
    for instance in plugin.instances:
        yield Deed("became_master", partial(plugin.become, "MASTER", instance, reason="no-response"))
        yield Deed("vip_changed", partial(plugin.vip, "vip_bound", instance=instance))
        yield Deed("before_release", partial(plugin.before_release, instance=instance), repeats=False)
        yield Deed("became_backup", partial(plugin.backup, instance))
        yield Deed("vip_changed", partial(plugin.vip, "vip_released", instance=instance))
        yield Deed("faulted", partial(plugin.fault, "check-failed", instance))
    for group in plugin.groups:
        yield Deed("group_changed", partial(plugin.group, "MASTER", group))
    yield Deed("event", partial(plugin.event, {"type": "split_brain", "peer": "192.0.2.200"}))
    yield Deed("event", partial(plugin.event, {"type": "something_of_tomorrow"}))
    for instance in plugin.instances:
        yield Deed("stopped", partial(plugin.stop, instance))


def _more(before: tuple[str, ...], after: tuple[str, ...]) -> list[str]:
    """What has come; empty as long as it is not at least one in each of the later rounds."""
    if len(after) - len(before) < ROUNDS - 1:
        return []
    return list((Counter(after) - Counter(before)).elements())


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
