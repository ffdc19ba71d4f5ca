"""Another router of the segment, as its last advert showed it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hafw.vrrp.settings import IPAddress


@dataclass(frozen=True, slots=True)
class Peer:
    """Who was last heard advertising."""

    source: IPAddress
    priority: int
    interval: float
    heard_at: float

    def live(self, now: float) -> bool:
        """Tell whether a router that lost two of its adverts would still believe in it."""
        return self.priority > 0 and now < self.heard_at + 3 * self.interval

    def outranks(self, priority: int, primary: IPAddress | None) -> bool:
        """C-FSM-23, C-FSM-24; addresses are compared as unsigned integers in network byte order."""
        if self.priority != priority:
            return self.priority > priority
        return primary is not None and self.source.packed > primary.packed
