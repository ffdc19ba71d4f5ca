"""Events to one plugin: in order per router, awaited, timed, delivered again when the process died of something."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hafw.daemon.plugins.child import ChildGone
from hafw.daemon.plugins.introduce import explain
from hafw.daemon.plugins.mailbox import Mailbox
from hafw.pipe import Hello, Reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import trio

    from hafw.daemon.plugins.child import Answer, Child
    from hafw.daemon.plugins.mailbox import Letter

ATTEMPTS = 3
"""Deliveries of one event; a process that dies of it each time would never do anything else."""
RESULTS_KEPT = 10
DEADLINE_MAX = 3600.0
"""Seconds that a plugin may ask for one event."""


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

    ``call`` is the host's; ``timeout`` is for a plugin that declares none; ``pulse`` is called when a lane is empty.
    """

    def __init__(self, call: Callable[..., Awaitable[Answer]], timeout: float, pulse: Callable[[], None]) -> None:
        self.results: deque[HookResult] = deque(maxlen=RESULTS_KEPT)
        self._mailbox = Mailbox()
        self._call = call
        self._timeout = timeout
        self._pulse = pulse
        self._life: tuple[Child, Hello, trio.Nursery] | None = None
        self._at_work: set[str] = set()

    @property
    def queued(self) -> int:
        """Events that were not answered yet."""
        return len(self._mailbox)

    @property
    def dropped(self) -> int:
        """Events that gave way to newer ones."""
        return self._mailbox.dropped

    def put(self, lane: str, letter: Letter) -> None:
        """Queue an event; never waits."""
        self._mailbox.put(lane, letter)
        self._work_on(lane)

    def inherit(self, predecessor: Deliveries) -> None:
        """Take over what was queued and what is known; the predecessor has ended."""
        newer, self._mailbox = self._mailbox, predecessor._mailbox
        for lane in newer.lanes:
            while letter := newer.head(lane):
                newer.done(lane)
                self._mailbox.put(lane, letter)
        self.results = predecessor.results

    def begin(self, child: Child, hello: Hello, nursery: trio.Nursery) -> None:
        """Deliver from now on, first of all what is left from an earlier life."""
        self._life = (child, hello, nursery)
        for lane in self._mailbox.lanes:
            self._work_on(lane)

    def end(self) -> None:
        """Nobody is there to deliver to."""
        self._life = None

    def _work_on(self, lane: str) -> None:
        if self._life is not None and lane not in self._at_work:
            child, hello, nursery = self._life
            self._at_work.add(lane)
            nursery.start_soon(self._work, child, hello, lane)

    async def _work(self, child: Child, hello: Hello, lane: str) -> None:
        try:
            while (letter := self._mailbox.head(lane)) is not None and not child.ending.is_set():
                if not self._mailbox.is_ready(letter):
                    return
                if letter.hook in hello.hooks and not await self._deliver(child, hello, lane, letter):
                    return
                self._mailbox.done(lane)
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
        timeout = hello.deadline if 0 < hello.deadline <= DEADLINE_MAX else self._timeout
        about: dict[str, Any] = {
            "change": letter.change,
            "vip_change": letter.vip_change,
            "group_change": letter.group_change,
            "event": letter.event,
        }
        if letter.router:
            about |= {"router": letter.router.name, "routers": (letter.router,)}
        letter.attempts += 1
        try:
            answer = await self._call(child, letter.hook, f"events {lane}", timeout, **about)
        except ChildGone as error:
            if letter.attempts < ATTEMPTS:
                return False
            self._keep(letter, Reply(id=0), f"given up after {ATTEMPTS} attempts: {error}")
            return True
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
