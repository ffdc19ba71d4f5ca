"""What is the same for all plugins of a daemon: the numbers of changes, how things are, and what is kept on disk."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from hafw.daemon.plugins.outbox import Outbox, Snapshot
from hafw.daemon.plugins.present import Present
from hafw.pipe import Delivery

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping, Sequence
    from pathlib import Path

    from hafw.daemon.plugins.mailbox import Letter
    from hafw.daemon.plugins.outbox import Kept
    from hafw.pipe import Router

Told = TypeVar("Told", bound=Delivery)
Queue = tuple[bool, "Sequence[tuple[str, Letter]]"]
"""Whether the plugin has a process, and the letters that wait for it, with their lanes."""


class Telling:
    """Of one daemon."""

    def __init__(
        self, run: str, path: Path | None, queues: Callable[[], Mapping[str, Queue]], routers: Mapping[str, Router]
    ) -> None:
        """``run``: what tells this daemon's numbers from those of others. ``path``: of the outbox, if there is one.

        ``routers``: every instance as it is now; kept up to date by the owner.
        """
        self.run = run
        self._routers = routers
        self.present = Present()
        self.outbox = Outbox(path, self._snapshot)
        self._queues = queues
        self._seq = 0
        """Of the last change that was told."""

    def numbered(self, change: Told, seq: int = 0) -> Told:
        """The next change, as plugins are told of it; or with ``seq``, if not 0, one that was told before."""
        self._seq += not seq
        return replace(change, seq=seq or self._seq, run=self.run)

    def replays(self) -> Iterator[tuple[str, Letter]]:
        """How things are, each with its lane: of instances as they are now, and of addresses that are still theirs."""
        addresses: dict[str, set[str]] = {}
        for lane, letter in self.present.letters():
            router = self._routers.get(letter.router.name, letter.router) if letter.router else None
            if router and letter.vip_change:
                if lane not in addresses:
                    addresses[lane] = {each.address for each in router.addresses}
                if letter.vip_change.address not in addresses[lane]:
                    continue
            yield lane, letter.again(router)

    def go_on(self, kept: Kept) -> None:
        """Count from where the daemon before us was."""
        self._seq = kept.seq

    def recall(self, kept: Kept, lanes: Container[str], routers: Mapping[str, Router]) -> None:
        """What the daemon before us told of these, for how things are."""
        for each in sorted(kept.present, key=lambda each: each.told.number):
            letter = each.letter(routers)
            if letter is not None and each.told.lane in lanes:
                self.present.note(each.told.lane, letter)

    def _snapshot(self) -> Snapshot:
        """In no order: whoever reads it puts it in order, and that is once in a life; this is many times a second."""
        return Snapshot(self._seq, self._queues(), self.present.unsorted())
