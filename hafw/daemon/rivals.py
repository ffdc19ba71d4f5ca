"""A second MASTER, seen from the one that gives way: whether that was a preemption, or there had been two for a while.

The MASTER that stays hears it and says so (``hafw.vrrp.speaker``). The one that gives way hears a better advert and
cannot tell from it whether its sender has been MASTER all along. Two things tell:

- the better one announces nothing, for it has done so long ago, and has to be reminded;
- its host did not answer ARP until a moment ago, though it was asked all the time: whoever preempts listens first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import trio

from hafw.vrrp.settings import State
from hafw.wire.asking import AnswerSocket, question

if TYPE_CHECKING:
    from hafw.daemon.run import Daemon
    from hafw.pipe import StateChange
    from hafw.records import Record
    from hafw.vrrp.peer import Peer
    from hafw.vrrp.router import VirtualRouter
    from hafw.vrrp.settings import IPAddress

ASK_LEAST, ASK_MOST = 0.1, 1.0
"""Seconds between two questions: an interval, within these bounds."""
LOST_AFTER = 3
"""Questions without an answer after which a host counts as out of reach."""
JUST_NOW = 1.5
"""Intervals: a MASTER that has come back into reach is heard within one, a preempting one waits for three."""
WATCHES_MAX = 64
"""Hosts that are asked at the same time."""


@dataclass(slots=True)
class Watch:
    """One silent peer, asked for until it is heard again; by all routers that lost it."""

    scope: trio.CancelScope
    routers: set[str] = field(default_factory=set)
    asked: int = 0
    missed: int = 0
    since: float | None = None
    """When it began to answer; ``None``: it does not."""


class Rivals:
    """Tells of a split brain on the side that gives way, and of a peer that lives and is not heard."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._watches: dict[tuple[str, IPAddress], Watch] = {}
        self._master_since: dict[str, float] = {}
        self._told: set[str] = set()
        """Routers whose present defeat has been told of."""

    def changed(self, change: StateChange) -> None:
        """A transition has been told."""
        name = change.instance
        router = self._daemon.node.instances[name].router
        if change.new == State.MASTER:
            if change.old != State.MASTER:
                self._master_since[name] = trio.current_time()
            self._told.discard(name)
            if change.reason == "no-response" and router.peer is not None:
                self._look_for(router, router.peer)
            return
        if change.old != State.MASTER:
            return
        if change.reason in {"higher-priority", "higher-address"} and self._came_back(router):
            self._tell(name)
        self._forget(name)

    def reminded(self, name: str) -> None:
        """The better MASTER had to be told that there were two."""
        self._tell(name)

    def is_alive(self, name: str) -> bool | None:
        """Whether the peer that this MASTER hears no more answers ARP; ``None``: nobody asks."""
        watch = next((each for each in self._watches.values() if name in each.routers), None)
        return None if watch is None or watch.asked < LOST_AFTER else watch.since is not None

    def _came_back(self, router: VirtualRouter) -> bool:
        """Whether the peer that we give way to has been out of reach until now."""
        peer = router.peer
        if peer is None:
            return False
        watch = self._watches.get((router.settings.interface, peer.source))
        if watch is None or watch.asked < LOST_AFTER or router.settings.name not in watch.routers:
            return False
        return watch.since is None or trio.current_time() - watch.since < JUST_NOW * max(peer.interval, ASK_LEAST)

    def _tell(self, name: str) -> None:
        if name in self._told:
            return
        self._told.add(name)
        router = self._daemon.node.instances[name].router
        settings, peer = router.settings, router.peer
        head: Record = {"instance": name, "vrid": settings.vrid, "interface": settings.interface, "evidence": "advert"}
        head |= {} if peer is None else {"peer": str(peer.source), "peer_priority": peer.priority}
        head["yielded"] = "this router"
        since = self._master_since.get(name)
        seconds = {} if since is None else {"seconds": round(trio.current_time() - since, 3)}
        self._daemon.observer.event({"type": "split_brain", **head})
        self._daemon.observer.event({"type": "split_brain_over", **head, **seconds})

    # -- whether the silent peer lives --------------------------------------------------------------------------

    def _look_for(self, router: VirtualRouter, peer: Peer) -> None:
        settings = router.settings
        if settings.unicast_peers or router.primary is None:  # which may be on another network
            return
        key = (settings.interface, peer.source)
        watch = self._watches.get(key)
        if watch is None:
            if len(self._watches) >= WATCHES_MAX:
                return
            watch = self._watches[key] = Watch(trio.CancelScope())
            every = min(max(peer.interval, ASK_LEAST), ASK_MOST)
            self._daemon.start_soon(partial(self._ask_on, key, watch, router.primary, every))
        watch.routers.add(settings.name)

    def _forget(self, name: str) -> None:
        for key, watch in tuple(self._watches.items()):
            watch.routers.discard(name)
            if not watch.routers:
                watch.scope.cancel()
                del self._watches[key]

    async def _ask_on(self, key: tuple[str, IPAddress], watch: Watch, source: IPAddress, every: float) -> None:
        interface, target = key
        link = self._daemon.keeper.links().get(interface)
        if link is None or not link.mac:
            return
        frame = question(bytes.fromhex(link.mac.replace(":", "")), source, target)
        try:
            asking = AnswerSocket(interface, target.version)
        except OSError:
            return
        try:
            with watch.scope:
                while True:
                    _ask(asking, frame)
                    await trio.sleep(every)
                    heard = any(each.source == target and not each.is_echo for each in asking.answers())
                    watch.asked += 1
                    watch.missed = 0 if heard else watch.missed + 1
                    if heard and watch.since is None:
                        watch.since = trio.current_time() - every
                    elif watch.missed >= LOST_AFTER:
                        watch.since = None
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(asking.close)


def _ask(asking: AnswerSocket, frame: bytes) -> None:
    """A link that is down answers nobody, which is what is asked."""
    try:
        asking.ask(frame)
    except OSError:
        return
