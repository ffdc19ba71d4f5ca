"""A sync group: instances that are MASTER together or not at all.

A group has no memory: it looks at its members after every event that moved one of them, and does what is to be done, in
one call for all. What it looks at is theirs (``hafw.vrrp.member``), so a journal of the members is one of the group.

1. A member's own cause is a cause of all others: one in FAULT, all in FAULT. Those that are well resign (priority 0).
2. A member that follows another MASTER, or that is in FAULT, pulls those that are MASTER. One that has handed
   over pulls those that are about to.
3. When every member is willing, or MASTER already, all take over; adverts of all of them first. If one of them is about
   to displace a live MASTER, all bind before anybody speaks.
4. When nobody relieved any of those that said goodbye, all of them go on; not when one is stopped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hafw.node.instance import Cause
from hafw.vrrp.actions import Action, GroupTransition, SendAdvertisement, Transition
from hafw.vrrp.settings import State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hafw.node.instance import Instance
    from hafw.vrrp.peer import Peer

REASON = "sync-group"
"""Of whatever happens to a member because of another one."""
YOUNG = 2
"""A role that is lost within so many master_down_intervals was lost soon after it was taken."""


class Group:
    """The members of one ``group``, in configured order."""

    def __init__(self, name: str, members: list[Instance]) -> None:
        self.name = name
        self.members = members

    @property
    def state(self) -> State:
        """MASTER: all are. INITIALIZE, then FAULT: one of them is. BACKUP otherwise."""
        return _joint(each.router.state for each in self.members)

    def settle(self, now: float) -> list[Action]:
        """Bring every member to what the others are."""
        return [
            *self._release(now),
            *self._share_causes(now),
            *self._pull(now),
            *self._take_over(now),
            *self._go_on(now),
        ]

    def hasten(self, resigned: Instance, left: Peer, now: float) -> None:
        """The MASTER of one member has resigned: the others need not wait for three adverts that do not come.

        ``left``: as it was heard there. Whoever advertises another priority to another member is somebody else, and
        lives; so is whoever has another address on the same network (C-SIM-03).
        """
        for each in self.members:
            peer = each.router.peer
            if peer is None or peer.priority != left.priority:
                continue
            if each.network == resigned.network and peer.source != left.source:
                continue
            if each.router.state is State.BACKUP and not each.router.willing:
                each.router.listener.hasten(now)

    def transition(self, actions: Iterable[Action]) -> list[Action]:
        """What these actions, of one call, have made of the state of the group."""
        moves = [each for each in actions if isinstance(each, Transition)]
        mine = [each for each in moves if any(each.router == member.name for member in self.members)]
        if not mine:
            return []
        before = {each.name: each.router.state for each in self.members}
        before |= {each.router: each.old for each in reversed(mine)}  # the first move of each
        return self.became(_joint(before.values()), mine)

    def became(self, old: State, moves: Iterable[Transition] = ()) -> list[Action]:
        """Tell of the new state, if it is one; the move that began it is the first that no other member is behind."""
        new = self.state
        if new == old:
            return []
        moves = list(moves)
        first = next((each for each in moves if each.reason != REASON), moves[0] if moves else None)
        if first is None:
            return [GroupTransition(self.members[0].name, self.name, old, new, "reconfigured", 0)]
        return [GroupTransition(first.router, self.name, old, new, first.reason, 0, first.detail)]

    def waits_for(self, waiting: Instance, now: float) -> str:
        """Why a member that is willing does not take over, in words; empty: it does not wait."""
        if not waiting.router.willing:
            return ""
        for each in self.members:
            if each.router.state is State.MASTER or each.router.willing:
                continue
            if each.router.follows(now) and each.router.peer is not None:
                return f"waits for {each.name}, which hears {each.router.peer.source} as MASTER"
            return f"waits for {each.name}, which is in {each.router.state}"
        return ""

    # -- the rules ----------------------------------------------------------------------------------------------

    def _release(self, now: float) -> list[Action]:
        """All were asked to hand over."""
        if not all(each.can_release for each in self.members):
            return []
        return [action for each in self.members for action in each.release(now)]

    def _share_causes(self, now: float) -> list[Action]:
        actions: list[Action] = []
        for each in self.members:
            others = [(other, cause) for other in self.members if other is not each for cause in other.own_causes]
            cause = None
            if others:
                culprit, first = others[0]
                matter = all(other.is_opinion for _, other in others)
                cause = Cause(REASON, f"{culprit.name} {first.reason}", is_opinion=matter)
            actions += each.share(cause, now)
        return actions

    def _pull(self, now: float) -> list[Action]:
        masters = [each for each in self.members if each.router.state is State.MASTER]
        left = [each for each in self.members if each.router.state is State.FAULT or each.router.follows(now)]
        if not left and any(each.router.state is State.BACKUP for each in self.members):
            return [each.router.defer(now) for each in masters if each.router.handing_over]
        if not masters or not left:
            return []
        lasted = now - min(each.router.since for each in masters)
        actions: list[Action] = []
        for each in masters:
            actions += each.router.pull(f"{left[0].name} {left[0].router.reason}", now)
        self._hold_back(lasted, left[0], now)
        return actions

    def _hold_back(self, lasted: float, first: Instance, now: float) -> None:
        """Two routers whose members disagree about who is better both yield, and would again: one has to wait longer.

        The member with the lowest VRID decides who; then, if the other side knows no such rule, ever longer waits do.
        """
        patience = first.router.listener.master_down_interval
        clashes = first.router.listener.clashes + 1 if lasted < YOUNG * patience else 0
        leading = min(self.members, key=lambda each: (each.settings.router.vrid, each.settings.router.family)).router
        behind = leading.peer is not None and leading.peer.outranks(leading.priority, leading.primary)
        # Odd for the one and even for the other: never the same, also where the two have counted differently.
        turns = max(2 * clashes - (1 if behind else 2), 0)
        for each in self.members:
            each.router.listener.hold_back(clashes, turns, now)

    def _take_over(self, now: float) -> list[Action]:
        others = [each.router for each in self.members if each.router.state is not State.MASTER]
        actions = [action for each in others if each.willing for action in each.reconsider(now)]
        if not all(each.willing for each in others):
            return [*actions, *(each for other in others if other.tenure.bound for each in other.stand_back())]
        if any(each.displaces(now) for each in others) and not all(each.tenure.installed for each in others):
            unbound = [each for each in others if not each.tenure.bound]
            return [*actions, *(action for each in unbound for action in each.prepare(now))]
        came = [action for each in others for action in each.take_over(now)]
        return [*actions, *sorted(came, key=lambda action: not isinstance(action, SendAdvertisement))]

    def _go_on(self, now: float) -> list[Action]:
        asking = [each.router for each in self.members if each.router.unrelieved]
        others = [each.router for each in self.members if each.router.state is not State.BACKUP]
        if not asking or not all(each.unrelieved for each in others):
            return []
        came = [action for each in asking for action in each.go_on(now)]
        return sorted(came, key=lambda action: not isinstance(action, SendAdvertisement))


def _joint(states: Iterable[State]) -> State:
    found = set(states)
    for state in (State.INITIALIZE, State.FAULT, State.BACKUP):
        if state in found:
            return state
    return State.MASTER
