"""What plugins were not told yet, in the run directory, so that it outlives a daemon that is killed or replaced.

Written by a thread after every change, the newest state only; what happens between the last writing and a death is
made good by the next daemon, which tells how things are. Only a daemon whose guard started it after another one
delivers from it: what is older is told as lost.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
import trio

from hafw.daemon.plugins.mailbox import Letter
from hafw.pipe import GroupChange, StateChange, VipChange  # noqa: TC001 - read when a record is decoded
from hafw.will import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from hafw.pipe import Router

PAUSE = 0.02
"""Seconds between two writings: a burst of events is written together."""

log = structlog.get_logger()


class Told(msgspec.Struct, omit_defaults=True):
    """The part of a letter that never changes."""

    lane: str
    hook: str
    number: int
    change: StateChange | None = None
    vip_change: VipChange | None = None
    group_change: GroupChange | None = None
    event: dict[str, Any] | None = None

    @property
    def seq(self) -> int:
        """Of the change, or of the event in its stream."""
        change = self.change or self.vip_change or self.group_change
        return change.seq if change else (self.event or {}).get("seq", 0)


class KeptLetter(msgspec.Struct):
    """A letter that waits."""

    told: Told
    attempts: int = 0
    missed: int = 0
    replayed: bool = False

    def letter(self, routers: Mapping[str, Router]) -> Letter | None:
        """It again, with a number after all others; ``None``: its instance is not configured any more."""
        told = self.told
        about = told.change or told.vip_change
        router = routers.get(about.instance) if about else None
        if about and router is None:
            return None
        return Letter(
            told.hook,
            router,
            change=told.change,
            vip_change=told.vip_change,
            group_change=told.group_change,
            event=told.event,
            attempts=self.attempts,
            missed=self.missed,
            replayed=self.replayed,
        )


class KeptQueue(msgspec.Struct):
    """The mailbox of one plugin."""

    live: bool
    """It had a process, which may have begun with the first letter of each lane."""
    letters: list[KeptLetter]

    def in_order(self) -> list[KeptLetter]:
        """The oldest first; ``attempts`` counts what may have been begun, too."""
        found = sorted(self.letters, key=lambda each: each.told.number)
        begun: set[str] = set()
        for each in found if self.live else ():
            if each.told.lane not in begun:
                begun.add(each.told.lane)
                each.attempts = max(each.attempts, 1)
        return found

    def hand_on(self, routers: Mapping[str, Router], deliver: Callable[[str, Letter], None] | None) -> str:
        """Let somebody deliver them, in order; returns which nobody is there for, and why, if there are any."""
        gone: list[int] = []
        for each in self.in_order():
            letter = each.letter(routers)
            if deliver is None or letter is None:
                gone.append(each.told.seq)
            else:
                deliver(each.told.lane, letter)
        whose = "its instance is" if deliver else "the plugin is"
        which = f"{len(gone)} events (seq {min(gone)} to {max(gone)})" if gone else ""
        return f"{which} not delivered: {whose} not configured any more" if gone else ""


class Kept(msgspec.Struct):
    """Everything that a daemon leaves to its plugins."""

    seq: int = 0
    queues: dict[str, KeptQueue] = {}
    present: list[KeptLetter] = []


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is to be written, by reference: taken in no time between two events."""

    seq: int
    queues: Mapping[str, tuple[bool, Sequence[tuple[str, Letter]]]]
    present: Sequence[tuple[str, Letter]]


class Outbox:
    """The file, and who keeps it true."""

    def __init__(self, path: Path | None, snapshot: Callable[[], Snapshot]) -> None:
        """``path``: ``None``: nothing is kept, as in a dry run."""
        self._path = path
        self._snapshot = snapshot
        self._stale = trio.Event()
        self._failing = False
        self._one_writer = trio.Lock()

    def changed(self) -> None:
        """Plain and quick: called whenever a letter comes or goes."""
        self._stale.set()

    async def run(self) -> None:
        """Write whenever something changed, until cancelled."""
        while self._path is not None:
            await self._stale.wait()
            self._stale = trio.Event()
            await self.write()
            await trio.sleep(PAUSE)

    async def write(self) -> None:
        """Everything as it is now. What cannot be written is said once: nothing else depends on it."""
        if self._path is None:
            return
        async with self._one_writer:
            try:
                await trio.to_thread.run_sync(replace_file_with, self._path, self._snapshot())
            except OSError as error:
                if not self._failing:
                    log.warning("outbox_not_written", path=str(self._path), error=str(error))
                self._failing = True
            else:
                self._failing = False

    def close(self) -> None:
        """The daemon ends in order: nothing is left to deliver."""
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
            self._path = None


def replace_file_with(path: Path, snapshot: Snapshot) -> None:
    """In a thread, and letter by letter: each is encoded once in its life, and none holds up an advert."""
    replace_file(path, encoded(snapshot))


def encoded(snapshot: Snapshot) -> bytes:
    """As ``Kept`` reads it."""
    queues = b",".join(
        msgspec.json.encode(name) + b':{"live":%s,"letters":[' % (b"true" if live else b"false") + _all(letters) + b"]}"
        for name, (live, letters) in snapshot.queues.items()
    )
    return b'{"seq":%d,"queues":{%s},"present":[%s]}' % (snapshot.seq, queues, _all(snapshot.present))


def _all(letters: Sequence[tuple[str, Letter]]) -> bytes:
    return b",".join(_one(lane, letter) for lane, letter in letters)


def _one(lane: str, letter: Letter) -> bytes:
    if not letter.kept:
        told = Told(
            lane=lane,
            hook=letter.hook,
            number=letter.number,
            change=letter.change,
            vip_change=letter.vip_change,
            group_change=letter.group_change,
            event=dict(letter.event) if letter.event is not None else None,
        )
        letter.kept = msgspec.json.encode(told, enc_hook=str)
    replayed = b"true" if letter.replayed else b"false"
    numbers = (letter.kept, letter.attempts, letter.missed, replayed)
    return b'{"told":%s,"attempts":%d,"missed":%d,"replayed":%s}' % numbers


def read_outbox(path: Path) -> Kept:
    """What the daemon before us left; nothing when that cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Kept)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Kept()
