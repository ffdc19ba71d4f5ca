"""The election loop: events go into the Node, its actions are performed, in one plain call each.

There is no queue of our own between a socket and the Node: the kernel's socket buffer is the bounded inbox, whoever is
woken calls ``dispatch``, and ``dispatch`` is a ``def``. So nothing can come between a decision and the wire.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import trio

from hafw.daemon.observe import timestamp
from hafw.pipe import StateChange
from hafw.records import event_record
from hafw.vrrp.actions import Action, Announce, Notice, SendAdvertisement, SetAddresses, Transition
from hafw.vrrp.events import AddressesClaimed, Event, Tick

if TYPE_CHECKING:
    from collections.abc import Callable

    from hafw.daemon.observe import Observer
    from hafw.daemon.sockets import Wire
    from hafw.node import ConfigurationReplaced, Node


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
    ) -> None:
        self.node = node
        self.lateness_max = 0.0
        """Seconds; the worst delay of a deadline so far."""
        self._wire = wire
        self._observer = observer
        self._set_addresses = set_addresses
        self._announce = announce
        self._changed = changed
        self._pending: deque[Event | ConfigurationReplaced] = deque()
        self._busy = False
        self._timer = trio.CancelScope()
        self._news = trio.Event()

    async def run(self) -> None:
        """Call the Node whenever its deadline passes; the deadline may move while we wait."""
        while True:
            with trio.CancelScope(deadline=self.node.deadline) as self._timer:
                await trio.sleep_forever()
            self.tick()

    def tick(self) -> None:
        """The deadline has passed: hear what has arrived before anybody is blamed, then act."""
        self._wire.drain()
        now = trio.current_time()
        due = self.node.deadline
        if now >= due:
            self.lateness_max = max(self.lateness_max, now - due)
            self.dispatch(Tick())

    def dispatch(self, event: Event | ConfigurationReplaced) -> None:
        """Hand one event to the Node and perform its actions; called from anywhere in the trio thread."""
        self._pending.append(event)
        if self._busy:  # an action reported back while it was performed: it keeps its place in the order
            return
        self._busy = True
        try:
            while self._pending:
                self._handle(self._pending.popleft())
        finally:
            self._busy = False
        self._timer.deadline = self.node.deadline
        self._news.set()
        self._news = trio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until ``condition`` holds; it is looked at after every event."""
        while not condition():
            await self._news.wait()

    def _handle(self, event: Event | ConfigurationReplaced) -> None:
        if isinstance(event, AddressesClaimed):
            # The advert that explains the claim left before it, but came by another socket.
            self._wire.drain()
            while self._pending:
                self._perform(self.node.handle(self._pending.popleft(), trio.current_time()))
        self._perform(self.node.handle(event, trio.current_time()))

    def _perform(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case SendAdvertisement(router, priority):
                    self._wire.send(self.node.instances[router].router, priority)
                case SetAddresses():
                    self._set_addresses(action)
                case Announce(router):
                    self._announce(router)
                case Transition():
                    self._transition(action)
                case Notice():
                    settings = self.node.instances[action.router].router.settings
                    self._observer.event(event_record(action, settings))

    def _transition(self, action: Transition) -> None:
        settings = self.node.instances[action.router].router.settings
        self._observer.event(event_record(action, settings))
        if action.new == "MASTER":
            self._observer.count(action.router, "master-transitions")
        change = StateChange(
            seq=action.seq,
            time=timestamp(),
            instance=action.router,
            old=str(action.old),
            new=str(action.new),
            reason=action.reason,
            priority=action.priority,
            peer=str(action.peer or ""),
        )
        self._changed(action.router, change)
