"""What is known of the daemon, since when, and whether that still counts.

Everybody who asks is served from one answer: a thousand clients cost the daemon what one costs.
"""

from __future__ import annotations

import math
from collections import deque
from datetime import UTC, datetime
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final

import trio

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Ask = Callable[..., Mapping[str, Any]]

FRESH: Final = 0.5
"""Seconds for which an answer is good enough when nothing has happened."""
PATIENCE: Final = 2.0
"""Seconds that the daemon has to answer; then it counts as silent."""
AGAIN: Final = 1.0
"""Seconds until a silent daemon is asked again: nobody else waits for it meanwhile."""
KEPT: Final = 1000
"""Events for clients that come back."""
OUTPUT = "results"
"""Of plugins: what scripts have printed. It may be anything, and stays on the machine."""


class Known:
    """The last status and the events up to it. ``ask`` is the ``serve`` hook's, and blocks."""

    def __init__(self, ask: Ask) -> None:
        self.status: Mapping[str, Any] | None = None
        self.why = "the daemon was not asked yet"
        """Why nothing is known; empty: the status counts."""
        self.seq = 0
        """Of the newest event that is known."""
        self.events: deque[Mapping[str, Any]] = deque(maxlen=KEPT)
        self._ask = ask
        self._at = -math.inf
        self.as_of = ""
        """UTC, of the status."""
        self._tried = -math.inf
        self._happened = 1
        self._covered = 0
        self._lock = trio.Lock()

    def happened(self) -> None:
        """Something has: what is known is old."""
        self._happened += 1

    async def refresh(self, max_age: float = FRESH) -> None:
        """Ask the daemon, unless what is known is younger and nothing has happened."""
        if self._is_good(max_age):
            return
        async with self._lock:  # who waited here finds the answer of the one before
            if self._is_good(max_age) or (self.why and trio.current_time() < self._tried + AGAIN):
                return
            happened = self._happened
            self._tried = trio.current_time()
            try:
                news = await self._asked("events", since=self.seq)
                self._take(await self._asked("status"), news)
            except (TimeoutError, ValueError) as error:
                self.why = str(error)
            else:
                self._covered = happened

    async def history(self) -> Mapping[str, Any]:
        """Transitions; raises ``TimeoutError`` when the daemon is silent."""
        return await self._asked("history")

    @property
    def current(self) -> Mapping[str, Any] | None:
        """The status, if it counts."""
        return None if self.why else self.status

    @property
    def age(self) -> float:
        """Seconds since the daemon last said something; infinite before it ever did."""
        return trio.current_time() - self._at

    def record(self) -> dict[str, Any]:
        """For programs and the page: what is known, or what was known last and why it does not count any more."""
        return {
            "known": not self.why,
            "why": self.why,
            "as_of": self.as_of,
            "age_seconds": round(self.age, 3) if self.status is not None else None,
            "seq": self.seq,
            "status": self.status,
        }

    def since(self, seq: int) -> list[Mapping[str, Any]]:
        """Events after this one, oldest first, of those that are kept."""
        return list(takewhile(lambda event: event["seq"] > seq, reversed(self.events)))[::-1]

    def _is_good(self, max_age: float) -> bool:
        return not self.why and self._covered == self._happened and self.age <= max_age

    def _take(self, status: Mapping[str, Any], news: Mapping[str, Any]) -> None:
        plugins = [{key: value for key, value in each.items() if key != OUTPUT} for each in status["plugins"]]
        self.status = {**status, "plugins": plugins}
        self.events.extend(news["events"])
        self.seq = max(self.seq, news["seq"])
        self._at = trio.current_time()
        self.as_of = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self.why = ""

    async def _asked(self, do: str, **request: Any) -> Mapping[str, Any]:  # noqa: ANN401
        call = partial(self._ask, do, patience=PATIENCE, **request)
        return await trio.to_thread.run_sync(call, abandon_on_cancel=True)
