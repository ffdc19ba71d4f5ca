"""A verdict that counts only when it has lasted, for what comes and goes."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from hafw.api import Verdict


class Settled:
    """What ``look`` says, except that a change waits for its delay. Two threads ask: the check and the monitor."""

    def __init__(self, look: Callable[[], Verdict], *, down: float, up: float) -> None:
        """``down`` and ``up``: seconds that it has to be unhealthy, or healthy, before that counts."""
        self._look = look
        self._delays = {False: down, True: up}
        self._lock = threading.Lock()
        self._counts: Verdict | None = None
        self._since = 0.0
        """When what is pending began; 0: nothing is."""
        self._told = True
        """Whether a monitor was given the failure that lasts; the first verdict is for the check to say."""

    def now(self) -> Verdict:
        """The verdict that counts at this moment. The first one counts at once."""
        seen = self._look()  # outside the lock: it may take a while, and the other thread has its own deadline
        with self._lock:
            moment = time.monotonic()
            if self._counts is None or seen.healthy == self._counts.healthy:
                return self._count(seen)
            self._since = self._since or moment
            left = self._since + self._delays[seen.healthy] - moment
            if left <= 0:
                return self._count(seen)
            return replace(self._counts, detail=f"{seen.detail}, which counts in {left:.1f}s")

    def failure(self) -> Verdict | None:
        """For a monitor, what to report past ``fall``: a failure, once. That it is well again the check says."""
        verdict = self.now()
        with self._lock:
            if verdict.healthy or self._told:
                return None
            self._told = True
            return replace(verdict, immediate=True)

    @property
    def left(self) -> float | None:
        """Seconds until what is pending counts; ``None``: nothing is pending."""
        with self._lock:
            if not self._since or self._counts is None:
                return None
            return max(0.0, self._since + self._delays[not self._counts.healthy] - time.monotonic())

    def _count(self, seen: Verdict) -> Verdict:
        self._counts, self._since = seen, 0.0
        self._told = self._told and not seen.healthy
        return seen
