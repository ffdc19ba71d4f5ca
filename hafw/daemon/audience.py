"""Whoever follows the events: however many they are, and however slowly they read, the election waits for none.

An event is encoded once. One task offers it to everybody who keeps up, by writes that never block, and gives the loop
back after half a millisecond; a task for each of them would be ready at the same moment, and before the next advert all
of them would have their turn. Whoever does not take what is offered goes on at a pace of its own, from the events that
are kept anyway, so it costs no memory but what its socket holds; and whoever falls behind those, or takes nothing for
half a minute, is told so and dropped.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import trio

from hafw.daemon.observe import EVENTS_KEPT, timestamp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from hafw.daemon.observe import Observer
    from hafw.records import Record

CHUNK = 16384
"""Octets, about, that a follower is offered at a time."""
READ = 65536
"""Octets that are taken of one that is to send nothing: closing on unread data would take our last words away."""
CHUNKS_MAX = 64
"""Chunks that are kept for others who are as far."""
SLICE = 0.0005
"""Seconds after which the loop gets its turn, while events are offered."""
STALLED = 30.0
"""Seconds a follower has to take a chunk."""
LAST_WORDS = 5.0
"""Seconds to say why it is dropped."""
LOOK_AGAIN = 10.0
"""Seconds between two looks whether one that sends nothing more still reads."""


class Dropped(Exception):  # noqa: N818 - what has become of the follower
    """This follower's stream ends; the message says why, and what to do."""


class Follower:
    """One client, and how far it is."""

    def __init__(self, stream: trio.abc.Stream, seq: int) -> None:
        self.stream = stream
        self.seq = seq
        """Of the last event that was given to its socket."""
        self.rest = b""
        """What the socket has not taken of that."""
        self.started = False
        """From then on, a gap is its own fault."""
        self.behind = trio.Event()

    def offer(self, data: bytes) -> int:
        """As many octets as its socket takes at once. One that is gone takes everything: its task sees that it is."""
        if not isinstance(self.stream, trio.SocketStream):
            return 0
        try:
            return os.write(self.stream.socket.fileno(), data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)


class Audience:
    """All of them."""

    def __init__(self, observer: Observer, turn: Callable[[], Awaitable[None]]) -> None:
        """``turn``: returns when it is this task's turn; the loop was free for others meanwhile."""
        self._observer = observer
        self._turn = turn
        self._kept: deque[tuple[int, bytes]] = deque(maxlen=EVENTS_KEPT)
        self._level: dict[Follower, None] = {}
        """Those that have taken everything so far."""
        self._told = trio.Event()
        self._chunks: dict[int, tuple[bytes, int]] = {}
        self.size = 0
        observer.subscribe(self._hear)

    def _hear(self, event: Record) -> None:
        self._kept.append((event["seq"], encoded(event)))
        self._chunks.clear()
        self._told.set()

    # -- those that keep up -------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Offer every event to everybody who has had the one before."""
        while True:
            await self._told.wait()
            self._told = trio.Event()
            free_at = time.perf_counter() + SLICE
            for follower in tuple(self._level):
                if follower in self._level:
                    self._offer(follower)
                if time.perf_counter() >= free_at:
                    await trio.lowlevel.checkpoint()
                    free_at = time.perf_counter() + SLICE

    def _offer(self, follower: Follower) -> None:
        chunk, seq = self._after(follower.seq)
        taken = follower.offer(chunk) if chunk else 0
        follower.seq, follower.rest = seq, chunk[taken:]
        if follower.rest or seq < self._observer.seq:
            del self._level[follower]
            follower.behind.set()

    def _after(self, seq: int) -> tuple[bytes, int]:
        """The next lines for somebody who has had the events up to ``seq``, and up to which they go."""
        chunk = self._chunks.get(seq)
        if chunk is None:
            if len(self._chunks) >= CHUNKS_MAX:
                self._chunks.clear()
            chunk = self._chunks[seq] = self._compose(seq)
        return chunk

    def _compose(self, seq: int) -> tuple[bytes, int]:
        lines, size = list[bytes](), 0
        for number, line in self._newer(seq):
            if number > seq + 1:
                lines.append(encoded(gap(seq, number)))
            lines.append(line)
            seq, size = number, size + len(line)
            if size >= CHUNK:
                break
        return b"".join(lines), seq

    def _newer(self, seq: int) -> Iterator[tuple[int, bytes]]:
        if self._kept and self._kept[-1][0] - seq <= len(self._kept) // 2:  # usually the last one or two
            newest = []
            for each in reversed(self._kept):
                if each[0] <= seq:
                    break
                newest.append(each)
            return reversed(newest)
        return (each for each in self._kept if each[0] > seq)

    # -- one of them, from its request to its end ---------------------------------------------------------------

    @contextlib.contextmanager
    def seat(self) -> Iterator[None]:
        """One more, for as long as this lasts."""
        self.size += 1
        try:
            yield
        finally:
            self.size -= 1

    async def follow(self, stream: trio.abc.Stream, seq: int, *, stay: bool) -> None:
        """Give this client what it has not had, and if it stays, all that comes; raises ``Dropped``."""
        self._take_over()
        follower = Follower(stream, seq)
        try:
            if stay:
                await self._attend(follower)
            else:
                await self._catch_up(follower)
        except Dropped as reason:
            await self._say_farewell(follower, reason)
            raise
        finally:
            self._level.pop(follower, None)

    def _take_over(self) -> None:
        """What a daemon before us has told is not of our own hearing."""
        if len(self._kept) < len(self._observer.events):
            missing = list(self._observer.events)[: len(self._observer.events) - len(self._kept)]
            self._kept.extendleft((event["seq"], encoded(event)) for event in reversed(missing))
            self._chunks.clear()

    async def _attend(self, follower: Follower) -> None:
        why: list[Dropped] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._until_gone, follower, nursery.cancel_scope, why)
            while True:
                try:
                    await self._catch_up(follower)
                except Dropped as reason:
                    why.append(reason)
                    nursery.cancel_scope.cancel()
                follower.behind = trio.Event()
                self._level[follower] = None
                await follower.behind.wait()
        if why:
            raise why[0]

    async def _catch_up(self, follower: Follower) -> None:
        """At its own pace, until it has had everything."""
        while follower.rest or follower.seq < self._observer.seq:
            if not follower.rest:
                await self._turn()
                if follower.started and self._kept and follower.seq + 1 < self._kept[0][0]:
                    lost = self._kept[0][0] - 1 - follower.seq
                    raise Dropped(
                        f"too slow: {lost} events behind the {EVENTS_KEPT} that are kept: ask again with"
                        f" since = {follower.seq}, and read on"
                    )
                follower.rest, follower.seq = self._after(follower.seq)
                if not follower.rest:  # numbers that were skipped
                    follower.seq = self._observer.seq
            follower.started = True
            with trio.move_on_after(STALLED) as patience:
                await self._give(follower)
            if patience.cancelled_caught:
                raise Dropped(f"too slow: nothing was read for {STALLED:g}s: ask again with since, and read on")

    async def _give(self, follower: Follower) -> None:
        if not isinstance(follower.stream, trio.SocketStream):
            rest, follower.rest = follower.rest, b""
            await follower.stream.send_all(rest)
            return
        while follower.rest:
            follower.rest = follower.rest[follower.offer(follower.rest) :]
            if follower.rest:
                await trio.lowlevel.wait_writable(follower.stream.socket)
                await self._turn()

    async def _until_gone(self, follower: Follower, scope: trio.CancelScope, why: list[Dropped]) -> None:
        """A client that has closed is not found out by the next event, which may be days away."""
        try:
            data = await follower.stream.receive_some(READ)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            data = b""
        while not data and not hung_up(follower.stream):  # noqa: ASYNC110 - it sends no more, and may still read
            await trio.sleep(LOOK_AGAIN)
        await self._turn()
        if data:
            why.append(Dropped("an event stream takes no further requests: use another connection"))
        scope.cancel()

    async def _say_farewell(self, follower: Follower, reason: Dropped) -> None:
        """Best effort: it is not waited for any longer than this."""
        record = {"error": {"kind": "dropped", "message": str(reason), "path": ""}}
        follower.rest += encoded(record)
        with trio.move_on_after(LAST_WORDS), contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await self._give(follower)


def encoded(record: Record) -> bytes:
    """As one line."""
    return json.dumps(record, ensure_ascii=False, default=str).encode() + b"\n"


def gap(after: int, next_one: int, detail: str = "") -> dict[str, Any]:
    """Stands in a stream where events are missing, so that nobody takes silence for peace."""
    missed = next_one - after - 1
    return {
        "type": "gap",
        "time": timestamp(),
        "after": after,
        "next": next_one,
        "missed": missed,
        "detail": detail or f"{missed} events are no longer kept: see the log of the daemon",
    }


def hung_up(stream: trio.abc.Stream) -> bool:
    """Whether the other side has closed, and not only ended what it sends."""
    if not isinstance(stream, trio.SocketStream):
        return False
    look = select.poll()
    look.register(stream.socket.fileno(), 0)
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in look.poll(0))
