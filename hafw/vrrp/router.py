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
BACKUP waits for its ``listener``'s ``down_at``. Every advert that we accept moves it (C-FSM-13); lower ones do not
when we preempt (C-FSM-15), so preemption and takeover are the same deadline. They differ in one thing: after silence
nobody owns the address, so the advert goes first; a live MASTER still owns it, so we *bind* first, while BACKUP, and
only speak when the kernel holds the addresses.

MASTER advertises through its ``speaker``. Leaving MASTER never removes an address at once: ``Tenure`` holds the set
until another machine claims it. Held addresses outlive the state, hence the tenure sees every event first.

Two kinds of MASTER do not advertise as the others do. One that is ``handing_over`` has said goodbye and is silent
until a successor speaks; if none does, it goes on. One that is ``degraded`` has a failed check and nobody to relieve
it: it advertises priority 1 and, once per master_down_interval, 0, so that any healthy router takes over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hafw.vrrp.actions import Action, SendAdvertisement, Transition
from hafw.vrrp.departure import Departure
from hafw.vrrp.events import (
    AddressesClaimed,
    AddressesInstalled,
    AdvertReceived,
    Event,
    FaultCleared,
    FaultRaised,
    MaintenanceChanged,
    ReleaseAsked,
    Resumed,
    Shutdown,
    Startup,
    Suspended,
    Tick,
)
from hafw.vrrp.settings import State
from hafw.vrrp.speaker import LAST_RESORT_PRIORITY
from hafw.vrrp.standing import Standing
from hafw.vrrp.tenure import successor_time

if TYPE_CHECKING:
    from hafw.vrrp.settings import IPAddress, RouterSettings


class VirtualRouter(Standing):
    """One ``[instance.NAME]`` on this host, and how it moves from state to state."""

    def reconfigure(self, settings: RouterSettings, now: float) -> list[Action]:
        """Take new settings of the same router (interface, VRID, version, family) and go on in the same state."""
        self.settings = settings
        self.speaker.reconfigure(settings, now)
        if settings.source_address is not None:
            self.primary = settings.source_address
        self.listener.reconfigure(settings, now)
        return self.tenure.reconfigure(settings)

    # -- the entrance -------------------------------------------------------------------------------------------

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take one event, return what is to be done, in order."""
        self._note(event, now)
        actions = self.tenure.handle(event, now)
        match self.state:
            case State.BACKUP:
                actions = actions + self._backup(event, now)
            case State.MASTER:
                actions = actions + self._master(event, now)
            case State.FAULT:
                actions = actions + self._in_fault(event, now)
            case State.INITIALIZE:
                actions = actions + self._initialize(event, now)
        return self._concluded(actions, now)

    def _concluded(self, actions: list[Action], now: float) -> list[Action]:
        leaving = self._departure
        return actions if leaving is None or self.tenure.held else actions + self._departed(leaving, now)

    def _note(self, event: Event, now: float) -> None:
        """What holds in every state."""
        match event:
            case AdvertReceived():
                if self._departure is not None and event.advert.priority > 0:
                    self._departure.heard(event.source, now)
            case MaintenanceChanged():
                self.listener.maintenance, self.listener.deferring = event.on, False
                if self._departure is not None:  # no longer for nobody's sake
                    self._departure.force &= event.on
            case FaultRaised():
                self._fault = event
            case FaultCleared() | Shutdown():
                self._fault = None
            case Suspended():  # everything is later than it looks
                self.since -= event.seconds
                self.listener.shift(event.seconds, now)
                self.speaker.shift(event.seconds)

    def _initialize(self, event: Event, now: float) -> list[Action]:
        match event:
            case Startup():
                return self._enter(now, "startup")
            case Resumed():
                return self._resume(event, now)
            case FaultRaised():
                return [self._move(State.FAULT, event.reason, now, event.detail)]
            case AdvertReceived():
                self.listener.overhear(event, now)
                return []
            case _:  # C-FSM-03
                return []

    def _in_fault(self, event: Event, now: float) -> list[Action]:
        match event:
            case FaultCleared():
                return self._enter(now, event.reason)
            case FaultRaised():
                self.reason, self.detail = event.reason, event.detail
                return []
            case Shutdown():
                return [self._move(State.INITIALIZE, "shutdown", now)]
            case AdvertReceived():  # as in keepalived, a router in FAULT takes no part in the election
                self.listener.overhear(event, now)
                return []
            case _:
                return []

    def _backup(self, event: Event, now: float) -> list[Action]:
        match event:
            case AdvertReceived() if event.advert.priority == 0:
                self.listener.take_goodbye(event, now)
                return []
            case AdvertReceived():
                return self.tenure.drop() if self.listener.take(event, now) else []
            case Tick():
                return self._backup_tick(now)
            case AddressesInstalled() if self.tenure.bound:
                return self._finish_preemption(now)
            case Shutdown():  # C-FSM-10: no priority 0 is sent
                return self._leave(State.INITIALIZE, "shutdown", now)
            case FaultRaised():
                return self._leave(State.FAULT, event.reason, now, event.detail)
            case MaintenanceChanged():
                self.listener.listen(now)
                return self.tenure.drop()
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
                return self._stricken(event, now)
            case FaultCleared():
                return self._recover(event.reason, now)
            case ReleaseAsked():
                return self._release(now, force=event.force)
            case MaintenanceChanged(on=True):
                return self._release(now, force=True)
            case _:
                return []

    # -- from state to state ------------------------------------------------------------------------------------

    def _enter(self, now: float, reason: str) -> list[Action]:
        """Join the election from INITIALIZE or FAULT: RFC 9568 section 6.4.1.

        An owner that keeps failing takes over once an interval; others wait longer than that anyway.
        """
        self.listener.join(now)
        if self.settings.owner and not (self.listener.maintenance or self.listener.deferring):  # C-FSM-01
            if now >= self.listener.again_at:
                return self._become_master(now, "owner")
            self.listener.down_at = self.listener.again_at
        return [self._move(State.BACKUP, reason, now)]

    def _become_master(self, now: float, reason: str) -> list[Action]:
        """RFC 9568 section 6.4.2, C-FSM-11. The addresses are bound already when a live MASTER is preempted."""
        displaced = self.peer.source if self.peer is not None and self.tenure.installed else None
        install = [] if self.tenure.installed else self.tenure.bind()
        self.listener.serve(now)
        first = [self.speaker.begin(now), *install][:: -1 if self.settings.virtual_mac else 1]
        return [*first, self._move(State.MASTER, reason, now, peer=displaced), *self.tenure.serve(now)]

    def _leave(self, state: State, reason: str, now: float, detail: str = "") -> list[Action]:
        self.listener.rest()
        return [*self.tenure.drop(), self._move(state, reason, now, detail)]

    def _give_way(self, event: AdvertReceived, reason: str, now: float) -> list[Action]:
        """Give way to another MASTER, in silence (C-FSM-23, C-FSM-24)."""
        self.listener.learn_interval(event.advert.interval)
        over = self.speaker.fall_silent(now)
        hold = self.tenure.hold(now, successor_time(event.advert.interval), self._remind, has_successor=True)
        return [*over, *hold, self._withdraw(reason, now, event.source)]

    def _withdraw(self, reason: str, now: float, peer: IPAddress | None, detail: str = "") -> Transition:
        """From MASTER to listening, or to FAULT while there is a cause."""
        if self._fault is not None:
            return self._move(State.FAULT, self._fault.reason, now, self._fault.detail, peer)
        self.listener.listen(now)
        return self._move(State.BACKUP, reason, now, detail, peer)

    def _remind(self, now: float) -> list[Action]:
        """Tell the MASTER that there were two: with a priority that nobody gives way to, for we are BACKUP."""
        if self.state is not State.BACKUP or not self.listener.hears_better(self.primary, now):
            return []
        return [*self.tenure.hold_on(now, said=False), SendAdvertisement(self.settings.name, LAST_RESORT_PRIORITY)]

    def _resign(
        self, state: State, reason: str, now: float, detail: str = "", *, can_send: bool = True
    ) -> list[Action]:
        """Leave MASTER of our own accord: one priority 0, never repeated, and hold until claimed."""
        said, self.handing_over = self.handing_over, False
        if said:  # a repeat would restart the peers' skew; who has joined since did not hear it and waits its time
            return [*self.tenure.hold_on(now, self._time_to_notice), self._move(state, reason, now, detail)]
        goodbye = self.speaker.goodbye(can_send=can_send)
        leave = self._depart(Departure(now, silent=not can_send), now)
        started = [self._notice("handover_started", planned=state is State.INITIALIZE)] if can_send else []
        return [*goodbye, *leave, self._move(state, reason, now, detail), *started]

    # -- handover and last resort -------------------------------------------------------------------------------

    @property
    def _time_to_relieve(self) -> float:
        """Seconds that the others need to take over after a goodbye."""
        return self.listener.master_down_interval

    @property
    def _time_to_notice(self) -> float:
        """Seconds that the others need to take over if they have heard no goodbye, whatever their priority."""
        return max(self._time_to_relieve, self.listener.longest_patience)

    @property
    def _is_last_resort(self) -> bool:
        fault = self._fault
        return self.state is State.FAULT and fault is not None and fault.last_resort and not self.listener.maintenance

    def _depart(self, departure: Departure, now: float) -> list[Action]:
        self._departure = departure
        hold = self.tenure.hold(now, self._time_to_relieve, self._unrelieved)
        return [*hold, *self.speaker.fall_silent(now)]

    def _release(self, now: float, *, force: bool) -> list[Action]:
        """Hand over while all is well; the state follows when a successor speaks."""
        if self.handing_over and self._departure is not None:
            self._departure.force |= force
            return self.tenure.hold_on(now, self._time_to_notice) if force else []
        self.handing_over = True
        leave = self._depart(Departure(now, force=force), now)
        return [SendAdvertisement(self.settings.name, 0), *leave, self._notice("handover_started", planned=True)]

    def _defer(self, now: float, successor: IPAddress | None) -> Transition:
        """Give the role away, and do not want it back while the successor lives."""
        self.handing_over, self.listener.deferring = False, True
        return self._withdraw("maintenance" if self.listener.maintenance else "handover", now, successor)

    def _departed(self, departure: Departure, now: float) -> list[Action]:
        """Everything was released, or taken back: say how it went."""
        self._departure = None
        # Still MASTER, without an address: all were claimed before an advert was heard, or it was to go by force.
        left = [self._defer(now, None)] if self.handing_over else []
        return [*left, *departure.complete(self.settings.name, now, claimed=self.tenure.claimed)]

    def _unrelieved(self, now: float) -> list[Action]:
        """The time to be relieved is over, and some addresses are still here."""
        departure = self._departure
        if departure is None or departure.successor is not None:
            return []
        if self.state is State.BACKUP and not self.listener.maintenance:  # well again: answer until we are MASTER
            return self.tenure.hold_on(now)
        goes_on = self.handing_over and not departure.force
        return self._go_on(now) if goes_on or self._is_last_resort else []

    def _go_on(self, now: float) -> list[Action]:
        if not self.handing_over:
            return self._degrade(now)
        self.handing_over = False
        return self._serve_on(now)

    def _serve_on(self, now: float) -> list[Action]:
        """Be MASTER of addresses that were never away."""
        advert = self.speaker.begin(now, degraded=self._fault is not None)
        return [advert, *self.tenure.bind(), *self.tenure.serve(now, took_over=False)]

    def _resume(self, event: Resumed, now: float) -> list[Action]:
        """Go on where a dead daemon stopped: the peers still wait for its next advert."""
        silence, patience = now - event.last_advert_at, self.settings.down_timer_adverts
        if silence >= patience * self.settings.advertisement_interval or self.listener.maintenance:
            return []
        self.primary, self.since = event.primary, event.since
        self.state, self.reason, self.detail = State.MASTER, "resumed", ""
        heard = silence if event.silence is None else event.silence
        return [*self._serve_on(now), self._notice("resumed", silence=round(heard, 3), cause=event.cause)]

    def _stricken(self, fault: FaultRaised, now: float) -> list[Action]:
        if self.degraded and fault.last_resort:
            self.detail = fault.detail
            return []
        return self._resign(State.FAULT, fault.reason, now, fault.detail, can_send=fault.can_send)

    def _degrade(self, now: float) -> list[Action]:
        detail = "" if self._fault is None else self._fault.detail
        told = self._notice("degraded", on=True, detail=detail)
        return [*self._serve_on(now), self._move(State.MASTER, "last-resort", now, detail), told]

    def _recover(self, reason: str, now: float) -> list[Action]:
        if not self.degraded:
            return []
        self.reason, self.detail = reason, ""
        return [self.speaker.begin(now), self._notice("degraded", on=False)]

    # -- BACKUP -------------------------------------------------------------------------------------------------

    def _backup_tick(self, now: float) -> list[Action]:
        listener = self.listener
        if now < listener.down_at:
            return []
        if late := listener.forgive(now):  # our fault, not the MASTER's
            return [self._notice("stall", seconds=round(late, 3))]
        if listener.maintenance:
            listener.listen(now)
            return []
        return self._expired(now)

    def _expired(self, now: float) -> list[Action]:
        """Nothing speaks against taking over any more."""
        listener = self.listener
        if listener.hears_lower(now) and listener.may_preempt(now):
            listener.wait(listener.master_adver_interval, now)  # a keeper that is slow is waited for
            return [] if self.tenure.bound else self.tenure.bind()
        if listener.follow(now) and now < listener.down_at:
            return self.tenure.drop()
        return self._become_master(now, self._vacancy)

    @property
    def _vacancy(self) -> str:
        """Why nobody is MASTER."""
        if self.peer is None:
            return "owner" if self.settings.owner else "no-response"
        return "master-resigned" if self.peer.priority == 0 else "no-response"

    def _finish_preemption(self, now: float) -> list[Action]:
        if not self.listener.hears_lower(now) and self.listener.follow(now):
            return self.tenure.drop()
        return self._become_master(now, "preempted")

    # -- MASTER -------------------------------------------------------------------------------------------------

    def _master_advert(self, event: AdvertReceived, now: float) -> list[Action]:
        if event.advert.priority == 0:
            return [] if self.handing_over else self.speaker.answer_goodbye(event.source, now)
        peer = self.listener.heard(event, now)
        if self.handing_over:
            self.listener.learn_interval(event.advert.interval)
            return [self._defer(now, event.source)]
        if peer.priority == self.speaker.priority and peer.source == self.primary:  # C-FSM-26: never an answer
            return []
        if late := self.speaker.late(now):
            return [self._notice("stall", seconds=round(late, 3)), *self._give_way(event, "paused", now)]
        if peer.outranks(self.speaker.priority, self.primary):
            higher = "higher-priority" if peer.priority > self.speaker.priority else "higher-address"
            return self._give_way(event, higher, now)
        return [*self.speaker.answer_rival(peer, now), *self.tenure.reannounce(now)]

    def _contested(self, event: AddressesClaimed, now: float) -> list[Action]:
        """Somebody answers for our addresses while we are MASTER: say so, and claim them again."""
        if self.handing_over:
            return []
        return [*self.speaker.hear_claim(event, now), *self.tenure.reannounce(now)]

    def _master_tick(self, now: float) -> list[Action]:
        late = self.speaker.late(now)  # whoever took over meanwhile and is gone again has told the neighbours otherwise
        return [*self.speaker.tick(now), *(self.tenure.reannounce(now) if late else [])]
