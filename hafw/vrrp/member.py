"""A virtual router that may be in a sync group: MASTER together with the others, or not at all.

Everything else is as in ``VirtualRouter``. What a member would do alone, it only becomes ready for, and the group,
which sees all members after every event, lets all of them do it in one call (``hafw.node.group``):

- BACKUP whose patience with the MASTER is at an end, or that may preempt it, is ``willing``; then it has no deadline;
- one whom nobody relieves is ``unrelieved``, and holds its addresses on.

Without a group in its settings a member is a ``VirtualRouter``.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from hafw.vrrp.actions import Action, SendAdvertisement, Transition
from hafw.vrrp.router import VirtualRouter
from hafw.vrrp.settings import State

if TYPE_CHECKING:
    from hafw.vrrp.departure import Departure
    from hafw.vrrp.settings import RouterSettings


class Member(VirtualRouter):
    """One ``[instance.NAME]`` on this host, and its side of a sync group."""

    def __init__(self, settings: RouterSettings, now: float) -> None:
        super().__init__(settings, now)
        self._unrelieved_in: Departure | None = None

    # -- what the group asks ------------------------------------------------------------------------------------

    @property
    def willing(self) -> bool:
        """BACKUP that takes over as soon as all other members can."""
        return self.state is State.BACKUP and (self.listener.down_at == inf or self.tenure.bound)

    @property
    def unrelieved(self) -> bool:
        """It has said goodbye, nobody took over, and it goes on as soon as that is true of all other members.

        Not once it is well again, nor once it is stopped: then so are the others, and never say so any more.
        """
        waits = self._unrelieved_in is not None and self._unrelieved_in is self._departure
        return waits and self.state in {State.MASTER, State.FAULT}

    def follows(self, now: float) -> bool:
        """BACKUP of a live MASTER, which it accepts."""
        return not self.willing and self.state is State.BACKUP and self.peer is not None and self.peer.live(now)

    def displaces(self, now: float) -> bool:
        """Whether a live MASTER would lose its role to this one."""
        return self.listener.hears_lower(now) and self.listener.may_preempt(now)

    # -- what the group says ------------------------------------------------------------------------------------

    def reconsider(self, now: float) -> list[Action]:
        """Still willing? Priorities may have changed while it waited for the others."""
        if self.displaces(now) or not self._follows_on(now):
            return []
        return self.tenure.drop()

    def stand_back(self) -> list[Action]:
        """Undo ``prepare``: the others cannot, or not yet."""
        self.listener.rest()
        return self.tenure.drop()

    def prepare(self, now: float) -> list[Action]:
        """Bind while BACKUP: some member is about to displace a live MASTER."""
        self.listener.wait(self.listener.master_adver_interval, now)
        return self.tenure.bind()

    def take_over(self, now: float) -> list[Action]:
        """All members do: the advert is the first action."""
        if self.displaces(now):
            return self._become_master(now, "preempted")
        return self._become_master(now, self._vacancy)

    def defer(self, now: float) -> Transition:
        """Another member was taken over, and so is this one, whatever was heard of it: its handover is complete."""
        return self._defer(now, None)

    def pull(self, detail: str, now: float) -> list[Action]:
        """Leave MASTER, since another member had to: one priority 0, and hold until claimed."""
        if self.handing_over:
            return [self.defer(now)]
        over = self.speaker.fall_silent(now)
        hold = self.tenure.hold(now, self._time_to_relieve, self._remind)
        goodbye = SendAdvertisement(self.settings.name, 0)
        return [goodbye, *over, *hold, self._withdraw("sync-group", now, None, detail)]

    def go_on(self, now: float) -> list[Action]:
        """Nobody relieved any member: be MASTER on, degraded if there is a fault."""
        self._unrelieved_in = None
        return self._concluded(super()._go_on(now), now)

    # -- what it does otherwise than alone ----------------------------------------------------------------------

    def reconfigure(self, settings: RouterSettings, now: float) -> list[Action]:
        """A member that leaves its group, willing, takes over by itself."""
        actions = super().reconfigure(settings, now)
        if settings.group or not self.willing:
            return actions
        self.listener.wait(0.0, now)
        return [*actions, *self.tenure.drop()]

    @property
    def _time_to_relieve(self) -> float:
        """Others wait for their slowest member, which may have heard our last advert a moment ago, and no goodbye."""
        more = self.listener.master_adver_interval if self.settings.group else 0.0
        return super()._time_to_relieve + more

    def _enter(self, now: float, reason: str) -> list[Action]:
        if not self.settings.group:
            return super()._enter(now, reason)
        self.listener.join(now)
        if self.settings.owner and not (self.listener.maintenance or self.listener.deferring):
            # C-FSM-01, as soon as the others can
            self.listener.down_at = self.listener.again_at if now < self.listener.again_at else inf
        return [self._move(State.BACKUP, reason, now)]

    def _expired(self, now: float) -> list[Action]:
        if not self.settings.group:
            return super()._expired(now)
        listener = self.listener
        if self.displaces(now):
            if self.tenure.bound:
                listener.wait(listener.master_adver_interval, now)  # a keeper that is slow is waited for
                return []
        elif self._follows_on(now):
            return self.tenure.drop()
        listener.rest()
        return []

    def _follows_on(self, now: float) -> bool:
        """Wait for a live MASTER whom it accepts, unless it was silent too long; False: there is none."""
        before = self.listener.down_at
        if self.listener.follow(now) and now < self.listener.down_at:
            return True
        self.listener.down_at = before
        return False

    def _finish_preemption(self, now: float) -> list[Action]:
        return [] if self.settings.group else super()._finish_preemption(now)

    def _go_on(self, now: float) -> list[Action]:
        if not self.settings.group:
            return super()._go_on(now)
        self._unrelieved_in = self._departure
        return self.tenure.hold_on(now)
