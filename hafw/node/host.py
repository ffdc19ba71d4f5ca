"""The Node itself: routes each event to those whom it concerns, numbers transitions, keeps one deadline."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hafw.node.instance import Instance
from hafw.node.settings import ConfigurationReplaced, InstanceSettings, same_router
from hafw.vrrp.actions import Action, Transition
from hafw.vrrp.deadlines import Deadlines
from hafw.vrrp.events import Event, LinkChanged, Suspended, Tick

if TYPE_CHECKING:
    from collections.abc import Iterable


class Node:
    """All instances of this host; the only thing that the shell and the simulator drive."""

    def __init__(self, instances: Iterable[InstanceSettings], now: float, seq: int = 0) -> None:
        """``seq``: the number of the last transition, when it goes on where another Node has ended."""
        self.instances = {each.router.name: Instance(each, now) for each in instances}
        self.seq = seq
        self._deadlines = Deadlines()

    @property
    def deadline(self) -> float:
        """When ``handle(Tick(), now)`` wants to be called next; ``inf``: never."""
        return self._deadlines.next()

    @property
    def done(self) -> bool:
        """Every router has left the election and holds nothing."""
        return all(instance.router.done for instance in self.instances.values())

    def handle(self, event: Event | ConfigurationReplaced, now: float) -> list[Action]:
        """Take one event, return what is to be done, in order; see ``hafw.vrrp.actions`` for the order."""
        match event:
            case ConfigurationReplaced():
                actions = self._replace(event.instances, now)
                self._schedule(self.instances.values())
                return [self._numbered(action) for action in actions]
            case Tick():
                concerned = [self.instances[name] for name in self._deadlines.take(now)]
            case Suspended():
                concerned = list(self.instances.values())
            case LinkChanged():
                concerned = [
                    each for each in self.instances.values() if each.settings.router.interface == event.interface
                ]
            case _:
                concerned = [self.instances[event.router]] if event.router in self.instances else []
        actions = [action for each in concerned for action in each.handle(event, now)]
        self._schedule(concerned)
        return [self._numbered(action) for action in actions] if actions else actions

    def _schedule(self, instances: Iterable[Instance]) -> None:
        """Note when these want to be called next."""
        for each in instances:
            self._deadlines.set(each.name, each.deadline)

    def _replace(self, instances: tuple[InstanceSettings, ...], now: float) -> list[Action]:
        """Keyed by name: what stays goes on in its state, what is new waits for its ``Startup``."""
        before, self.instances = self.instances, {}
        self._deadlines = Deadlines()
        actions: list[Action] = []
        for each in instances:
            old = before.get(each.router.name)
            if old is not None and same_router(old.settings.router, each.router):
                actions += old.reconfigure(each, now)
            else:
                old = Instance(each, now)
            self.instances[each.router.name] = old
        return actions

    def _numbered(self, action: Action) -> Action:
        if not isinstance(action, Transition):
            return action
        self.seq += 1
        return replace(action, seq=self.seq)
