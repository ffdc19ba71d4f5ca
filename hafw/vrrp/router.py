"""One virtual router: the state machine of RFC 9568 section 6, with keepalived's FAULT.

Rules
-----
1. Pure. Events and the time go in, a list of actions comes out; nothing is called, nothing is awaited.
2. ``handle`` is the only entrance and lists every pair of state and event. What a pair does not mention, it ignores.
3. There are no timers to start or stop. Every deadline is a field, ``deadline`` is their minimum, ``Tick`` looks at
   all of them; so no timer can be stale (C-FSM-31).
4. Times are float seconds of one monotonic clock, and nothing rounds them (C-TMR-06).

Theory of operation
-------------------
BACKUP waits for ``down_at``. Every advert that we accept moves it (C-FSM-13); lower ones do not when we preempt
(C-FSM-15), so preemption and takeover are the same deadline. They differ in one thing: after silence nobody owns the
address, so the advert goes first; a live MASTER still owns it, so we *bind* first, while BACKUP, and only speak when
the kernel holds the addresses.

MASTER advertises at ``adver_at``. Leaving MASTER never removes an address at once: ``Tenure`` holds the set until
another machine claims it. Held addresses outlive the state, hence the tenure sees every event first.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from hafw.vrrp.actions import Action, Notice, SendAdvertisement, Transition
from hafw.vrrp.events import (
    AddressesClaimed,
    AddressesInstalled,
    AdvertReceived,
    Event,
    FaultCleared,
    FaultRaised,
    Shutdown,
    Startup,
    Tick,
)
from hafw.vrrp.peer import Peer
from hafw.vrrp.settings import State
from hafw.vrrp.tenure import Tenure, successor_time

if TYPE_CHECKING:
    from hafw.vrrp.settings import IPAddress, RouterSettings

REPLIES_PER_INTERVAL = 4
"""Bound on the immediate answers of C-FSM-22 and C-FSM-25: no two routers can drive each other (C-SEC-05)."""


class VirtualRouter:
    """One ``[instance.NAME]`` on this host. The protocol's mutable state lives here and in its ``tenure``."""

    def __init__(self, settings: RouterSettings, now: float) -> None:
        self.settings = settings
        self.tenure = Tenure(settings)
        self.state = State.INITIALIZE
        self.reason = "starting"
        self.detail = ""
        self.since = now
        self.priority = settings.priority
        self.primary: IPAddress | None = settings.source_address
        self.master_adver_interval = settings.advertisement_interval
        self.peer: Peer | None = None
        self.down_at = inf
        self.adver_at = inf
        self._preempt_at: float | None = None
        self._forgiven = False
        self._replied_at = -inf
        self._rival: Peer | None = None
        self._rival_since = now

    # -- what others may ask ------------------------------------------------------------------------------------

    @property
    def deadline(self) -> float:
        """When ``Tick`` wants to be called next; ``inf``: never."""
        return min(self.down_at, self.adver_at, self.tenure.deadline, self._rival_deadline)

    @property
    def skew_time(self) -> float:
        """RFC 9568 section 6.1, C-TMR-02; version 2 counts in whole seconds whatever the interval (C-TMR-04)."""
        scale = 1.0 if self.settings.version == 2 else self.master_adver_interval
        return (256 - self.priority) * scale / 256

    @property
    def master_down_interval(self) -> float:
        """RFC 9568 section 6.1, C-TMR-03; keepalived's ``down_timer_adverts`` replaces the 3."""
        return self.settings.down_timer_adverts * self.master_adver_interval + self.skew_time

    @property
    def done(self) -> bool:
        """Out of the election and holding nothing: the process may end."""
        return self.state is State.INITIALIZE and not self.tenure.held

    def set_priority(self, priority: int) -> None:
        """Change the effective priority; a MASTER shows it in its next advert.

        The running timer is shifted by the difference in skew, as keepalived does (C-FSM-35).
        """
        before = self.skew_time
        self.priority = priority
        if self.down_at < inf:
            self.down_at += self.skew_time - before

    def reconfigure(self, settings: RouterSettings, now: float) -> list[Action]:
        """Take new settings of the same router (interface, VRID, version, family) and go on in the same state."""
        before, self.settings = self.settings, settings
        if settings.advertisement_interval != before.advertisement_interval:
            self._change_interval(settings.advertisement_interval, now)
        if settings.source_address is not None:
            self.primary = settings.source_address
        return self.tenure.reconfigure(settings)

    def _change_interval(self, interval: float, now: float) -> None:
        """A MASTER keeps its new word at once; a BACKUP goes on with the interval that a live MASTER advertises."""
        if self.adver_at < inf:
            self.adver_at = min(self.adver_at, now + interval)
        if self.settings.version == 3 and self.peer is not None and self.peer.live(now):
            return
        self.master_adver_interval = interval
        if self.down_at < inf:
            self._listen(now)

    # -- the entrance -------------------------------------------------------------------------------------------

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take one event, return what is to be done, in order."""
        actions = self.tenure.handle(event, now)
        match self.state:
            case State.INITIALIZE:
                return actions + self._initialize(event, now)
            case State.BACKUP:
                return actions + self._backup(event, now)
            case State.MASTER:
                return actions + self._master(event, now)
            case State.FAULT:
                return actions + self._fault(event, now)

    def _initialize(self, event: Event, now: float) -> list[Action]:
        match event:
            case Startup():
                return self._enter(now, "startup")
            case FaultRaised():
                return [self._move(State.FAULT, event.reason, now, event.detail)]
            case _:  # C-FSM-03
                return []

    def _fault(self, event: Event, now: float) -> list[Action]:
        match event:
            case FaultCleared():
                return self._enter(now, event.reason)
            case FaultRaised():
                self.reason, self.detail = event.reason, event.detail
                return []
            case Shutdown():
                return [self._move(State.INITIALIZE, "shutdown", now)]
            case _:  # as in keepalived, a router in FAULT takes no part in the election
                return []

    def _backup(self, event: Event, now: float) -> list[Action]:
        match event:
            case AdvertReceived():
                return self._backup_advert(event, now)
            case Tick():
                return self._backup_tick(now)
            case AddressesInstalled() if self.tenure.bound:
                return self._finish_preemption(now)
            case Shutdown():  # C-FSM-10: no priority 0 is sent
                return self._leave_backup(State.INITIALIZE, "shutdown", now)
            case FaultRaised():
                return self._leave_backup(State.FAULT, event.reason, now, event.detail)
            case _:
                return []

    def _master(self, event: Event, now: float) -> list[Action]:
        match event:
            case AdvertReceived():
                return self._master_advert(event, now)
            case Tick():
                return self._master_tick(now)
            case AddressesClaimed():
                return self._contested(event, now)
            case Shutdown():  # C-FSM-20
                return self._resign(State.INITIALIZE, "shutdown", now)
            case FaultRaised():
                return self._resign(State.FAULT, event.reason, now, event.detail, can_send=event.can_send)
            case _:
                return []

    # -- from state to state ------------------------------------------------------------------------------------

    def _move(
        self, state: State, reason: str, now: float, detail: str = "", peer: IPAddress | None = None
    ) -> Transition:
        old, self.state = self.state, state
        self.reason, self.detail, self.since = reason, detail, now
        return Transition(self.settings.name, old, state, reason, 0, self.priority, detail, peer)

    def _notice(self, kind: str, **fields: str | float) -> Notice:
        return Notice(self.settings.name, kind, fields)

    def _enter(self, now: float, reason: str) -> list[Action]:
        """Join the election from INITIALIZE or FAULT: RFC 9568 section 6.4.1."""
        self.peer = None
        if self.settings.owner:  # C-FSM-01
            return self._become_master(now, "owner")
        self.master_adver_interval = self.settings.advertisement_interval  # C-FSM-02
        self._listen(now)
        return [self._move(State.BACKUP, reason, now)]

    def _listen(self, now: float) -> None:
        """Wait for a MASTER for one whole master_down_interval; the first thing that every BACKUP does.

        So a router that returns never displaces a MASTER that it could not hear yet: nopreempt is sticky.
        """
        self.down_at = now + self.master_down_interval
        self._preempt_at = None
        self._forgiven = False

    def _become_master(self, now: float, reason: str) -> list[Action]:
        """RFC 9568 section 6.4.2, C-FSM-11. The addresses are bound already when a live MASTER is preempted."""
        displaced = self.peer.source if self.peer is not None and self.tenure.installed else None
        install = [] if self.tenure.installed else self.tenure.bind()
        self.down_at, self.adver_at = inf, now + self.settings.advertisement_interval  # C-FSM-32
        advert = SendAdvertisement(self.settings.name, self.priority)
        transition = self._move(State.MASTER, reason, now, peer=displaced)
        return [advert, *install, transition, *self.tenure.serve(now)]

    def _leave_backup(self, state: State, reason: str, now: float, detail: str = "") -> list[Action]:
        self.down_at = inf
        return [*self.tenure.drop(), self._move(state, reason, now, detail)]

    def _yield_to(self, event: AdvertReceived, now: float) -> list[Action]:
        """Give way to a better MASTER, in silence (C-FSM-23, C-FSM-24)."""
        reason = "higher-priority" if event.advert.priority > self.priority else "higher-address"
        self._learn_interval(event.advert.interval)
        self.adver_at = inf
        hold = self.tenure.hold(now, successor_time(event.advert.interval), self._remind)
        self._listen(now)
        return [*self._end_rivalry(now), *hold, self._move(State.BACKUP, reason, now, peer=event.source)]

    def _remind(self, now: float) -> list[Action]:
        """Tell the MASTER that there were two; never one that would give way to us, who are BACKUP."""
        peer = self.peer
        better = peer is not None and peer.live(now) and peer.outranks(self.priority, self.primary)
        return [SendAdvertisement(self.settings.name, self.priority)] if better and self.state is State.BACKUP else []

    def _resign(
        self, state: State, reason: str, now: float, detail: str = "", *, can_send: bool = True
    ) -> list[Action]:
        """Leave MASTER of our own accord: one priority 0, never repeated, and hold until claimed."""
        self.adver_at = inf
        hold = self.tenure.hold(now, self.master_down_interval)
        goodbye = [SendAdvertisement(self.settings.name, 0)] if can_send else []
        over = self._end_rivalry(now)
        return [*goodbye, *hold, *over, self._move(state, reason, now, detail)]

    # -- BACKUP -------------------------------------------------------------------------------------------------

    def _backup_advert(self, event: AdvertReceived, now: float) -> list[Action]:
        """C-FSM-12 to C-FSM-16: equal priority counts as accepted, whatever the address."""
        if event.advert.priority == 0:
            return self._backup_goodbye(event, now)
        self._heard(event, now)
        if event.advert.priority >= self.priority:
            self._preempt_at = None
        elif self._may_preempt(now):  # C-FSM-15: discard, the timer keeps running
            return []
        self._learn_interval(event.advert.interval)
        self._forgiven = False
        self.down_at = now + self.master_down_interval
        return self.tenure.drop()

    def _backup_goodbye(self, event: AdvertReceived, now: float) -> list[Action]:
        """C-FSM-12; from a router that is not the MASTER we hear, it is no goodbye of the MASTER (C-SEC-04)."""
        if self.peer is not None and self.peer.source != event.source and self.peer.live(now):
            return []
        self._heard(event, now)
        self._preempt_at = None
        self.down_at = now + self.skew_time
        return []

    def _may_preempt(self, now: float) -> bool:
        """Preempt_Mode; the owner always (C-FSM-30); not before ``preempt_delay`` has run (C-FSM-37)."""
        if self.settings.owner:
            return True
        if not self.settings.preempt:
            return False
        if self._preempt_at is None:
            self._preempt_at = now + self.settings.preempt_delay
        return now >= self._preempt_at

    def _backup_tick(self, now: float) -> list[Action]:
        if now < self.down_at:
            return []
        late = now - self.down_at
        if late > self.master_adver_interval and not self._forgiven:  # C-TMR-07: our fault, not the MASTER's
            self._forgiven = True
            self.down_at = now + self.master_adver_interval + self.skew_time
            return [self._notice("stall", seconds=round(late, 3))]
        peer = self.peer
        if peer is not None and peer.live(now):
            if peer.priority < self.priority and self._may_preempt(now):
                return self._prepare_preemption(now)
            self._follow(peer)
            if now < self.down_at:
                return self.tenure.drop()
        resigned = peer is not None and peer.priority == 0
        return self._become_master(now, "master-resigned" if resigned else "no-response")

    def _prepare_preemption(self, now: float) -> list[Action]:
        """Bind before we speak. A keeper that is slow is waited for as long as the MASTER lives."""
        self.down_at = now + self.master_adver_interval
        return [] if self.tenure.bound else self.tenure.bind()

    def _finish_preemption(self, now: float) -> list[Action]:
        peer = self.peer
        if peer is not None and peer.live(now) and peer.priority >= self.priority:
            self._follow(peer)
            return self.tenure.drop()
        return self._become_master(now, "preempted")

    def _heard(self, event: AdvertReceived, now: float) -> Peer:
        self.peer = Peer(event.source, event.advert.priority, event.advert.interval, now)
        return self.peer

    def _follow(self, peer: Peer) -> None:
        """Time the MASTER by its last advert: we discarded it while we outranked the sender, and no longer do."""
        self._learn_interval(peer.interval)
        self.down_at = peer.heard_at + self.master_down_interval

    def _learn_interval(self, interval: float) -> None:
        if self.settings.version == 3:  # C-TMR-05; version 2 only accepts its own interval
            self.master_adver_interval = interval

    # -- MASTER -------------------------------------------------------------------------------------------------

    def _master_advert(self, event: AdvertReceived, now: float) -> list[Action]:
        if event.advert.priority == 0:
            return self._master_goodbye(event, now)
        peer = self._heard(event, now)
        if peer.outranks(self.priority, self.primary):
            return self._yield_to(event, now)
        if peer.priority == self.priority and peer.source == self.primary:  # C-FSM-26: never an answer
            return []
        return self._rivalled(peer, now)

    def _master_goodbye(self, event: AdvertReceived, now: float) -> list[Action]:
        """C-FSM-22, as often as C-SEC-05 allows; a rival that gives up is none any more."""
        answer = self._reply(now)
        if answer:
            self.adver_at = now + self.settings.advertisement_interval
        gone = self._rival is not None and self._rival.source == event.source
        return [*answer, *(self._end_rivalry(now) if gone else [])]

    def _rivalled(self, rival: Peer, now: float) -> list[Action]:
        """Hear another MASTER that loses: RFC 9568 answers at once, version 2 only discards (C-FSM-25)."""
        actions = self._reply(now) if self.settings.version == 3 else []
        if self._rival is None:
            self._rival_since = now
            actions.append(self._notice("split_brain", peer=str(rival.source), peer_priority=rival.priority))
        self._rival = rival
        return actions + self.tenure.reannounce(now)

    def _reply(self, now: float) -> list[Action]:
        if now < self._replied_at + self.settings.advertisement_interval / REPLIES_PER_INTERVAL:
            return []
        self._replied_at = now
        return [SendAdvertisement(self.settings.name, self.priority)]

    @property
    def _rival_deadline(self) -> float:
        return inf if self._rival is None else self._rival.heard_at + 3 * self._rival.interval

    def _end_rivalry(self, now: float) -> list[Action]:
        rival, self._rival = self._rival, None
        if rival is None:
            return []
        return [self._notice("split_brain_over", peer=str(rival.source), seconds=round(now - self._rival_since, 3))]

    def _contested(self, event: AddressesClaimed, now: float) -> list[Action]:
        """Somebody answers for our addresses while we are MASTER: say so, and claim them again."""
        notice = self._notice("split_brain", evidence="claim", mac=event.mac, addresses=len(event.addresses))
        return [notice, *self.tenure.reannounce(now)]

    def _master_tick(self, now: float) -> list[Action]:
        actions = self._advertise(now) if now >= self.adver_at else []
        return actions + (self._end_rivalry(now) if now >= self._rival_deadline else [])

    def _advertise(self, now: float) -> list[Action]:
        """C-FSM-21. The next one is due an interval after this one was *due*, so that lateness does not add up."""
        interval = self.settings.advertisement_interval
        late = now - self.adver_at
        advert = SendAdvertisement(self.settings.name, self.priority)
        if late < interval:
            self.adver_at += interval
            return [advert]
        self.adver_at = now + interval
        return [advert, self._notice("stall", seconds=round(late, 3)), *self.tenure.reannounce(now)]
