"""What need not be judged again, and how long a socket may be left alone."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from hafw.vrrp.settings import State

if TYPE_CHECKING:
    from hafw.vrrp.events import AdvertReceived
    from hafw.vrrp.router import VirtualRouter
    from hafw.vrrp.settings import IPAddress, RouterSettings

BATCH, PASSES = 64, 32
"""Batches taken from a socket before others have their turn: a flood is bounded, a pause is caught up with."""
HURRY = 0.01
"""Seconds between two looks into a socket that could overflow."""


@dataclass(frozen=True, slots=True)
class Heard:
    """An advert that was accepted without a remark, and what it was judged by."""

    router: VirtualRouter
    settings: RouterSettings
    primary: IPAddress | None
    event: AdvertReceived
    counter: tuple[str, str]

    @property
    def holds(self) -> bool:
        """Whether it would be accepted again."""
        return self.settings is self.router.settings and self.primary is self.router.primary

    @property
    def is_routine(self) -> bool:
        """Whether it tells a BACKUP only that its MASTER lives: of many such the last one says it all."""
        return self.router.state is State.BACKUP and self.event.advert.priority >= self.router.priority


def rest_for(taken: int, room: int, seconds: float) -> float:
    """How long a socket with this room may be left alone, when so many came in the last seconds: until half is full."""
    if taken >= min(room // 2, BATCH * PASSES):  # perhaps it was full, and who knows how many came
        return HURRY
    return seconds * room / 2 / taken if taken else inf
