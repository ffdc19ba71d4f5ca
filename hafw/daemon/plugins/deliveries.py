"""Events to one plugin: in order per router, awaited, timed, delivered again when the process died of something."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from hafw.daemon.plugins.child import ChildGone
from hafw.daemon.plugins.introduce import explain
from hafw.daemon.plugins.losses import ATTEMPTS, Figures
from hafw.daemon.plugins.mailbox import GIVEN_UP, SUPERSEDED, Mailbox
from hafw.pipe import Hello, Reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hafw.daemon.plugins.child import Answer, Child
    from hafw.daemon.plugins.introduce import Limits
    from hafw.daemon.plugins.losses import Losses
    from hafw.daemon.plugins.mailbox import Letter
    from hafw.daemon.plugins.telling import Telling

RESULTS_KEPT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class HookResult:
    """What became of one event."""

    hook: str
    instance: str
    seq: int
    seconds: float
    output: str = ""
    exit: int = 0
    error: str = ""
    group: str = ""
    """Of ``group_changed``; ``instance`` is then the member that began it."""


class Deliveries:
    """The mailbox of one plugin, and a task per lane while the plugin runs.

    ``call`` is the host's; ``pulse`` is called when an event has left it, and when nobody works on a lane any more.
    """

    def __init__(
        self,
        call: Callable[..., Awaitable[Answer]],
        limits: Limits,
        pulse: Callable[[], None],
        losses: Losses,
        telling: Telling,
    ) -> None:
        self.results: deque[HookResult] = deque(maxlen=RESULTS_KEPT)
        self.figures = Figures()
        self._mailbox = Mailbox(self._gave_way)
        self._call = call
        self._limits = limits
        self._pulse = pulse
        self._losses = losses
        self._telling = telling
        self._changed = telling.outbox.changed
        self._life: tuple[Child, Hello, trio.Nursery] | None = None
        self._at_work: set[str] = set()

    @property
    def letters(self) -> tuple[bool, list[tuple[str, Letter]]]:
        """Those that were not answered yet, with their lanes, and whether a process may have begun with some."""
        return self._life is not None, self._mailbox.letters

    @property
    def queued(self) -> int:
        """Events that were not answered yet."""
        return len(self._mailbox)

    def owes(self, hook: str = "", seq: int = 0) -> bool:
        """Whether an event was not answered yet: this one, or without a hook any."""
        if not hook:
            return self.queued > 0
        return any((each.hook, each.seq) == (hook, seq) for _, each in self._mailbox.letters)

    def put(self, lane: str, letter: Letter) -> None:
        """Queue an event; never waits."""
        self.figures.taken += 1
        if self._life is None:
            self._wait(letter)
        self._mailbox.put(lane, letter)
        self._changed()
        self._work_on(lane)

    def inherit(self, predecessor: Deliveries) -> None:
        """Take over what was queued and what is known; the predecessor has ended."""
        self.results = predecessor.results
        self.figures.add(predecessor.figures)
        newer = self._mailbox.empty()
        for lane, letter in [*predecessor._mailbox.empty(), *newer]:
            self._mailbox.put(lane, letter)

    def begin(self, child: Child, hello: Hello, nursery: trio.Nursery, *, policy: str, replay: bool) -> None:
        """Deliver from now on, first of all what is left from an earlier life; ``replay``: then how things are."""
        self._life = (child, hello, nursery)
        unwanted = self._mailbox.settle(policy, hello.hooks)
        self.figures.taken -= len(unwanted)
        self.figures.waited -= sum(each.waited for each in unwanted)
        for lane, letter in self._telling.replays() if replay else ():
            if letter.hook in hello.hooks and not self._mailbox.knows(lane, letter.subject):
                self.figures.taken += 1
                self.figures.replayed += 1
                self._mailbox.put(lane, letter)
        for lane in self._mailbox.lanes:
            self._work_on(lane)

    def end(self) -> None:
        """Nobody is there to deliver to."""
        self._life = None
        for _, letter in self._mailbox.letters:
            self._wait(letter)

    def abandon(self, why: str) -> None:
        """Nobody will be there any more."""
        for lane, letter in self._mailbox.empty():
            self.figures.dropped += 1
            self._losses.add(lane, letter.seq, why)
        self._losses.flush(trio.current_time(), end=True)

    def _wait(self, letter: Letter) -> None:
        self.figures.waited += not letter.waited
        letter.waited = True

    def _gave_way(self, lane: str, letter: Letter, why: str) -> None:
        if why == SUPERSEDED:
            self.figures.superseded += 1
        elif why == GIVEN_UP:
            self.figures.given_up += 1
        else:
            self.figures.dropped += 1
        self._losses.add(lane, letter.seq, why)
        self._losses.flush(trio.current_time())
        self._pulse()

    def _work_on(self, lane: str) -> None:
        if self._life is not None and lane not in self._at_work:
            child, hello, nursery = self._life
            self._at_work.add(lane)
            nursery.start_soon(self._work, child, hello, lane)

    async def _work(self, child: Child, hello: Hello, lane: str) -> None:
        try:
            while not child.ending.is_set() and (letter := self._mailbox.take(lane)) is not None:
                over = False
                try:
                    over = await self._deliver(child, hello, lane, letter)
                finally:
                    if not over:
                        self._mailbox.put_back(lane)
                if not over:
                    return
                self._mailbox.done(lane)
                self._changed()
                self._pulse()
                if letter.change or letter.vip_change:  # a group may have waited for it
                    self._work_on_groups()
        finally:
            self._at_work.discard(lane)
            self._pulse()

    def _work_on_groups(self) -> None:
        for lane in self._mailbox.lanes:
            head = self._mailbox.head(lane)
            if head is not None and head.group_change is not None and self._mailbox.is_ready(head):
                self._work_on(lane)

    async def _deliver(self, child: Child, hello: Hello, lane: str, letter: Letter) -> bool:
        """False: it has to be delivered again."""
        timeout = hello.deadline if 0 < hello.deadline <= self._limits.event_max else self._limits.event
        letter.attempts += 1
        self.figures.again += letter.attempts > 1
        self._changed()
        try:
            answer = await self._call(child, letter.hook, f"events {lane}", timeout, **letter.arguments())
        except ChildGone as error:
            if letter.attempts < ATTEMPTS:
                return False
            self._gave_way(lane, letter, GIVEN_UP)
            self._keep(letter, Reply(id=0), f"given up after {ATTEMPTS} attempts: {error}")
            return True
        self.figures.delivered += 1
        self.figures.late += letter.waited
        failure = answer.reply.failure
        self._keep(letter, answer.reply, explain(failure, letter.hook) if failure else "")
        return True

    def _keep(self, letter: Letter, reply: Reply, error: str) -> None:
        change = letter.change or letter.vip_change or letter.group_change
        if change is None:
            return
        result = HookResult(
            hook=letter.hook,
            instance=change.instance,
            group=letter.group_change.group if letter.group_change else "",
            seq=change.seq,
            seconds=round(reply.seconds, 4),
            output=reply.outcome.output if reply.outcome else "",
            exit=reply.outcome.exit if reply.outcome else 0,
            error=error,
        )
        self.results.append(result)
