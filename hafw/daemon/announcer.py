"""Announcement frames: what tells the neighbours where an address is now."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice, takewhile
from math import inf
from typing import TYPE_CHECKING

import trio

from hafw.wire.claims import FrameSender

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hafw.daemon.observe import Observer
    from hafw.pipe import Frame

BURST = 64
"""Frames that leave at once whatever the rate, and the least that is worth waking up for."""
BURST_SECONDS = 0.004
"""What may leave at once of a higher rate: a turn that came late catches up."""
SLICE = 0.002
"""Seconds of sending after which others have their turn: an advert may be due."""
CHUNK = 16
"""Frames between two looks at the clock."""
PATIENCE = 1.0
"""Seconds for which a full queue is waited for; then what is left of the round is given up and counted."""


@dataclass(slots=True, eq=False)
class _Round:
    """What one router has still to send."""

    rate: int
    frames: Sequence[Frame]
    """The whole announcement; empty until it is asked for."""
    waiting: deque[Frame]
    tokens: float
    """How many may leave now."""
    filled: float
    """When the tokens were counted."""
    once_more: bool = False
    stuck: float | None = None
    """Since when nothing has been taken; ``None`` while frames leave."""


class Announcer:
    """Sends the prepared frames, a burst at once and the rest paced: an advert never waits for them.

    A full queue is no end: what did not leave is sent later, or counted as an error.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._senders: dict[str, FrameSender] = {}
        self._rounds: dict[str, _Round] = {}
        self._work = trio.Event()

    def link(self, interface: str, ifindex: int) -> None:
        """An interface appeared or is gone (0): a sender is bound to the index, and old frames carry an old MAC."""
        old = self._senders.pop(interface, None)
        if old is not None:
            old.close()
        for each in self._rounds.values():
            each.waiting = deque(frame for frame in each.waiting if frame.interface != interface)
            each.once_more = False
        if ifindex:
            try:
                self._senders[interface] = FrameSender(ifindex)
            except OSError as error:
                self._observer.log.warning("socket_failed", interface=interface, error=str(error))

    def announce(self, router: str, frames: Sequence[Frame], rate: int) -> None:
        """Send these once, at most ``rate`` a second after the first burst.

        While the same ones are still being sent, they are sent once more after that, however often it was asked for:
        nothing piles up, and the last address is not starved by repeats. Other frames replace them.
        """
        under_way = self._rounds.get(router)
        if under_way and under_way.frames is frames:
            under_way.once_more = True
            return
        early = under_way.waiting if under_way and not under_way.frames else ()
        self._start(router, frames, deque([*early, *frames]), rate)

    def begin(self, router: str, frames: Sequence[Frame], rate: int) -> None:
        """Send these ahead of an announcement that is to follow: of the first addresses, while others are installed."""
        under_way = self._rounds.get(router)
        if under_way is None:
            self._start(router, (), deque(frames), rate)
        else:
            under_way.waiting.extend(frames)
            self._send(under_way)

    def send(self, interface: str, frame: bytes) -> bool:
        """One frame of another kind, at once; whether it has left."""
        sender = self._senders.get(interface)
        return sender is not None and sender.send_some([frame], 1) == 1

    def silence(self, router: str) -> None:
        """What this router announces may be there no longer: send nothing more of it (C-ARP-07)."""
        self._rounds.pop(router, None)

    def _start(self, router: str, frames: Sequence[Frame], waiting: deque[Frame], rate: int) -> None:
        now, old = trio.current_time(), self._rounds.get(router)
        tokens, filled = (old.tokens, old.filled) if old else (_burst(rate), now)
        begun = self._rounds[router] = _Round(rate, frames, waiting, tokens, filled)
        self._send(begun)
        self._work.set()

    async def run(self) -> None:
        """Send what the bursts left over, a slice of each router in turn."""
        while True:
            self._work = trio.Event()
            for router, each in tuple(self._rounds.items()):
                if self._rounds.get(router) is each:
                    self._send(each)
                    self._go_on(router, each)
                await trio.lowlevel.checkpoint()
            pause = min((BURST / each.rate for each in self._rounds.values()), default=inf)
            with trio.move_on_after(pause):
                await self._work.wait()

    def _go_on(self, router: str, each: _Round) -> None:
        if each.stuck is not None and trio.current_time() > each.stuck + PATIENCE:
            self._observer.count("", "announcement-errors", len(each.waiting))
            each.waiting.clear()
        if not each.waiting:
            if each.once_more:
                each.waiting, each.once_more = deque(each.frames), False
            else:
                del self._rounds[router]

    def _send(self, each: _Round) -> None:
        """As much as the rate allows now, for at most a slice."""
        now = trio.current_time()
        each.tokens = min(each.tokens + (now - each.filled) * each.rate, _burst(each.rate))
        each.filled, until = now, now + SLICE
        while each.waiting and each.tokens >= 1 and now < until:
            tried, gone = self._send_chunk(list(islice(each.waiting, min(CHUNK, int(each.tokens)))))
            for _ in range(gone):
                each.waiting.popleft()
            each.tokens -= gone
            now = trio.current_time()
            if gone < tried:
                each.stuck = now if gone or each.stuck is None else each.stuck
                break
            each.stuck = None

    def _send_chunk(self, chunk: list[Frame]) -> tuple[int, int]:
        """Those on the interface of the first: how many, and how many of them need not be tried again."""
        interface = chunk[0].interface
        data = [frame.data for frame in takewhile(lambda frame: frame.interface == interface, chunk)]
        sender = self._senders.get(interface)
        if sender is not None:
            return len(data), sender.send_some(data, len(data))
        self._observer.count("", "announcement-errors", len(data))  # nowhere to send them
        return len(data), len(data)

    def close(self) -> None:
        """Close every sender."""
        for sender in self._senders.values():
            sender.close()
        self._senders.clear()


def _burst(rate: int) -> float:
    return max(BURST, rate * BURST_SECONDS)
