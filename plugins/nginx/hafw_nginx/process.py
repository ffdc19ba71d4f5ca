"""The master process that a pid file names, watched without asking it anything.

nginx removes its pid file when it quits and when it is stopped, and renames it for the time of a binary upgrade. So:

- the process died and the pid file still names it: a crash, known within a millisecond by its pidfd;
- the process died and the pid file is gone: planned, most likely a restart; a successor has ``grace`` to appear;
- the pid file names another live nginx: an upgrade (USR2) or a restart that succeeded; nothing happened;
- the new process of an upgrade died while the old one, whose pid file is ``.oldbin`` meanwhile, lives: nginx gives it
  its pid file back, and nothing happened;
- the process lives: nothing happened, whatever the pid file says meanwhile.

That the process is nginx is read from ``/proc/PID/comm``, which everybody may read; ``/proc/PID/exe`` takes rights over
nginx that a check should not have.
"""

from __future__ import annotations

import os
import select
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

WINK = 0.005
"""Seconds between two looks while a process that does not answer may be about to end."""
GLANCE = 0.1
"""Seconds between two looks at the pid file while a successor is awaited."""
REVIEW = 1.0
"""Seconds between two looks at the pid file of a process that lives: has it been replaced?"""

OLD = ".oldbin"
"""What nginx appends to the pid file of the old process during an upgrade."""

MOST_NAME = 15
"""Octets that the kernel keeps of a process's name."""


@dataclass(frozen=True, slots=True)
class Alive:
    """The pid file names a live process of the right name; ``pidfd`` is the caller's to close."""

    pid: int
    pidfd: int


@dataclass(frozen=True, slots=True)
class Gone:
    """There is no pid in the pid file, for now or for good."""

    why: str


@dataclass(frozen=True, slots=True)
class Crashed:
    """The pid file names a process that is not there."""

    why: str


Sighting = Alive | Gone | Crashed


def look(pid_file: str, name: str) -> Sighting:
    """What the pid file says now, verified against the process itself."""
    seen = _read(pid_file, name)
    if isinstance(seen, Crashed):
        old = _read(pid_file + OLD, name)
        if isinstance(old, Alive):
            os.close(old.pidfd)
            return Gone(f"{seen.why}, but {name} (pid {old.pid}), which it was to replace, lives")
        return _read(pid_file, name)  # the old one may have renamed its pid file between the two looks
    return seen


def _read(pid_file: str, name: str) -> Sighting:
    try:
        with Path(pid_file).open("rb") as file:
            text = file.read(32).decode("ascii", "replace").strip()
    except FileNotFoundError:
        return Gone(f"{pid_file} is gone")
    except OSError as error:
        return Gone(f"{pid_file} cannot be read: {(error.strerror or str(error)).lower()}")
    if not text:
        return Gone(f"{pid_file} is empty")
    if not text.isdecimal() or not 0 < int(text) <= 2**22:
        return Gone(f"{pid_file} holds {text!r}, which is no process id")
    return _open(pid_file, int(text), name)


def _open(pid_file: str, pid: int, name: str) -> Sighting:
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return Crashed(f"{name} (pid {pid}) died and left {pid_file}")
    # Read after the pidfd is held: if that is still silent, both speak of the same process.
    found = process_name(pid)
    if _is_readable(pidfd, 0):
        os.close(pidfd)
        return Crashed(f"{name} (pid {pid}) died and left {pid_file}")
    if found not in ("", name[:MOST_NAME]):
        os.close(pidfd)
        return Crashed(f"{pid_file} names pid {pid}, which is {found} and not {name}")
    return Alive(pid, pidfd)


def elsewhere(pid_file: str, name: str) -> str:
    """What to add when the pid is one of a pid namespace below ours, a container's: no pidfd can be had by it.

    It is not followed there: in the next container another nginx may have the same pid.
    """
    try:
        inner = str(int(Path(pid_file).read_text()))
    except (OSError, ValueError):
        return ""
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        except (OSError, ValueError):  # ended meanwhile, or hidden
            continue
        outer, *below = fields.get("NSpid", "0").split()
        if below and below[-1] == inner and fields["Name"].strip() == name[:MOST_NAME]:
            way_out = "run hafw in that namespace, or leave pid_file out"
            return f"; pid {inner} of another pid namespace is {name} (pid {outer} here): {way_out}"
    return ""


def process_name(pid: int) -> str:
    """The kernel's name of the process; empty where ``/proc`` hides it from us (hidepid)."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().rstrip("\n")
    except OSError:
        return ""


def _is_readable(pidfd: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


class Watch:
    """Follows one pid file for ever, in a thread of its own.

    ``problem`` and ``restarting`` are read by other threads; each change is one assignment of a string.
    """

    def __init__(
        self,
        pid_file: str,
        name: str,
        grace: float,
        *,
        down: Callable[[str], None],
        revive: Callable[[], None],
    ) -> None:
        """Call ``down(why)`` once per outage, at once, and ``revive()`` again and again while a crash lasts."""
        self.problem = ""
        """Why the process counts as down; empty while it does not."""
        self.restarting = ""
        """What is being waited for during the grace time; empty otherwise."""
        self._look = partial(look, pid_file, name)
        self._elsewhere = partial(elsewhere, pid_file, name)
        self._grace = grace
        self._down = down
        self._revive = revive

    def run(self) -> NoReturn:
        """Follow. There is no grace for a process that was never seen: a check that cannot run fails."""
        sighting = self._look()
        if not isinstance(sighting, Alive):
            sighting = self._lie_down(sighting, self._elsewhere())
        while True:
            match sighting:
                case Alive():
                    self.problem = self.restarting = ""
                    sighting = self._until_replaced(sighting)
                case Gone():
                    sighting = self._await_successor(sighting)
                case Crashed():
                    sighting = self._lie_down(sighting)

    def settle(self, deadline: float) -> str:
        """``restarting``, waiting for it at most until this moment: nginx closes its port a little before it ends."""
        while not (found := self.restarting) and not self.problem and time.monotonic() < deadline:
            time.sleep(WINK)
        return found

    def _until_replaced(self, alive: Alive) -> Sighting:
        try:
            while not _is_readable(alive.pidfd, REVIEW):
                seen = self._look()
                if isinstance(seen, Alive):
                    if seen.pid != alive.pid:
                        return seen
                    os.close(seen.pidfd)
            return self._look()
        finally:
            os.close(alive.pidfd)

    def _await_successor(self, gone: Gone) -> Sighting:
        deadline = time.monotonic() + self._grace
        self.restarting = f"{gone.why}, waiting {self._grace:g}s for a successor"
        while time.monotonic() < deadline:
            time.sleep(min(GLANCE, self._grace))
            seen = self._look()
            if not isinstance(seen, Gone):
                return seen
        return self._lie_down(Gone(f"{gone.why} for {self._grace:g}s"))

    def _lie_down(self, cause: Gone | Crashed, hint: str = "") -> Sighting:
        """Down until something lives. A pid file that is gone was removed on purpose: that is not revived."""
        self.problem, self.restarting = cause.why + hint, ""
        self._down(self.problem)
        seen: Sighting = cause
        while not isinstance(seen, Alive):
            if isinstance(seen, Crashed):
                self.problem = seen.why + (hint if seen == cause else "")
                self._revive()
            time.sleep(GLANCE)
            seen = self._look()
        return seen
