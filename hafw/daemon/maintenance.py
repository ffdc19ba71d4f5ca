"""``hafw maintenance``: this host stays BACKUP whatever happens, until it is told otherwise or the time is over.

It survives a restart, a reboot and a reload: a file in the state directory says so, and by the wall clock until when.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from hafw.daemon.control import CommandError
from hafw.daemon.handover import NOBODY, boolean
from hafw.vrrp.events import MaintenanceChanged
from hafw.vrrp.settings import State

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from hafw.daemon.handover import Handovers
    from hafw.records import Record

VERSION = 1
LONGEST = 366 * 24 * 3600.0
REASON_MAX = 200
LOOK_AGAIN = 30.0
"""Seconds: the wall clock may be set meanwhile."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Since when, until when (``None``: until told otherwise) and why; seconds of the wall clock."""

    since: float
    until: float | None = None
    reason: str = ""


class Maintenance:
    """The one switch of this host."""

    def __init__(
        self,
        handovers: Handovers,
        path: Path | None,
        clock: Callable[[], float] = time.time,
        aside: Callable[..., Awaitable[None]] = trio.to_thread.run_sync,
    ) -> None:
        """``path``: where it is remembered; ``None``: nowhere, as in a dry run. ``aside``: how disks are waited for."""
        self.leave: Leave | None = None
        """``None``: it is off."""
        self._election = handovers.election
        self._observer = handovers.observer
        self._handovers = handovers
        self._path = path
        self._clock = clock
        self._aside = aside
        self._changed = trio.Event()
        self._turning = trio.Lock()

    # -- life ---------------------------------------------------------------------------------------------------

    def restore(self) -> None:
        """Remember, and let every router know before it starts or resumes; ``run`` tells the world."""
        if self._path is None:
            return
        self.leave = recall(self._path, self._clock())
        if self._left() <= 0:  # it ended while nobody of us was there
            self.leave = None
            with contextlib.suppress(OSError):
                self._path.unlink()
        for name in self._election.node.instances:
            self.introduce(name)

    def introduce(self, name: str) -> None:
        """A router that a reload brought hears what holds for all, before its ``Startup``."""
        if self.leave is not None:
            self._election.dispatch(MaintenanceChanged(name, on=True))

    async def run(self) -> None:
        """End it when its time is over."""
        if self.leave is not None:
            self._tell()
        while True:
            async with self._turning:
                if self._left() <= 0:
                    await self._end("time is over")
            with trio.move_on_after(min(self._left(), LOOK_AGAIN)):
                await self._changed.wait()

    def _left(self) -> float:
        """Seconds until it ends by itself."""
        return inf if self.leave is None or self.leave.until is None else self.leave.until - self._clock()

    # -- command ------------------------------------------------------------------------------------------------

    async def command(self, request: Mapping[str, Any]) -> Record:
        """``{"do": "maintenance", "on": bool, "for": seconds, "reason": text, "force": bool}``; without "on": shows it.

        What is MASTER hands over first. Where nobody takes over it is refused, unless ``force``.
        """
        if "on" not in request:
            return {"maintenance": self.record()}
        with self._handovers.alone():
            async with self._turning:
                moved = await self._turn(request)
        return {"maintenance": self.record(), "instances": moved}

    async def _turn(self, request: Mapping[str, Any]) -> list[Record]:
        if boolean(request, "on"):
            return await self._begin(self._asked(request), force=boolean(request, "force"))
        if self.leave is not None:
            await self._end("told so")
        return []

    def _asked(self, request: Mapping[str, Any]) -> Leave:
        length, reason = request.get("for"), request.get("reason", "")
        if length is not None and (isinstance(length, bool) or not isinstance(length, int | float)):
            raise CommandError("bad-request", f"for = {length!r}: must be a number of seconds", "for")
        if length is not None and not 0 < length <= LONGEST:  # nor NaN; an integer may be too large for a float
            raise CommandError("bad-request", f"for = {length!r}: must be above 0 and at most a year", "for")
        if not isinstance(reason, str) or len(reason) > REASON_MAX or not reason.isprintable():
            raise CommandError("bad-request", f"reason: must be one line of at most {REASON_MAX} characters", "reason")
        now = self._clock()
        return Leave(self.leave.since if self.leave else now, None if length is None else now + length, reason)

    async def _begin(self, leave: Leave, *, force: bool) -> list[Record]:
        """Refuse before anything is moved what would be forgotten; then move, then stay away."""
        await self._on_disk(probe)
        moved = await self._handovers.move(self._election.node.instances, force=force)
        stuck = [each["instance"] for each in moved if each["outcome"] == NOBODY and each["state"] == State.MASTER]
        if stuck:
            gone = ", ".join(each["instance"] for each in moved if each["successor"])
            beside = f" ({gone} handed over)" if gone else ""
            message = (
                f"maintenance is not on: nobody took over {', '.join(stuck)}, still MASTER here{beside}: "
                "is another router up and healthy? --force releases anyway"
            )
            raise CommandError("nobody-took-over", message)
        await self._on_disk(keep, leave)
        self.leave = leave
        for name in self._election.node.instances:
            self._election.dispatch(MaintenanceChanged(name, on=True))
        self._tell()
        return moved

    async def _end(self, why: str) -> None:
        try:
            await self._on_disk(forget)
        except CommandError as error:  # when the time is over the next start sees that, too
            if self._left() > 0:
                raise
            self._observer.log.warning("maintenance_file_stays", error=str(error))
        self.leave = None
        for name in self._election.node.instances:
            self._election.dispatch(MaintenanceChanged(name, on=False))
        self._tell(why)

    async def _on_disk(self, step: Callable[..., None], *arguments: Leave) -> None:
        """In a thread. A switch that a restart would turn back must not be turned: raises ``CommandError``."""
        if self._path is None:
            return
        try:
            await self._aside(step, self._path, *arguments)
        except OSError as error:
            message = (
                f"maintenance stays as it was: {self._path}: {error.strerror}: make it writable, or set HAFW_STATE_DIR"
            )
            raise CommandError("state-file", message) from None

    # -- what it says -------------------------------------------------------------------------------------------

    def record(self) -> Record | None:
        """For the status; ``None`` when it is off."""
        leave = self.leave
        if leave is None:
            return None
        return {
            "since": iso(leave.since),
            "until": None if leave.until is None else iso(leave.until),
            "reason": leave.reason,
            "for_seconds": None if leave.until is None else round(leave.until - leave.since),
            "left_seconds": None if leave.until is None else round(self._left()),
        }

    def _tell(self, why: str = "") -> None:
        self._changed.set()
        self._changed = trio.Event()
        leave = self.leave
        event: Record = {"type": "maintenance", "on": leave is not None, "reason": leave.reason if leave else why}
        if leave is not None and leave.until is not None:
            event["until"] = iso(leave.until)
        self._observer.event(event)


# -- the file ---------------------------------------------------------------------------------------------------


def state_path(name: str = "maintenance.json") -> Path:
    """In ``$HAFW_STATE_DIR``, else ``$HAFW_RUN_DIR``, else /var/lib/hafw: unlike /run it outlives a reboot."""
    folder = os.environ.get("HAFW_STATE_DIR") or os.environ.get("HAFW_RUN_DIR") or "/var/lib/hafw"
    return Path(folder) / name


def keep(path: Path, leave: Leave) -> None:
    """Replace the file in one step; it is on the disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"version": VERSION, **asdict(leave)}, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def probe(path: Path) -> None:
    """See that ``keep`` will work, before anything is moved for it."""
    beside = path.with_suffix(".probe")
    keep(beside, Leave(0.0))
    beside.unlink()


def forget(path: Path) -> None:
    """Remove the file, if there is one."""
    path.unlink(missing_ok=True)


def recall(path: Path, now: float) -> Leave | None:
    """What the file says; ``None`` when there is none.

    A file that cannot be read counts as on, without an end: somebody wanted this host out of the way, and the others
    serve. ``hafw maintenance off`` ends it.
    """
    try:
        return parse_untrusted(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        return Leave(now, None, f"cannot read {path}: {error}")


def parse_untrusted(text: str) -> Leave:
    """Raises ``ValueError`` and nothing else."""
    try:
        record = json.loads(text)
        if record["version"] != VERSION:
            raise ValueError(f"version {record['version']} of another hafw: must be {VERSION}")
        until = record["until"]
        leave = Leave(float(record["since"]), None if until is None else float(until), str(record["reason"]))
    except (KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"damaged: {type(error).__name__}: {error}") from None
    for moment in (leave.since, leave.until or 0.0):
        iso(moment)
    return leave


def iso(wall: float) -> str:
    """A moment of the wall clock as the control socket says it."""
    try:
        return datetime.fromtimestamp(wall, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (OSError, OverflowError) as error:
        raise ValueError(f"{wall} is no time: {error}") from None
