"""Processes that must run: healthy while there are enough of them, and not too many. keepalived's ``track_process``.

Their death is seen at once, by pidfd; their coming within a second. A zombie does not count.
"""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, NoReturn

from msgspec import Meta

from hafw.api import Duration, Verdict, hookimpl, refuse
from hafw_checks.settle import Settled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AT_ONCE = Duration(0)
REVIEW: Final = 1.0
"""Seconds between two searches of the monitor."""
WATCHED_MAX: Final = 256
"""Processes whose death is awaited; of more, the death is seen by the next search."""
_NAME_MAX: Final = 15
"""Octets that the kernel keeps of a process's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``[plugin.process]``."""

    process: str | list[str]
    """The name, as in /proc/PID/comm, or the program; with arguments if they matter."""
    match: Literal["exact", "initial", "any"] = "exact"
    """With arguments: it has these and no more, it begins with these, or has them anywhere."""
    quorum: Annotated[int, Meta(ge=1, le=65535)] = 1
    """How many must run."""
    quorum_max: Annotated[int | None, Meta(ge=1, le=65535)] = None
    """How many may run."""
    down_delay: Annotated[Duration, Meta(ge=0, le=3600)] = AT_ONCE
    """How long too few must run until that counts: the time of a planned restart."""
    up_delay: Annotated[Duration, Meta(ge=0, le=3600)] = AT_ONCE
    """How long enough must run until that counts."""


def mistakes(options: Options) -> Iterator[tuple[str, str]]:
    """Every key whose value cannot work, with the rule and the way out."""
    try:
        words = words_of(options.process)
    except ValueError as error:
        yield "process", f'= "{options.process}": cannot be split into arguments: {str(error).lower()}'
        return
    if not words or not words[0]:
        yield "process", "must not be empty: the name of a process, such as nginx"
    elif len(words) == 1 and options.match != "exact":
        yield "match", f'= "{options.match}": has a meaning with arguments only: leave it out'
    if options.quorum_max is not None and options.quorum_max < options.quorum:
        yield "quorum_max", f"= {options.quorum_max}: must be at least quorum, which is {options.quorum}"


def words_of(process: str | list[str]) -> list[str]:
    """Split by blanks and quotes; raises ``ValueError`` where a quote has no end."""
    return shlex.split(process) if isinstance(process, str) else list(process)


class Pattern:
    """Which processes are meant."""

    def __init__(self, words: list[str], match: str) -> None:
        self._program, *self._arguments = [os.fsencode(word) for word in words]
        self._match = match

    def fits(self, comm: bytes, argv: list[bytes]) -> bool:
        """By the kernel's name, the whole path, or its last part; with arguments by these too."""
        program = argv[0] if argv else comm
        if self._program not in (program, program.rpartition(b"/")[2]) and self._program[:_NAME_MAX] != comm:
            return False
        found, wanted = argv[1:], self._arguments
        if not wanted:
            return True
        if self._match == "any":
            return all(each in found for each in wanted)
        return found[: len(wanted)] == wanted and (self._match == "initial" or len(found) == len(wanted))


def search(pattern: Pattern) -> list[int]:
    """The ids of all processes that fit and are no zombies."""
    return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdecimal() and _is_meant(pattern, each)]


def _is_meant(pattern: Pattern, folder: Path) -> bool:
    try:
        comm = (folder / "comm").read_bytes().rstrip(b"\n")
        argv = (folder / "cmdline").read_bytes().split(b"\0")[:-1]
        if not pattern.fits(comm, argv):
            return False
        return (folder / "stat").read_bytes().rpartition(b")")[2].split()[0] not in b"ZX"
    except OSError:  # ended meanwhile, or hidden from us
        return False


class Process:
    """The processes of one ``[plugin.NAME]``, the same for every instance."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[int, int] = {}
        """Pidfd by pid, of those that were found last."""
        self._count = 0
        """How many were found last."""
        self._news = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        """Readable when the check has found others than the monitor waits for."""
        self._apply(Options(process="nginx"))

    def _apply(self, options: Options) -> None:
        self._options = options
        words = words_of(options.process)
        self._name = " ".join(words)
        self._pattern = Pattern(words, options.match)
        self._settled = Settled(self._look, down=options.down_delay, up=options.up_delay)

    @hookimpl
    def options(self) -> type[Options]:
        """The shape of ``[plugin.process]``."""
        return Options

    @hookimpl
    def configure(self, options: Options) -> None:
        """Refuse what cannot work."""
        refuse(mistakes(options))
        self._apply(options)

    @hookimpl
    def check(self) -> Verdict:
        """Look once."""
        return self._settled.now()

    @hookimpl
    def monitor(self, report: Callable[[Verdict], None]) -> NoReturn:
        """Report at once that too few are left. That there are enough again is for the check, and ``rise``, to say."""
        report(self.check())
        while True:
            self._wait()
            if (failure := self._settled.failure()) is not None:
                report(failure)

    def _wait(self) -> None:
        """Until one of those found ends, or it is time to search again."""
        left = self._settled.left
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._news)
        with self._lock:
            poll = self._poll()
        poll.register(self._news, select.POLLIN)
        poll.poll(1000 * (REVIEW if left is None else min(left, REVIEW)))

    def _look(self) -> Verdict:
        """Searching through all processes costs milliseconds: it is left out while those found last all live."""
        with self._lock:
            if self._options.quorum_max is not None or not self._all_live():
                self._hold(search(self._pattern))
            count = self._count
        least, most = self._options.quorum, self._options.quorum_max
        wanted = f"{least} needed" if most is None else f"{least} to {most} needed"
        return Verdict(least <= count <= (count if most is None else most), f"{count} {self._name} running, {wanted}")

    def _all_live(self) -> bool:
        """Whether those found last were enough, and not one of them has ended."""
        if not self._options.quorum <= self._count == len(self._held):
            return False
        return not self._poll().poll(0)

    def _poll(self) -> select.poll:
        """Of the ends of all that are held."""
        poll = select.poll()
        for descriptor in self._held.values():
            poll.register(descriptor, select.POLLIN)
        return poll

    def _hold(self, found: list[int]) -> None:
        """Open all of them anew: a pid may be another process by now."""
        if set(found) - self._held.keys():
            os.eventfd_write(self._news, 1)
        for descriptor in self._held.values():
            os.close(descriptor)
        self._held = {}
        self._count = len(found)
        for pid in found[:WATCHED_MAX]:
            with contextlib.suppress(OSError):  # ended meanwhile
                self._held[pid] = os.pidfd_open(pid)


plugin = Process()
