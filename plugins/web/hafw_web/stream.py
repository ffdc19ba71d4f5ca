"""Server-sent events: every event of the daemon as it happens, and the status after each and every two seconds.

No client has a queue: each remembers the last event that it was sent, and the events themselves are kept once.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import trio

from hafw_web.known import KEPT

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from hafw_web.known import Known

EVERY: Final = 2.0
"""Seconds between two looks at the status when nothing happens; it also tells the client that we live."""
GATHER: Final = 0.05
"""Seconds in which what happens is told together."""
LOST: Final = -1
"""The place of a client that comes from elsewhere."""
RETRY: Final = 1000
"""Milliseconds after which a browser comes back."""


class Newsroom:
    """Looks at the daemon for everybody who listens. ``run`` has to run beside."""

    def __init__(self, known: Known, epoch: str) -> None:
        """``epoch``: of this daemon; the numbers of another one's events mean nothing here."""
        self.known = known
        self.epoch = epoch
        self._listeners = 0
        self._frames: dict[int, bytes] = {}
        """Of events, by their number."""
        self._frame = b""
        self._framed: tuple[int, str, str, int] | None = None
        self._poke = trio.Event()
        self._news = trio.Event()

    def poke(self) -> None:
        """Something has happened."""
        self.known.happened()
        self._poke.set()

    async def run(self) -> None:
        """Until cancelled; while nobody listens the daemon is left alone."""
        while True:
            with trio.move_on_after(EVERY):
                await self._poke.wait()
                await trio.sleep(GATHER)
            if not self._listeners:
                await self._poke.wait()
            self._poke = trio.Event()
            if self._listeners:
                await self.known.refresh()
                self._news.set()
                self._news = trio.Event()

    async def listen(self, last_id: str) -> AsyncGenerator[bytes, None]:
        """Frames for one client, for ever. ``last_id``: what it was sent last, by this daemon or another one."""
        self._listeners += 1
        self._poke.set()
        try:
            await self.known.refresh()
            cursor = self._resume(last_id)
            yield f"retry: {RETRY}\n\n".encode()
            while True:
                news = self._news
                events, gap = self.known.since(cursor), self._gap(cursor)
                cursor = self.known.seq
                yield b"".join([gap, *(self._event(each) for each in events), self._status()])
                await news.wait()
        finally:
            self._listeners -= 1

    def _resume(self, last_id: str) -> int:
        """After which event to go on; ``LOST``: what this client was sent last is no event of ours."""
        epoch, _, seq = last_id.rpartition("-")
        if not last_id:
            return self.known.seq
        if epoch == self.epoch and seq.isascii() and seq.isdecimal() and len(seq) < 16:
            return int(seq)
        return LOST

    def _gap(self, cursor: int) -> bytes:
        """A word about events that this client has not heard and will not; nothing when there are none."""
        kept = self.known.events[0]["seq"] if self.known.events else self.known.seq + 1
        return frame_of("gap", {"first_kept": kept}) if cursor == LOST or cursor + 1 < kept else b""

    def _event(self, event: Mapping[str, Any]) -> bytes:
        """Made once for all who listen."""
        seq = event["seq"]
        if seq not in self._frames:
            self._frames[seq] = frame_of("event", event, f"{self.epoch}-{seq}")
            if len(self._frames) > KEPT:
                del self._frames[next(iter(self._frames))]
        return self._frames[seq]

    def _status(self) -> bytes:
        """Made once for all who listen."""
        known = self.known
        age = 0 if known.status is None else int(known.age)
        if self._framed != (of_now := (known.seq, known.as_of, known.why, age)):
            self._frame = frame_of("status", known.record(), f"{self.epoch}-{known.seq}")
            self._framed = of_now
        return self._frame


def frame_of(kind: str, value: Mapping[str, Any], number: str = "") -> bytes:
    """One event of the stream; JSON has no line feed of its own."""
    head = f"id: {number}\n" if number else ""
    return f"{head}event: {kind}\ndata: {json.dumps(value, ensure_ascii=False)}\n\n".encode()
