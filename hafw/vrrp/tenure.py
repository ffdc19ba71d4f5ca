"""What one router does with its addresses: bind, announce, put back, hold until claimed.

The election decides *that*; this decides *how*. Pure, like the router that owns it: events and the time go in,
actions come out, ``deadline`` says when it wants a ``Tick``.

Addresses are wanted in one of three ways. ``bound``: they are to be there; somebody removing them is answered.
``held``: they stay, answering, until another machine claims them or ``hold_until`` has passed; never put back.
Neither: they are to be gone. While ``serving`` (the router is MASTER) bound addresses are announced.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from hafw.vrrp.actions import Action, Announce, Notice, SetAddresses
from hafw.vrrp.events import AddressesClaimed, AddressesInstalled, AddressesLost, AdvertReceived, Event, Suspended, Tick

if TYPE_CHECKING:
    from collections.abc import Callable

    from hafw.vrrp.settings import IPAddress, RouterSettings

HOLD_AFTER_SUCCESSOR = 0.5
"""Seconds, and at most one of the successor's intervals: how long we wait for its claim after its first advert."""
RESTORE_FREE = 3
"""Removals of our addresses within ``RESTORE_WINDOW`` that are answered at once; then we back off."""
RESTORE_WINDOW = 60.0
RESTORE_BACKOFF = 0.25
RESTORE_LIMIT = 12
"""Removals within the window after which the Node gives up: FAULT."""
NAMES_SHOWN = 4


class Tenure:
    """The addresses of one router, from binding to release."""

    def __init__(self, settings: RouterSettings) -> None:
        self.settings = settings
        self.bound = False
        self.installed = False
        self.serving = False
        self.held: tuple[IPAddress, ...] = ()
        self.hold_until = inf
        self.claimed = False
        """Whether all that was last held was claimed by others."""
        self._when_over: Callable[[float], list[Action]] | None = None
        self._awaits_successor = False
        self._hold_seconds = 0.0
        self._served_from: float | None = None
        self._announced = 0
        self._announce_from = 0.0
        self._announce_at = inf
        self._reannounced_at = -inf
        self._lost_at: float | None = None
        self._losses: list[float] = []
        self._restore_at = inf

    @property
    def deadline(self) -> float:
        """When ``Tick`` wants to be called next; ``inf``: never."""
        return min(self.hold_until, self._announce_at, self._restore_at)

    @property
    def exhausted(self) -> bool:
        """Somebody removes the addresses faster than it makes sense to put them back."""
        return len(self._losses) >= RESTORE_LIMIT

    # -- what the election says ---------------------------------------------------------------------------------

    def bind(self) -> list[Action]:
        """Want every address in the kernel; what was held is wanted again."""
        self.bound, self.installed = True, False
        self.held, self.hold_until = (), inf
        self._losses, self._lost_at = [], None
        return [self._set()]

    def serve(self, now: float, *, took_over: bool = True) -> list[Action]:
        """The router is MASTER now: announce as soon as the addresses are installed.

        ``took_over``: whether that is news; not when the addresses were never away.
        """
        self.serving, self._served_from = True, now if took_over and not self.installed else None
        if not self.installed:
            return []
        return [*self._announce_anew(now), Notice(self.settings.name, "takeover_complete", {"seconds": 0.0})]

    def hold(
        self, now: float, seconds: float, when_over: Callable[[float], list[Action]], *, has_successor: bool = False
    ) -> list[Action]:
        """Stop serving; keep answering until claimed, at most ``seconds``.

        Without a successor the first advert of one shortens the wait. With one there is a better MASTER, who may not
        know that there were two (a partition healed, and it spoke first) and so does not announce. ``when_over`` is
        asked when the time is over and something is unclaimed: it may ``hold_on``, once, or ``bind`` again; else the
        addresses are released. It is asked only then, because much may have changed.
        """
        self._stop()
        self.held, self.hold_until = self.settings.all_addresses, now + seconds
        self._hold_seconds, self.claimed = seconds, False
        self._when_over = when_over
        self._awaits_successor = not has_successor
        return [self._set()]

    def hold_on(self, now: float, seconds: float | None = None, *, said: bool = True) -> list[Action]:
        """Answer on, as long again or so many ``seconds``; ``said``, unless something else is: silence is neglect."""
        self.hold_until = now + (self._hold_seconds if seconds is None else seconds)
        return [self._set()] if said else []

    def drop(self) -> list[Action]:
        """Undo a ``bind`` before it served anybody."""
        if not self.bound:
            return []
        self._stop()
        return [self._set()]

    def reconfigure(self, settings: RouterSettings) -> list[Action]:
        """Take new settings; addresses that changed while bound are wanted at once."""
        before, self.settings = self.settings.all_addresses, settings
        if not self.bound or before == settings.all_addresses:
            return []
        self.installed, self._announce_at = False, inf  # C-ARP-07
        return [self._set()]

    def reannounce(self, now: float) -> list[Action]:
        """Announce from the beginning of the list, but not more often than once an interval."""
        if not self.installed or now < self._reannounced_at + self.settings.advertisement_interval:
            return []
        self._reannounced_at = now
        return self._announce_anew(now)

    # -- what happens to them -----------------------------------------------------------------------------------

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take one event; called before the state machine sees it."""
        match event:
            case Tick():
                return self._tick(now)
            case AddressesInstalled() if self.bound and not self.installed:
                return self._confirmed(now)
            case AddressesLost() if self.bound:
                return self._restore(event, now)
            case AddressesClaimed() if self.held:
                return self._claimed(event, now)
            case AdvertReceived() if self.held and self._awaits_successor and event.advert.priority > 0:
                self._awaits_successor = False
                self.hold_until = now + successor_time(event.advert.interval)
                return []
            case Suspended():
                self.hold_until -= event.seconds
                return []
            case _:
                return []

    def _tick(self, now: float) -> list[Action]:
        if now >= self.hold_until:
            return self._time_is_over(now)
        actions: list[Action] = []
        if now >= self._restore_at:
            self._restore_at = inf
            actions.append(self._set())
        if now >= self._announce_at:
            self._schedule(now)
            actions.append(Announce(self.settings.name))
        return actions

    def _claimed(self, event: AddressesClaimed, now: float) -> list[Action]:
        """Release these. A successor that claims some is at work on the rest: thousands may take it a while."""
        claimed = frozenset(event.addresses)  # of thousands held, hundreds are claimed at once
        before, self.held = self.held, tuple(each for each in self.held if each not in claimed)
        self.claimed = not self.held
        if self.held == before:
            return []
        self.hold_until = max(self.hold_until, now + successor_time(self.settings.advertisement_interval))
        return self._let_go(f"claimed by {event.mac}")

    def _time_is_over(self, now: float) -> list[Action]:
        when_over, self._when_over = self._when_over, None
        actions = when_over(now) if when_over is not None else []
        if now < self.hold_until:  # held on, or bound again
            return actions
        self.held = ()
        return actions + self._let_go("nobody took over" if self._awaits_successor else "not claimed in time")

    def _confirmed(self, now: float) -> list[Action]:
        self.installed = True
        lost_at, self._lost_at = self._lost_at, None
        if not self.serving:
            return []
        served_from, self._served_from = self._served_from, None
        actions = self._announce_anew(now)
        if served_from is not None:
            actions.append(Notice(self.settings.name, "takeover_complete", {"seconds": round(now - served_from, 4)}))
        elif lost_at is not None:
            actions.append(Notice(self.settings.name, "vip_restored", {"seconds": round(now - lost_at, 4)}))
        return actions

    def _restore(self, event: AddressesLost, now: float) -> list[Action]:
        """Put back what somebody removed, at once the first times, then ever more slowly."""
        self._losses = [at for at in self._losses if at > now - RESTORE_WINDOW] + [now]
        self.installed, self._announce_at = False, inf  # nothing is announced that is not there (C-ARP-07)
        self._lost_at = now if self._lost_at is None else self._lost_at
        names = ", ".join(str(address) for address in event.addresses[:NAMES_SHOWN])
        fields: dict[str, str | float] = {"addresses": names, "count": len(event.addresses)}
        if event.culprit:
            fields["culprit"] = event.culprit
        notice = Notice(self.settings.name, "vip_lost", fields)
        excess = len(self._losses) - RESTORE_FREE
        if excess <= 0:
            return [self._set(), notice]
        self._restore_at = now + RESTORE_BACKOFF * excess
        return [notice]

    def _let_go(self, outcome: str) -> list[Action]:
        if self.held:
            return [self._set()]
        self.hold_until = inf
        return [self._set(), Notice(self.settings.name, "vip_released", {"outcome": outcome})]

    def _stop(self) -> None:
        self.bound = self.installed = self.serving = False
        self.held, self.hold_until = (), inf
        self._announce_at = self._restore_at = inf
        self._losses = []

    def _set(self) -> SetAddresses:
        every = self.settings.all_addresses if self.bound else ()
        return SetAddresses(self.settings.name, bound=every, held=self.held)

    # -- announcements ------------------------------------------------------------------------------------------

    def _announce_anew(self, now: float) -> list[Action]:
        self._announced, self._announce_from = 0, now
        self._schedule(now)
        return [Announce(self.settings.name)]

    def _schedule(self, now: float) -> None:
        """Set when the next announcement is due, the one at ``now`` being made; it stands for all that were missed."""
        self._announced += 1
        repeat, refresh = self.settings.announce_repeat, self.settings.announce_refresh
        while self._announced < len(repeat) and self._announce_from + repeat[self._announced] <= now:
            self._announced += 1
        if self._announced < len(repeat):
            self._announce_at = self._announce_from + repeat[self._announced]
        else:
            self._announce_at = now + refresh if refresh else inf


def successor_time(interval: float) -> float:
    """Seconds that a successor has, after its first advert, to claim the addresses (C-ARP-04 deviates for them)."""
    return min(interval, HOLD_AFTER_SUCCESSOR)
