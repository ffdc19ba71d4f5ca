"""A MASTER that leaves of its own accord: from its goodbye until its addresses are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hafw.vrrp.actions import Notice

if TYPE_CHECKING:
    from hafw.vrrp.settings import IPAddress


class Departure:
    """One handover, as it is told to operators."""

    def __init__(self, now: float, *, force: bool = False, silent: bool = False) -> None:
        """``silent``: nobody could be told, so this is no handover to speak of."""
        self.force = force
        """Go even if nobody takes over."""
        self.successor: IPAddress | None = None
        """Whose advert was heard first."""
        self._silent = silent
        self._began = now
        self._took: float | None = None

    def heard(self, source: IPAddress, now: float) -> None:
        """An advert of somebody who is MASTER."""
        if self.successor is None:
            self.successor, self._took = source, round(now - self._began, 4)

    def complete(self, name: str, now: float, *, claimed: bool) -> list[Notice]:
        """Tell how it ended; ``seconds`` until the successor spoke, or until everything was over."""
        if self._silent:
            return []
        outcome = "taken over" if claimed or self.successor is not None else "nobody took over"
        seconds = round(now - self._began, 4) if self._took is None else self._took
        fields: dict[str, str | float] = {"outcome": outcome, "seconds": seconds}
        if self.successor is not None:
            fields["successor"] = str(self.successor)
        return [Notice(name, "handover_complete", fields)]
