"""What became of a plugin's events in figures, and a word about each that will not be answered."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import trio

from hafw.daemon.plugins.mailbox import DROPPED, GIVEN_UP, LETTERS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

ATTEMPTS = 3
"""Deliveries of one event: a plugin that dies of it each time would never do anything else."""
PAUSE = 10.0
"""Seconds between two words about the same lane and reason; what comes meanwhile is told together."""


WHY_LOST = {
    DROPPED: f"dropped: {LETTERS_MAX} are waiting, and there are newer ones of the same instance",
    GIVEN_UP: f"given up: each of {ATTEMPTS} processes that had it died",
}


@dataclass(slots=True)
class Figures:
    """Of the events for one plugin since the daemon started. ``taken`` = the four ends + what is queued."""

    taken: int = 0
    """Queued for it, replays among them."""
    delivered: int = 0
    """Answered, well or badly."""
    superseded: int = 0
    """Gave way to newer ones, as ``delivery = "latest"`` has it."""
    dropped: int = 0
    """Gave way because the queue was full, or were left when the plugin was removed."""
    given_up: int = 0
    """Every process that had it died."""
    waited: int = 0
    """Were in the queue while the plugin had no process."""
    late: int = 0
    """Of these: answered after all."""
    again: int = 0
    """Deliveries after the first one of an event."""
    replayed: int = 0
    """Told once more to a new process."""

    def add(self, other: Figures) -> None:
        """Those of a predecessor."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


@dataclass(slots=True)
class Loss:
    """Some of one lane and for one reason, one after another."""

    lane: str
    why: str
    first: int
    last: int
    count: int = 0
    since: float = -math.inf
    """When a word was said last, seconds."""

    @property
    def whose(self) -> dict[str, str]:
        """The instance or group, as events name it; nothing for the stream."""
        kind = "group" if self.lane.startswith("group ") else "instance"
        return {kind: self.lane.removeprefix("group ")} if self.lane else {}

    def fields(self) -> dict[str, object]:
        """For a line of the log."""
        return {**self.whose, "count": self.count, "first": self.first, "last": self.last}

    def words(self) -> str:
        """How many, which, and why."""
        one = self.count == 1
        which = f"1 event (seq {self.first})" if one else f"{self.count} events (seq {self.first} to {self.last})"
        return f"{which} {WHY_LOST.get(self.why, self.why)}"


class Losses:
    """The first of a kind is told at once, the following ones together, ``PAUSE`` seconds later."""

    def __init__(self, tell: Callable[[Loss], None]) -> None:
        self._tell = tell
        self._untold: dict[tuple[str, str], Loss] = {}
        self._news = trio.Event()

    def add(self, lane: str, seq: int, why: str) -> None:
        """One more, which is told by the next ``flush``; ``seq`` is that of the change or event."""
        loss = self._untold.setdefault((lane, why), Loss(lane, why, seq, seq))
        loss.first, loss.last = (min(loss.first, seq), max(loss.last, seq)) if loss.count else (seq, seq)
        loss.count += 1
        self._news.set()

    def flush(self, now: float, *, end: bool = False) -> None:
        """Tell what is due; at the ``end`` everything."""
        for key, loss in tuple(self._untold.items()):
            if not end and now < loss.since + PAUSE:
                continue
            if not loss.count:
                self._untold.pop(key, None)
                continue
            told = Loss(loss.lane, loss.why, loss.first, loss.last, loss.count, now)
            loss.count, loss.since = 0, now  # before it is told: that is an event, which may be lost as well
            self._tell(told)

    async def run(self) -> None:
        """Tell when it is due, until cancelled."""
        while True:
            await self._news.wait()
            self._news = trio.Event()
            while self._untold:
                await trio.sleep_until(min(each.since for each in self._untold.values()) + PAUSE)
                self.flush(trio.current_time())
