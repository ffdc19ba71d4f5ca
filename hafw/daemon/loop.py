"""The election loop: events go into the Node, its actions are performed, in one plain call each.

There is no queue of our own between a socket and the Node: the kernel's socket buffer is the bounded inbox, whoever is
woken calls ``dispatch``, and ``dispatch`` is a ``def``. So nothing can come between a decision and the wire.

Most adverts tell a BACKUP what it knows already, and wake nobody: they wait in the socket until the time comes to blame
a MASTER, or until anything else happens. What arrived before an event is always heard before it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import trio

from hafw.daemon.figures import LATENESS, Histogram
from hafw.daemon.observe import timestamp
from hafw.pipe import GroupChange, StateChange
from hafw.records import event_record, group_event_record
from hafw.vrrp.actions import (
    Action,
    Announce,
    GroupTransition,
    Notice,
    SendAdvertisement,
    SendGoodbye,
    SetAddresses,
    Transition,
)
from hafw.vrrp.events import Event, Suspended, Tick
from hafw.vrrp.settings import State
from hafw.vrrp.speaker import LAST_RESORT_PRIORITY

if TYPE_CHECKING:
    from collections.abc import Callable

    from hafw.daemon.clock import SleepWatch, Timer
    from hafw.daemon.observe import Observer
    from hafw.daemon.sockets import Wire
    from hafw.node import ConfigurationReplaced, Node

HEAR_EVERY = 1.0
"""Seconds for which adverts may wait in a socket at most."""
GATHER = 0.002
"""Seconds after something was due in which no other deadline wakes us: those of 255 routers come one by one."""


class Election:
    """Drives one Node."""

    def __init__(  # noqa: PLR0913  (the ports of the loop, each by name)
        self,
        node: Node,
        wire: Wire,
        observer: Observer,
        *,
        set_addresses: Callable[[SetAddresses], None],
        announce: Callable[[str], None],
        changed: Callable[[str, StateChange], None],
        group_changed: Callable[[GroupChange], None] = lambda _change: None,
        reminded: Callable[[str], None] = lambda _router: None,
        timer: Timer,
        sleep_watch: SleepWatch | None = None,
    ) -> None:
        """``sleep_watch``: none in virtual time, where no machine sleeps.

        ``reminded``: a router that gave way has told the better MASTER that there were two.
        """
        self.node = node
        self.lateness_max = 0.0
        """Seconds; the worst delay of a deadline so far."""
        self.lateness = Histogram(LATENESS)
        """Of every deadline."""
        self._wire = wire
        self._observer = observer
        self._set_addresses = set_addresses
        self._announce = announce
        self._changed = changed
        self._group_changed = group_changed
        self._reminded = reminded
        self._pending: deque[tuple[Event | ConfigurationReplaced, float | None]] = deque()
        self._busy = False
        self._timer = timer
        self._sleep_watch = sleep_watch
        self._hear_by = 0.0
        self._not_before = 0.0
        self._news: trio.Event | None = None

    async def run(self) -> None:
        """Call the Node whenever its deadline passes; the deadline may move while we wait."""
        while True:
            self._set_timer()
            await self._timer.wait()
            self.tick()

    def tick(self) -> None:
        """The deadline has passed: hear what has arrived before anybody is blamed, then act on all that is due."""
        self.hear()
        now = trio.current_time()
        due = self.node.deadline
        if now >= due:
            self.lateness_max = max(self.lateness_max, now - due)
            self.lateness.add(now - due)
            self._not_before = now + GATHER
            self._take(Tick(), None)

    def hear(self) -> None:
        """Take what has arrived; first of all that the machine slept, for then all of it is old."""
        if self._sleep_watch is not None and (seconds := self._sleep_watch.suspended()):
            self._take(Suspended(seconds), None)
        rest = self._wire.drain()
        self._hear_by = trio.current_time() + min(rest, HEAR_EVERY)

    def dispatch(self, event: Event | ConfigurationReplaced, at: float | None = None) -> None:
        """Hand one event to the Node and perform its actions; called from anywhere in the trio thread.

        ``at``: when an advert came; ``None``: now, and whatever arrived earlier is heard first.
        """
        if at is None and not self._busy:
            self.hear()
        self._take(event, at)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until ``condition`` holds; it is looked at after every event."""
        while not condition():
            if self._news is None:
                self._news = trio.Event()
            await self._news.wait()

    def _take(self, event: Event | ConfigurationReplaced, at: float | None) -> None:
        self._pending.append((event, at))
        if self._busy:  # an action reported back while it was performed: it keeps its place in the order
            return
        self._busy = True
        try:
            while self._pending:
                event, at = self._pending.popleft()
                self._perform(self.node.handle(event, trio.current_time() if at is None else at))
        finally:
            self._busy = False
        self._set_timer()
        if self._news is not None:
            self._news.set()
            self._news = None

    def _set_timer(self) -> None:
        self._timer.set(max(min(self.node.deadline, self._hear_by), self._not_before))

    def _perform(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case SendAdvertisement(name, priority):
                    router = self.node.instances[name].router
                    self._wire.send(router, priority)
                    if priority == LAST_RESORT_PRIORITY and router.state is State.BACKUP:
                        self._reminded(name)
                case SendGoodbye(name):
                    self._wire.elsewhere.send(self.node.instances[name].router)
                case SetAddresses():
                    self._set_addresses(action)
                case Announce(name):
                    self._announce(name)
                case Transition():
                    self._transition(action)
                case GroupTransition():
                    self._group_transition(action)
                case Notice():
                    self._notice(action)

    def _notice(self, action: Notice) -> None:
        router = self.node.instances[action.router].router
        record = event_record(action, router.settings)
        if action.kind == "split_brain_over":
            record["yielded"] = "peer" if router.state is State.MASTER else "this router"
        self._observer.event(record)

    def _transition(self, action: Transition) -> None:
        settings = self.node.instances[action.router].router.settings
        self._observer.event(event_record(action, settings))
        if action.new == "MASTER":
            self._observer.count(action.router, "master-transitions")
        change = StateChange(
            time=timestamp(),
            instance=action.router,
            old=str(action.old),
            new=str(action.new),
            reason=action.reason,
            priority=action.priority,
            peer=str(action.peer or ""),
        )
        self._changed(action.router, change)

    def _group_transition(self, action: GroupTransition) -> None:
        self._observer.event(group_event_record(action))
        members = self.node.groups[action.group].members
        change = GroupChange(
            time=timestamp(),
            group=action.group,
            members=tuple(each.name for each in members),
            old=str(action.old),
            new=str(action.new),
            reason=action.reason,
            instance=action.router,
        )
        self._group_changed(change)
