"""Another machine that claims our addresses while we are MASTER, and whose adverts we do not accept or do not hear.

Another VRID, version or password there: two MASTERs, and neither ever gives way. The claims are all there is to see.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING

from hafw.vrrp.actions import Notice

if TYPE_CHECKING:
    from hafw.vrrp.events import AddressesClaimed
    from hafw.vrrp.settings import IPAddress

CLAIM_PATIENCE = 180.0
"""Seconds without a claim after which a contest counts as over.

A rival of our kind answers each of our announcements with its own, and announces every 60 s by default whatever it
hears: three times. Others may announce once and never again, hence an old claim is not forgotten while we are MASTER.
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """Who claims, what, since when, and when that was last heard."""

    mac: str
    address: IPAddress
    """The first of them."""
    addresses: int
    since: float
    heard_at: float
    over: bool = False
    """Not heard for ``CLAIM_PATIENCE``."""


class Contest:
    """Told once when it begins and once when it is over, however many claims there are and whoever makes them."""

    def __init__(self, name: str) -> None:
        self.claim: Claim | None = None
        self._name = name

    @property
    def deadline(self) -> float:
        """When ``tick`` wants to be called next; ``inf``: never."""
        return inf if self.claim is None or self.claim.over else self.claim.heard_at + CLAIM_PATIENCE

    def claimed(self, event: AddressesClaimed, now: float) -> list[Notice]:
        """One more claim."""
        known = None if self.claim is None or self.claim.over else self.claim
        since = now if known is None else known.since
        self.claim = Claim(event.mac, event.addresses[0], len(event.addresses), since, now)
        if known is not None:
            return []
        address, addresses = str(event.addresses[0]), len(event.addresses)
        return [self._notice("split_brain", mac=event.mac, address=address, addresses=addresses)]

    def tick(self, now: float) -> list[Notice]:
        """Nobody claims any more, it seems."""
        if self.claim is None or now < self.deadline:
            return []
        over, self.claim = self._over(now), replace(self.claim, over=True)
        return over

    def end(self, now: float) -> list[Notice]:
        """We are MASTER no more: whoever claims has a right to."""
        over, self.claim = self._over(now), None
        return over

    def explain(self) -> None:
        """Its adverts are heard after all: it is told of by those."""
        self.claim = None

    def shift(self, seconds: float) -> None:
        """The clock stood still: everything is later than it looks."""
        if self.claim is not None:
            since, heard_at = self.claim.since - seconds, self.claim.heard_at - seconds
            self.claim = replace(self.claim, since=since, heard_at=heard_at)

    def _over(self, now: float) -> list[Notice]:
        if self.claim is None or self.claim.over:
            return []
        return [self._notice("split_brain_over", mac=self.claim.mac, seconds=round(now - self.claim.since, 3))]

    def _notice(self, kind: str, **fields: str | float) -> Notice:
        return Notice(self._name, kind, {"evidence": "claim", **fields})
