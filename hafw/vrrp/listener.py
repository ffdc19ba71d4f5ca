"""What a router knows of the MASTER it hears: who it is, how long to wait for it, whether to take its place.

The timers of RFC 9568 section 6.1 for those who are not MASTER. Nothing is decided here: the router asks.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING

from hafw.vrrp.peer import Peer

if TYPE_CHECKING:
    from hafw.vrrp.events import AdvertReceived
    from hafw.vrrp.settings import IPAddress, RouterSettings

RANK_STEP, RANK_STEP_MIN = 1 / 64, 0.003
"""Ranked skew: one place, as a share of the interval, and at least so many seconds."""


class Listener:
    """The ear of one virtual router. ``down_at`` is when a BACKUP's patience ends; ``inf``: it does not listen."""

    def __init__(self, settings: RouterSettings) -> None:
        self.settings = settings
        self.priority = settings.priority
        """The effective one."""
        self.peer: Peer | None = None
        """Who was last heard."""
        self._other: Peer | None = None
        """Who was heard before that, and has not said goodbye: two that do not hear each other may both be MASTER."""
        self.down_at = inf
        self.again_at = -inf
        """Do not take over before, for a goodbye or as owner: once an interval, whatever comes in (C-SEC-05)."""
        self.master_adver_interval = settings.advertisement_interval
        self.maintenance = False
        """Stay BACKUP whatever happens."""
        self.held_back_until = -inf
        """Do not preempt before: it keeps failing."""
        self.deferring = False
        """Do not want the role back from the successor that it was handed to."""
        self.clashes = 0
        """How often in a row its sync group lost the role soon after it took it."""
        self._reserve, self._reserved_at = 0.0, -inf
        self._preempt_at: float | None = None
        self._forgiven = False

    # -- the timers of section 6.1 ------------------------------------------------------------------------------

    @property
    def skew_time(self) -> float:
        """RFC 9568 section 6.1, C-TMR-02; version 2 counts in whole seconds whatever the interval (C-TMR-04).

        With a ``rank`` it is the place among the configured priorities, never more than the RFC's (deviates from
        C-TMR-02). A router whose checks changed its priority has left its place: it takes the RFC's.
        """
        scale = 1.0 if self.settings.version == 2 else self.master_adver_interval
        skew = (256 - self.priority) * scale / 256
        if self.settings.rank is not None and self.priority == self.settings.priority:
            skew = min(skew, (self.settings.rank + 1) * max(scale * RANK_STEP, RANK_STEP_MIN))
        return skew + self._reserve

    @property
    def master_down_interval(self) -> float:
        """RFC 9568 section 6.1, C-TMR-03; keepalived's ``down_timer_adverts`` replaces the 3."""
        return self.settings.down_timer_adverts * self.master_adver_interval + self.skew_time

    @property
    def longest_patience(self) -> float:
        """The master_down_interval of the lowest priority that there may be."""
        longest_skew = 1.0 if self.settings.version == 2 else self.master_adver_interval
        return self.settings.down_timer_adverts * self.master_adver_interval + longest_skew

    def set_priority(self, priority: int) -> None:
        """Change the effective priority.

        The running timer is shifted by the difference in skew, as keepalived does (C-FSM-35).
        """
        before = self.skew_time
        self.priority = priority
        self.down_at += self.skew_time - before

    def hold_back(self, clashes: int, turns: int, now: float) -> None:
        """Let others go first by so many intervals, after so many clashes, until one of them is MASTER."""
        before = self.skew_time
        self.clashes, self._reserve, self._reserved_at = clashes, turns * self.master_adver_interval, now
        self.down_at += self.skew_time - before

    def reconfigure(self, settings: RouterSettings, now: float) -> None:
        """Go on with the interval that a live MASTER advertises; otherwise the new one counts at once."""
        before, self.settings = self.settings, settings
        interval = settings.advertisement_interval
        if interval == before.advertisement_interval:
            return
        if settings.version == 3 and self.peer is not None and self.peer.live(now):
            return
        self.master_adver_interval = interval
        if self.down_at < inf:
            self.listen(now)

    def shift(self, seconds: float, now: float) -> None:
        """The clock stood still: everything is later than it looks.

        Nothing was heard meanwhile, so there is time for one advert, as after a lateness that is forgiven.
        """
        self.down_at -= seconds
        if now - self.down_at <= self.master_adver_interval:
            self.down_at = max(self.down_at, now + self.master_adver_interval + self.skew_time)
        self.peer, self._other = (
            each and replace(each, heard_at=each.heard_at - seconds) for each in (self.peer, self._other)
        )

    # -- listening ----------------------------------------------------------------------------------------------

    def overhear(self, event: AdvertReceived, now: float) -> None:
        """An advert before it takes part in the election: nothing but whom there is to hear."""
        if event.advert.priority > 0:
            self.heard(event, now)
        else:
            self._take_leave(event, now)

    def join(self, now: float) -> None:
        """Listen for the first time (C-FSM-02), by the interval of a MASTER that was overheard, as C-TMR-05 has it."""
        self.master_adver_interval = self.settings.advertisement_interval
        if self.peer is not None and self.peer.live(now):
            self.learn_interval(self.peer.interval)
        else:
            self.peer = None
        self.listen(now)

    def listen(self, now: float) -> None:
        """Wait for a MASTER for one whole master_down_interval; the first thing that every BACKUP does.

        So a router that returns never displaces a MASTER that it could not hear yet: nopreempt is sticky.
        """
        self.down_at = now + self.master_down_interval
        self._preempt_at = None
        self._forgiven = False

    def count_from(self, quiet_since: float, now: float) -> None:
        """The wait began before we joined: nobody has been heard since then."""
        if self.down_at < inf:
            self.down_at = max(now, quiet_since + self.master_down_interval)

    def rest(self) -> None:
        """No longer BACKUP."""
        self.down_at = inf

    def serve(self, now: float) -> None:
        """MASTER from now on: nobody is listened for, and nobody else is left the role or let go first."""
        self.rest()
        self.deferring, self._reserve = False, 0.0
        self.again_at = now + self.settings.advertisement_interval

    def wait(self, seconds: float, now: float) -> None:
        """Look again after so long."""
        self.down_at = now + seconds

    def heard(self, event: AdvertReceived, now: float) -> Peer:
        """Remember who spoke."""
        if self.peer is not None and self.peer.source != event.source:
            self._other = self.peer
        self.peer = Peer(event.source, event.advert.priority, event.advert.interval, now)
        return self.peer

    def learn_interval(self, interval: float) -> None:
        """C-TMR-05; version 2 only accepts its own interval."""
        if self.settings.version == 3:
            self.master_adver_interval = interval

    def take(self, event: AdvertReceived, now: float) -> bool:
        """An advert for a BACKUP: C-FSM-13 to C-FSM-16. Equal priority counts as accepted, whatever the address.

        False: discarded, and the timer keeps running towards a preemption (C-FSM-15).
        """
        self.heard(event, now)
        if event.advert.priority >= self.priority:
            self._preempt_at = None
        elif self.may_preempt(now):
            return False
        self.learn_interval(event.advert.interval)
        self._forgiven = False
        if now > self._reserved_at + self.master_adver_interval:  # not said before it yielded as we did
            self._reserve = 0.0
        self.down_at = now + self.master_down_interval
        return True

    def take_goodbye(self, event: AdvertReceived, now: float) -> None:
        """C-FSM-12. Of two that do not hear each other, both MASTER, one is left: it is waited for (C-SIM-03)."""
        if not self._take_leave(event, now):
            return
        self._preempt_at = None
        displaces = self.hears_lower(now) and self.may_preempt(now)
        if displaces or not self.follow(now):
            self.down_at = max(now + self.skew_time, self.again_at)

    def _take_leave(self, event: AdvertReceived, now: float) -> bool:
        """From a router that is not the MASTER we hear, it is no goodbye of the MASTER: False (C-SEC-04)."""
        if self._other is not None and self._other.source == event.source:
            self._other = None
        if self.peer is not None and self.peer.source != event.source and self.peer.live(now):
            return False
        self.heard(event, now)
        if self._other is not None and self._other.live(now):
            self.peer, self._other = self._other, None
        return True

    def hasten(self, now: float) -> None:
        """The MASTER resigned in another router of its sync group: one advert of it that is missing is enough."""
        if self.peer is None or self.down_at == inf:
            return
        due = self.peer.heard_at + self.master_adver_interval
        self.down_at = min(self.down_at, max(now, due) + self.skew_time)
        self.peer = replace(self.peer, priority=0)

    def follow(self, now: float) -> bool:
        """Time a live MASTER by its last advert: we discarded it while we outranked the sender, and no longer do.

        False: there is none.
        """
        peer = self.peer
        if peer is None or not peer.live(now):
            return False
        self.learn_interval(peer.interval)
        self.down_at = peer.heard_at + self.master_down_interval
        return True

    def hears_lower(self, now: float) -> bool:
        """Tell whether a live MASTER has a lower priority."""
        return self.peer is not None and self.peer.live(now) and self.peer.priority < self.priority

    def forgive(self, now: float) -> float:
        """Seconds by which this process itself is late, more than an interval; then the MASTER gets its time again.

        Once only: 0 when there is nothing to forgive, or no more (C-TMR-07).
        """
        late = now - self.down_at
        if late <= self.master_adver_interval or self._forgiven:
            return 0.0
        self._forgiven = True
        self.down_at = now + self.master_adver_interval + self.skew_time
        return late

    def hears_better(self, primary: IPAddress | None, now: float) -> bool:
        """Tell whether a live MASTER outranks us."""
        return self.peer is not None and self.peer.live(now) and self.peer.outranks(self.priority, primary)

    def may_preempt(self, now: float) -> bool:
        """Preempt_Mode; the owner always (C-FSM-30); not before ``preempt_delay`` has run (C-FSM-37)."""
        if self.maintenance or self.deferring:
            return False
        if self.settings.owner:
            return True
        if not self.settings.preempt or now < self.held_back_until:
            return False
        if self._preempt_at is None:
            self._preempt_at = now + self.settings.preempt_delay
        return now >= self._preempt_at
