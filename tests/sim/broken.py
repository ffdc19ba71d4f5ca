"""Nodes that were broken on purpose, for whoever watches the promises: the swarm and the exhaustive search."""

from math import inf

from hafw.vrrp.actions import SendAdvertisement, SetAddresses
from hafw.vrrp.events import AddressesClaimed, Tick
from hafw.vrrp.listener import Listener
from hafw.vrrp.router import VirtualRouter
from hafw.vrrp.tenure import Tenure


def polite(patch):
    """It says goodbye as BACKUP too (C-FSM-10)."""
    leave = VirtualRouter._leave

    def says_goodbye(self, state, reason, now, detail=""):
        return [SendAdvertisement(self.settings.name, 0), *leave(self, state, reason, now, detail)]

    patch.setattr(VirtualRouter, "_leave", says_goodbye)


def ambitious(patch):
    """It preempts whatever it was told."""
    patch.setattr(Listener, "may_preempt", lambda _self, _now: True)


def clinging(patch):
    """It does not let go of what another machine has claimed, nor when its time is over."""
    handle = Tenure.handle

    def keeps(self, event, now):
        if isinstance(event, AddressesClaimed) or (isinstance(event, Tick) and now >= self.hold_until):
            self.hold_until = inf
            return []
        return handle(self, event, now)

    patch.setattr(Tenure, "handle", keeps)


def hasty(patch):
    """It lets go at once, as the RFC has it, before anybody has taken over."""
    hold = Tenure.hold

    def lets_go(self, *arguments, **options):
        hold(self, *arguments, **options)
        self.held, self.hold_until = (), inf
        return [self._set()]

    patch.setattr(Tenure, "hold", lets_go)


def forgetful(patch):
    """A MASTER that wants no addresses."""
    patch.setattr(Tenure, "_set", lambda self: SetAddresses(self.settings.name, bound=(), held=self.held))


def humble(patch):
    """It preempts nobody."""
    patch.setattr(Listener, "may_preempt", lambda _self, _now: False)
