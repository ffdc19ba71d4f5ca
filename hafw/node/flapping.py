"""A router that keeps failing and recovering is held back from preempting, for longer each time.

Every preemption moves the address, and a check that fails every minute would move it twice a minute. So the first
troubles cost nothing, and from then on a router has to be well for ``flap_hold`` seconds before it takes the role from
a live MASTER, twice as long after each further trouble, at most ``flap_hold_max``. Where nobody is MASTER it takes over
at once, as ever: the hold is about who is better, never about whether anybody serves. An owner is not held back.

Trouble is what comes from this host itself: FAULT, a failed check of whatever weight, a pause. A MASTER that gives way
to a better one is well.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from hafw.vrrp.actions import Notice, Transition
from hafw.vrrp.settings import State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hafw.node.instance import Instance
    from hafw.vrrp.actions import Action

FREE = 3
"""Troubles in a row that cost nothing: a service that is restarted, a cable that is changed."""


class Damping:
    """The memory of one router's troubles: of all until it was well for ``flap_hold_max`` longer than it had to be."""

    def __init__(self) -> None:
        self.troubles = 0
        """In a row, none of them forgotten."""
        self.since: float | None = None
        """When it began to be held back; ``None``: it is not."""
        self.until = -inf
        """When it may preempt again; ``inf``: nobody can say, since the trouble is not over."""
        self.hold = 0.0
        """Seconds that it has to be well."""
        self._troubled = False
        self._forget_at = -inf

    @property
    def deadline(self) -> float:
        """When ``heed`` wants to be called next; ``inf``: never."""
        return inf if self.since is None else self.until

    def heed(self, instance: Instance, actions: Iterable[Action], now: float) -> list[Notice]:
        """Look at a router after an event, and at what came of it; what is to be told."""
        settings = instance.router.settings
        if not settings.flap_hold or settings.owner:
            self.since, instance.router.listener.held_back_until = None, -inf
            return []
        paused = any(isinstance(each, Transition) and each.reason == "paused" for each in actions)
        troubled = _is_troubled(instance)
        told = self._begin(instance, now) if (troubled or paused) and not self._troubled else []
        if self._troubled and not troubled:
            held = self.hold if self.since is not None else 0.0
            self._forget_at, self.until = now + held + settings.flap_hold_max, now + held
        self._troubled = troubled
        if self.since is not None and now >= self.until:
            told = [*told, self._notice(instance, on=False, seconds=round(now - self.since, 3))]
            self.since, self.until = None, -inf
        instance.router.listener.held_back_until = self.until
        return told

    def _begin(self, instance: Instance, now: float) -> list[Notice]:
        settings = instance.router.settings
        if now >= self._forget_at:
            self.troubles = 0
        self.troubles += 1
        self._troubled = True
        if self.troubles <= FREE:
            return []
        self.hold = min(settings.flap_hold * 2.0 ** min(self.troubles - FREE - 1, 64), settings.flap_hold_max)
        self.until = inf
        if self.since is not None:
            return []
        self.since = now
        return [self._notice(instance, on=True, troubles=self.troubles, hold=self.hold)]

    def _notice(self, instance: Instance, **fields: float) -> Notice:
        return Notice(instance.name, "flapping", fields)


def _is_troubled(instance: Instance) -> bool:
    failed = any(check.healthy is False for check in instance.checks.values())
    return failed or instance.router.state is State.FAULT
