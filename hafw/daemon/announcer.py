"""Announcement frames: what tells the neighbours where an address is now."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import trio

from hafw.wire.claims import FrameSender

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hafw.daemon.observe import Observer

BURST = 64
"""Announcement frames that leave at once; the rest is paced."""


class Announcer:
    """Sends the prepared frames: the first burst at once, the rest paced, so that an advert never waits for them."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._senders: dict[str, FrameSender] = {}
        self._queue: deque[tuple[str, float, deque[tuple[str, bytes]]]] = deque()
        self._work = trio.Event()

    def link(self, interface: str, ifindex: int) -> None:
        """An interface appeared or is gone (0): a sender is bound to the index."""
        old = self._senders.pop(interface, None)
        if old is not None:
            old.close()
        if ifindex:
            try:
                self._senders[interface] = FrameSender(ifindex)
            except OSError as error:
                self._observer.log.warning("socket_failed", interface=interface, error=str(error))

    def announce(self, router: str, frames: Iterable[tuple[str, bytes]], rate: int) -> None:
        """Send these (interface, frame) pairs once, at most ``rate`` a second after the first burst.

        A round of the same router that is still under way is replaced: nothing piles up.
        """
        self._queue = deque(entry for entry in self._queue if entry[0] != router)
        waiting = deque(frames)
        self._send(waiting, BURST)
        if waiting:
            self._queue.append((router, BURST / rate, waiting))
            self._work.set()

    async def run(self) -> None:
        """Send what the bursts left over, a burst of each router in turn."""
        while True:
            if not self._queue:
                self._work = trio.Event()
                await self._work.wait()
            await trio.sleep(self._queue[0][1])
            if self._queue:
                entry = self._queue.popleft()
                self._send(entry[2], BURST)
                if entry[2]:
                    self._queue.append(entry)

    def _send(self, waiting: deque[tuple[str, bytes]], limit: int) -> None:
        for _ in range(min(limit, len(waiting))):
            interface, frame = waiting.popleft()
            sender = self._senders.get(interface)
            if sender is None or sender.send_some([frame], 1) != 1:
                self._observer.count("", "announcement-errors")

    def close(self) -> None:
        """Close every sender."""
        for sender in self._senders.values():
            sender.close()
        self._senders.clear()
