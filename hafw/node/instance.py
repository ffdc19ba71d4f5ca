"""One virtual router of this host with its health: rise and fall, and the causes that keep it from serving.

Everything that keeps a router from serving (link, primary address, refused addresses, critical checks) is a *cause*. A
router is in FAULT while it has one; the first one, in order of appearance, is its reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from hafw.node.flapping import Damping
from hafw.node.settings import PRIORITY_MAX, PRIORITY_MIN
from hafw.vrrp.actions import Action, Notice
from hafw.vrrp.events import (
    AddressesInstalled,
    AddressesLost,
    AddressesRefused,
    AdvertReceived,
    Event,
    FaultCleared,
    FaultRaised,
    LinkChanged,
    PlanReported,
    ReleaseAsked,
    Resumed,
    Shutdown,
    Startup,
    Tick,
    VerdictReported,
)
from hafw.vrrp.member import Member
from hafw.vrrp.settings import State

if TYPE_CHECKING:
    from hafw.node.settings import CheckSettings, InstanceSettings

RETRY_FIRST = 5.0
"""Seconds in FAULT after the kernel refused an address, before it is tried again; doubles up to ``RETRY_MAX``."""
RETRY_MAX = 300.0
GROUP = "group"
"""The key of the cause that is another member's of the sync group."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a router cannot serve."""

    reason: str
    detail: str
    is_opinion: bool = False
    """A check says so, and may be wrong: what fails everywhere proves nothing, and somebody has to serve."""


@dataclass(slots=True)
class CheckStatus:
    """One check of one router: the verdict that counts, and the last one that came."""

    settings: CheckSettings
    healthy: bool | None = None
    """``None``: it has never answered."""
    streak: int = 0
    """Consecutive verdicts that contradict ``healthy``."""
    factor: int | None = None
    """Of the last verdict: a number that somebody set counts at once."""
    detail: str = ""
    duration: float = 0.0
    at: float = 0.0

    def count(self, event: VerdictReported, now: float) -> bool:
        """Take a verdict; tell whether anything changed. The first verdict decides alone, as in keepalived."""
        self.detail, self.duration, self.at = event.detail, event.duration, now
        weighed, self.factor = self.factor, event.factor
        if event.healthy == self.healthy:
            self.streak = 0
            return self.factor != weighed
        self.streak += 1
        needed = self.settings.rise if event.healthy else self.settings.fall
        if self.healthy is not None and not event.immediate and self.streak < needed:
            return self.factor != weighed
        self.healthy, self.streak = event.healthy, 0
        return True

    @property
    def weight_now(self) -> int:
        """What it adds to the priority at this moment; nothing when it is a cause, as in keepalived."""
        return 0 if self.failed else self._amount

    @property
    def failed(self) -> bool:
        """Whether it keeps its router from serving: critical, or a number that leaves no priority at all."""
        return self.healthy is False and (self.settings.critical or self._amount <= -PRIORITY_MAX)

    @property
    def _amount(self) -> int:
        if self.settings.critical or self.healthy is None:
            return 0
        times = (self.healthy == (self.settings.weight > 0)) if self.factor is None else self.factor
        return self.settings.weight * times


class Instance:
    """A virtual router with its checks and the causes that keep it from serving."""

    def __init__(self, settings: InstanceSettings, now: float) -> None:
        self.settings = settings
        self.name = settings.router.name
        self.router = Member(settings.router, now)
        self.checks = {check.name: CheckStatus(check) for check in settings.checks}
        self.causes: dict[str, Cause] = {}
        self.wanted = False
        self.link_known = False
        self.quiet_since = now
        """When the link came up, or an advert was last heard: nobody was MASTER since."""
        self.planned = False
        self.delayed_until = inf
        """When ``startup_delay`` is over; it does not join before. ``inf``: nothing is waited for."""
        self.retry_at = inf
        self._retry_after = RETRY_FIRST
        self._failed_at = -inf
        self.damping = Damping()
        self._release: tuple[ReleaseAsked, float] | None = None
        """Asked for in the state that began then."""

    @property
    def deadline(self) -> float:
        """When ``Tick`` wants to be called next; ``inf``: never."""
        return min(self.router.deadline, self.retry_at, self.damping.deadline, self.delayed_until)

    @property
    def waits_for(self) -> str:
        """What is missing before it can join the election, in words; empty: nothing."""
        if not self.link_known:
            return f"news of {self.settings.router.interface}"
        if self.delayed_until < inf:
            return "the end of startup_delay"
        if not self.planned:
            return "the takeover plan"
        unknown = [name for name, check in self.checks.items() if check.settings.critical and check.healthy is None]
        return f"the first verdict of check {unknown[0]}" if unknown else ""

    @property
    def waits_for_now(self) -> str:
        """``waits_for`` while it does keep the router out of the election, for the status."""
        outside = self.wanted and self.router.state in {State.INITIALIZE, State.FAULT} and not self.causes
        return f"waits for {self.waits_for}" if outside and self.waits_for else ""

    # -- for the sync group -------------------------------------------------------------------------------------

    @property
    def network(self) -> tuple[str, int]:
        """Where a router has one address: interface and family."""
        return self.settings.router.interface, self.settings.router.family

    @property
    def own_causes(self) -> list[Cause]:
        """Without what another member of the group is the cause of."""
        return [cause for key, cause in self.causes.items() if key != GROUP]

    def share(self, cause: Cause | None, now: float) -> list[Action]:
        """Serve only while no other member of the group has a cause."""
        if self.causes.get(GROUP) == cause:
            return []
        self._set_cause(GROUP, cause)
        return self._settle(now)

    @property
    def can_release(self) -> bool:
        """What is not there yet cannot be held until it is claimed: a MASTER first takes over, then hands over."""
        tenure = self.router.tenure
        return tenure.installed or not tenure.bound

    def release(self, now: float) -> list[Action]:
        """Hand over, if that was asked for in this term."""
        asked, self._release = self._release, None
        return self.router.handle(asked[0], now) if asked is not None and asked[1] == self.router.since else []

    def stance(self, now: float) -> tuple[object, ...]:
        """All that the group looks at: nothing is to be done while it is the same for every member."""
        router = self.router
        position = router.state, router.willing, router.listener.down_at == inf, router.unrelieved, router.follows(now)
        return (*position, router.tenure.installed, router.priority, tuple(self.own_causes), self._release)

    # -- events -------------------------------------------------------------------------------------------------

    def handle(self, event: Event, now: float) -> list[Action]:
        """Take one event that concerns this instance."""
        match event:
            case AdvertReceived():
                self.quiet_since = now
                return self.router.handle(event, now)
            case Tick():
                return self._tick(event, now)
            case Startup() | Shutdown():
                return self._want(event, now)
            case Resumed():
                return self._resume(event, now)
            case LinkChanged():
                return self._link(event, now)
            case PlanReported():
                self.planned = True
                self._set_cause("plan", Cause("no-takeover-plan", event.problem) if event.problem else None)
                return self._settle(now)
            case VerdictReported():
                return self._verdict(event, now)
            case ReleaseAsked() | AddressesInstalled():
                return self._release_when_installed(event, now)
            case AddressesRefused() | AddressesLost():
                return self._lost(event, now)
            case _:
                return self.router.handle(event, now)

    def reconfigure(self, settings: InstanceSettings, now: float) -> list[Action]:
        """Take new settings of the same router. Checks that stay keep their verdict, new ones count as unknown."""
        if settings.router.all_addresses != self.settings.router.all_addresses:  # what was refused may be gone
            self._forget_refusal()
        if settings.router.group != self.settings.router.group:
            self._set_cause(GROUP, None)
        self.settings, before = settings, self.checks
        self.checks = {check.name: before.get(check.name, CheckStatus(check)) for check in settings.checks}
        for name in before.keys() - self.checks.keys():
            self._set_cause(f"check {name}", None)
        for check in settings.checks:
            self.checks[check.name].settings = check
            self._judge(self.checks[check.name])
        actions = self.router.reconfigure(settings.router, now)
        self._weigh()
        return actions + self._settle(now)

    def _want(self, event: Startup | Shutdown, now: float) -> list[Action]:
        self.wanted = isinstance(event, Startup)
        if isinstance(event, Startup):
            self.router.listener.deferring |= event.deferring
            self.delayed_until = now + event.delay if event.delay > 0 else inf
            return self._settle(now)
        self.retry_at, self.delayed_until = inf, inf
        return self.router.handle(event, now)

    def _resume(self, event: Resumed, now: float) -> list[Action]:
        """Know what the dead daemon knew; a critical check that failed leaves nothing to resume."""
        for name, healthy in event.verdicts.items():
            if name in self.checks:
                self.checks[name].healthy = healthy
                self._judge(self.checks[name])
        self._weigh()
        actions = [] if self.causes else self.router.handle(event, now)
        self.wanted = self.router.state is State.MASTER
        return actions

    def _weigh(self) -> None:
        """Effective priority: configured plus weights, within 1 and 254; an owner's never changes."""
        settings = self.router.settings
        total = settings.priority + sum(each.weight_now for each in self.checks.values())
        bounded = max(PRIORITY_MIN, min(PRIORITY_MAX, total))
        self.router.listener.set_priority(settings.priority if settings.owner else bounded)

    def _tick(self, event: Tick, now: float) -> list[Action]:
        actions = self.router.handle(event, now) if now >= self.router.deadline else []
        if now >= self.delayed_until:
            self.delayed_until = inf
            actions = actions + self._settle(now)
        if now >= self.retry_at:
            self._forget_refusal()
            actions = actions + self._settle(now)
        return actions

    def _settle(self, now: float, *, can_send: bool = True) -> list[Action]:
        """Bring the router to what its causes say: in FAULT while there is one."""
        router = self.router
        if not self.wanted:
            return []
        if self.causes:
            cause = next(iter(self.causes.values()))
            last_resort = router.settings.last_resort and all(each.is_opinion for each in self.causes.values())
            raised = FaultRaised(router.settings.name, cause.reason, cause.detail, can_send, last_resort)
            return router.handle(raised, now)
        serves = router.degraded or router.handing_over  # which may have begun degraded
        if self.waits_for and not serves:
            return []
        if router.state is State.FAULT or serves:
            return router.handle(FaultCleared(self.name, "recovered"), now)
        if router.state is State.INITIALIZE:
            actions = router.handle(Startup(self.name), now)
            router.listener.count_from(self.quiet_since, now)
            return actions
        return []

    def _link(self, event: LinkChanged, now: float) -> list[Action]:
        returned = not self.link_known or not self.causes.keys().isdisjoint({"link", "primary"})
        self.link_known, self.quiet_since = True, now
        settings = self.router.settings
        primary = settings.source_address or event.primary.get(settings.family)
        up = event.up or not settings.track_primary
        self._set_cause("link", None if up else Cause("interface-down", f"{event.interface} {event.problem}"))
        missing = up and event.primary.get(settings.family) is None
        detail = f"{event.interface} has no IPv{settings.family} address of its own"
        self._set_cause("primary", Cause("no-primary-address", detail) if missing else None)
        if up and not missing and (returned or primary != self.router.primary):
            self.router.primary = primary
            self._forget_refusal()  # what did not fit may fit now
        return self._settle(now, can_send=event.up and not missing)

    def _verdict(self, event: VerdictReported, now: float) -> list[Action]:
        check = self.checks.get(event.check)
        if check is None or not check.count(event, now):
            return []
        healthy = bool(check.healthy)
        notice = Notice(self.name, "check_changed", {"check": event.check, "healthy": healthy, "detail": event.detail})
        self._judge(check)
        self._weigh()
        return [notice, *self._settle(now)]

    def _judge(self, check: CheckStatus) -> None:
        """Make a cause of a check that keeps this router from serving."""
        name = check.settings.name
        cause = Cause("check-failed", f"check {name}: {check.detail}", is_opinion=True)
        self._set_cause(f"check {name}", cause if check.failed else None)

    def _release_when_installed(self, event: ReleaseAsked | AddressesInstalled, now: float) -> list[Action]:
        """At once, or when the addresses are there; in a sync group when those of all members are."""
        if isinstance(event, ReleaseAsked):
            actions = list[Action]()
            self._release = (event, self.router.since)
        else:
            actions = self.router.handle(event, now)
        if self.settings.router.group or not self.can_release:
            return actions
        return actions + self.release(now)

    def _lost(self, event: AddressesRefused | AddressesLost, now: float) -> list[Action]:
        if isinstance(event, AddressesRefused):
            return self._fail_addresses("address-refused", event.error, now)
        actions = self.router.handle(event, now)
        if not self.router.tenure.exhausted:
            return actions
        by = event.culprit or "somebody"
        return actions + self._fail_addresses("address-removed", f"{by} keeps removing {event.addresses[0]}", now)

    def _fail_addresses(self, reason: str, detail: str, now: float) -> list[Action]:
        self._set_cause("addresses", Cause(reason, detail))
        if now > self._failed_at + 2 * RETRY_MAX:  # long ago: a new story
            self._retry_after = RETRY_FIRST
        self._failed_at, self.retry_at = now, now + self._retry_after
        self._retry_after = min(2 * self._retry_after, RETRY_MAX)
        return self._settle(now)

    def _forget_refusal(self) -> None:
        self.retry_at = inf
        self._set_cause("addresses", None)

    def _set_cause(self, key: str, cause: Cause | None) -> None:
        if cause is None:
            self.causes.pop(key, None)
        else:
            self.causes[key] = cause
