"""The Node itself: routes each event to those whom it concerns, numbers transitions, keeps one deadline."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hafw.node.group import Group
from hafw.node.instance import Instance
from hafw.node.settings import ConfigurationReplaced, InstanceSettings, same_router
from hafw.vrrp.actions import Action, GroupTransition, Transition
from hafw.vrrp.deadlines import Deadlines
from hafw.vrrp.events import AdvertReceived, Event, LinkChanged, ReleaseAsked, Suspended, Tick, VerdictReported
from hafw.vrrp.settings import State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hafw.vrrp.peer import Peer

_NUMBERED = (Transition, GroupTransition)


class Node:
    """All instances of this host; the only thing that the shell and the simulator drive."""

    def __init__(self, instances: Iterable[InstanceSettings], now: float, seq: int = 0) -> None:
        """``seq``: the number of the last transition, when it goes on where another Node has ended."""
        self.instances = {each.router.name: Instance(each, now) for each in instances}
        self.groups: dict[str, Group] = {}
        """The sync groups, by name."""
        self.seq = seq
        self._deadlines = Deadlines()
        self._regroup()

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
        if isinstance(event, ConfigurationReplaced):
            changes = self._replace(event.instances, now)
            self._schedule(self.instances.values())
            return [self._numbered(change) for change in changes]
        concerned = self._concerned(event, now)
        actions: list[Action] = []
        members = [each for each in concerned if each.name in self._group_of] if self.groups else []
        if members:
            concerned = [*concerned, *self._handle_in_groups(concerned, members, event, actions, now)]
        else:
            for each in concerned:
                actions += each.handle(event, now)
        for each in concerned:
            actions += each.damping.heed(each, actions, now)
        self._schedule(concerned)
        return [self._numbered(action) for action in actions] if actions else actions

    def _concerned(self, event: Event, now: float) -> list[Instance]:
        """Whom it is for; what comes most often is looked for first."""
        match event:
            case AdvertReceived():
                return [self.instances[event.router]] if event.router in self.instances else []
            case Tick():
                return [self.instances[name] for name in self._deadlines.take(now)]
            case ReleaseAsked() if event.router in self._group_of:
                return self._group_of[event.router].members
            case VerdictReported() if event.router in self.groups:
                return self.groups[event.router].members
            case Suspended():
                return list(self.instances.values())
            case LinkChanged():
                return [each for each in self.instances.values() if each.settings.router.interface == event.interface]
            case _:
                return [self.instances[event.router]] if event.router in self.instances else []

    def _handle_in_groups(
        self, concerned: list[Instance], members: list[Instance], event: Event, actions: list[Action], now: float
    ) -> list[Instance]:
        """What one member does concerns the others; adds to ``actions``, and returns all whom it concerned."""
        before = [each.stance(now) for each in members]
        peer = members[0].router.peer
        for each in concerned:
            actions += each.handle(event, now)
        moved = [each for each, old in zip(members, before, strict=True) if each.stance(now) != old]
        groups = list(dict.fromkeys(self._group_of[each.name] for each in moved))
        for group in groups:
            actions += group.settle(now)
            actions += group.transition(actions)
        if isinstance(event, AdvertReceived) and event.advert.priority == 0:
            groups += self._hasten(event, peer, now)
        return [each for group in groups for each in group.members]

    def _hasten(self, event: AdvertReceived, left: Peer | None, now: float) -> list[Group]:
        """A MASTER that resigned in one member of a group is not waited for in the others."""
        group, peer = self._group_of[event.router], self.instances[event.router].router.peer
        if peer is None or (peer.priority, peer.heard_at) != (0, now):  # not from the MASTER that is heard
            return []
        if left is None or left.source != event.source or not left.priority:
            return []
        group.hasten(self.instances[event.router], left, now)
        return [group]

    def _regroup(self) -> None:
        """Find the groups that the settings name."""
        found: dict[str, list[Instance]] = {}
        for each in self.instances.values():
            if group := each.settings.router.group:
                found.setdefault(group, []).append(each)
        self.groups = {name: Group(name, members) for name, members in found.items()}
        self._group_of = {each.name: group for group in self.groups.values() for each in group.members}

    def _schedule(self, instances: Iterable[Instance]) -> None:
        """Note when these want to be called next."""
        for each in instances:
            self._deadlines.set(each.name, each.deadline)

    def _replace(self, instances: tuple[InstanceSettings, ...], now: float) -> list[Action]:
        """Keyed by name: what stays goes on in its state, what is new waits for its ``Startup``."""
        states = {name: group.state for name, group in self.groups.items()}
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
        self._regroup()
        for name, group in self.groups.items():
            came = group.settle(now)
            moves = [each for each in came if isinstance(each, Transition)]
            actions += [*came, *group.became(states.get(name, State.INITIALIZE), moves)]
        return actions

    def _numbered(self, action: Action) -> Action:
        if not isinstance(action, _NUMBERED):
            return action
        self.seq += 1
        return replace(action, seq=self.seq)
