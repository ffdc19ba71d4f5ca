"""Who wants to be called next, of many: a heap, so that 255 routers cost no more than one."""

from __future__ import annotations

from heapq import heapify, heappop, heappush, heapreplace
from math import inf

ENTRIES_PER_NAME = 8
"""Bound on the heap: each deadline that moved closer leaves an entry behind."""


class Deadlines:
    """Deadlines by name. Most of them move away before they come, so an entry of the heap may be too early."""

    def __init__(self) -> None:
        self._actual: dict[str, float] = {}
        self._entries: list[tuple[float, str]] = []

    def set(self, name: str, deadline: float) -> None:
        """``inf``: it wants nothing."""
        if deadline < self._actual.get(name, inf):
            heappush(self._entries, (deadline, name))
        self._actual[name] = deadline
        if len(self._entries) > ENTRIES_PER_NAME * len(self._actual):
            self._entries = [(at, each) for each, at in self._actual.items() if at < inf]
            heapify(self._entries)

    def next(self) -> float:
        """The nearest one; ``inf``: there is none."""
        entries = self._entries
        while entries:
            at, name = entries[0]
            actual = self._actual[name]
            if actual <= at:
                return at
            if actual == inf:
                heappop(entries)
            else:
                heapreplace(entries, (actual, name))
        return inf

    def take(self, now: float) -> list[str]:
        """Whose time has come, the most urgent first; they are forgotten until they are set again."""
        taken = []
        while self.next() <= now:
            _, name = heappop(self._entries)
            self._actual[name] = inf
            taken.append(name)
        return taken
