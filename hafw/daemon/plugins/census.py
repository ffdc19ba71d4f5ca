"""Who belongs to which plugin, and what they hold: looked at every two seconds, and at once when the machine fills.

A plugin that starts more processes than it may is ended with all of them. In a cgroup v2 the kernel knows who they are.
Without one we follow who is whose child, and the daemon adopts what has lost its parent (a subreaper), so that nobody
gets away by starting a daemon. RLIMIT_NPROC alone would not do: it counts everybody of a user, and does not bind root.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog
import trio

from hafw.config.values import format_size
from hafw.daemon.plugins import processes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hafw.config.model import PluginLimits
    from hafw.daemon.plugins.cgroup import Group
    from hafw.daemon.plugins.child import Child

GLANCE = 0.1
"""Seconds between two looks at how many tasks the machine has: one short file."""
LOOK = 2.0
"""Seconds between two looks at every process of every plugin."""
SUDDEN = 16
"""So many tasks more than at the last glance are worth such a look at once."""
AT_ONCE = 16
"""Processes that are looked at before an advert may pass."""
MOST = 5000
"""Processes that are looked for, of a plugin that has to end."""
SESSIONS_KEPT = 256
MARK = "HAFW_PLUGIN"
"""The variable by which a process is told from those of other plugins when it has neither parent nor session."""
_PR_SET_CHILD_SUBREAPER = 36

log = structlog.get_logger()
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(slots=True)
class Watched:
    """One living plugin process, and what was last seen of it and of those that it has started."""

    plugin: str
    child: Child
    limits: PluginLimits
    group: Group | None
    processes: int = 1
    memory: int = 0
    """Octets, of all together."""
    peak: int = 0
    """Of all together, as often as we looked, and of the first one at any moment."""
    remarks: dict[str, None] = field(default_factory=dict)

    @property
    def all_remarks(self) -> tuple[str, ...]:
        """With what it has printed in vain."""
        lines = self.child.lines_dropped
        return (*self.remarks, *([f"prints too much: {lines} lines were not logged"] if lines else ()))

    @property
    def pid(self) -> int:
        """The process that speaks with the daemon."""
        return self.child.pid


class Census:
    """Every plugin process of this daemon. ``adopts``: nobody else in this process has children."""

    def __init__(self, *, adopts: bool = False) -> None:
        self._adopts = adopts and adopt_orphans()
        self._watched: dict[int, Watched] = {}
        self._sessions: deque[tuple[int, str]] = deque(maxlen=SESSIONS_KEPT)
        """Who has lived, and still may have left somebody behind."""
        self._orphans: dict[int, str] = {}
        self.can_count = processes.can_count()

    def watch(self, plugin: str, child: Child, limits: PluginLimits, group: Group | None) -> Watched:
        """From now on, until ``forget``."""
        watched = self._watched[child.pid] = Watched(plugin, child, limits, group)
        self._sessions.append((child.pid, plugin))
        return watched

    def forget(self, watched: Watched) -> None:
        """It has ended."""
        self._watched.pop(watched.pid, None)

    async def run(self) -> None:
        """For as long as there are plugins."""
        tasks, next_look = 0, 0.0
        while True:
            now, count = trio.current_time(), tasks_of_the_machine()
            if now >= next_look or count > tasks + SUDDEN:
                await self.look()
                next_look, count = now + LOOK, tasks_of_the_machine()
            tasks = count
            await trio.sleep(GLANCE)

    async def look(self) -> None:
        """At everybody; who is too many, or holds too much, ends with its plugin."""
        await self._adopt()
        for watched in list(self._watched.values()):
            await trio.lowlevel.checkpoint()
            if watched.child.ending.is_set():
                continue
            pids = await self._of(watched, watched.limits.processes + 1)
            watched.processes = len(pids)
            if len(pids) > watched.limits.processes:
                rule = f"at most {watched.limits.processes} (plugin.{watched.plugin}.limits.processes)"
                await self.end(watched, f"has more processes than it may: {rule}")
                continue
            await self._weigh(watched, pids)

    async def _weigh(self, watched: Watched, pids: Iterable[int]) -> None:
        memory = 0
        for pid in pids:
            seen = processes.seen(pid)
            memory += seen.memory
            if pid == watched.pid:
                watched.peak = max(watched.peak, seen.peak)
                self._remark(watched, processes.habits(pid, seen))
            if seen.private > watched.limits.memory:
                rule = f"at most {format_size(watched.limits.memory)} (plugin.{watched.plugin}.limits.memory)"
                await self.end(watched, f"a process of it holds {format_size(seen.private)}: {rule}")
                return
            await trio.lowlevel.checkpoint()
        watched.memory, watched.peak = memory, max(watched.peak, memory)

    def _remark(self, watched: Watched, remarks: Iterable[str]) -> None:
        for remark in remarks:
            if remark not in watched.remarks:
                watched.remarks[remark] = None
                log.warning("plugin_remark", plugin=watched.plugin, detail=remark)

    # -- who belongs to it ---------------------------------------------------------------------------------------

    async def _of(self, watched: Watched, most: int) -> list[int]:
        """Its processes, itself the first; no more than ``most``."""
        if watched.group is not None:
            others = [pid for pid in watched.group.processes() if pid != watched.pid]
            return [watched.pid, *others][:most]
        orphans = [pid for pid, plugin in self._orphans.items() if plugin == watched.plugin]
        return await self._families([watched.pid, *orphans], most)

    async def _families(self, roots: list[int], most: int) -> list[int]:
        found: dict[int, None] = dict.fromkeys(roots[:most])
        left = deque(found)
        while left and len(found) < most:
            if len(left) % AT_ONCE == 0:
                await trio.lowlevel.checkpoint()
            with contextlib.suppress(OSError):
                for pid in processes.children(left.popleft()):
                    if pid not in found and len(found) < most:
                        found[pid] = None
                        left.append(pid)
        return list(found)

    async def _adopt(self) -> None:
        """Take in who has lost its parent, and bury the dead among them."""
        if not self._adopts:
            return
        ours = set()
        with contextlib.suppress(OSError):
            ours = set(processes.children(os.getpid())) - self._watched.keys()
        self._orphans = {pid: plugin for pid, plugin in self._orphans.items() if pid in ours}
        dead = list[int]()
        for number, pid in enumerate(ours):
            if number % AT_ONCE == 0:
                await trio.lowlevel.checkpoint()
            if pid in self._watched:  # started meanwhile
                continue
            state, session = processes.session_of(pid)
            if state == "Z":
                dead.append(pid)
            elif pid not in self._orphans:
                by_session = next((plugin for leader, plugin in self._sessions if leader == session), "")
                self._orphans[pid] = by_session or processes.environment(pid).get(MARK, "")
        # A plugin's own process is not among them: whoever started it asks for it.
        if orphans := set(dead) - {leader for leader, _ in self._sessions}:
            self._orphans = {pid: plugin for pid, plugin in self._orphans.items() if pid not in orphans}
            await trio.to_thread.run_sync(bury, orphans)

    # -- the end of all of them ----------------------------------------------------------------------------------

    async def end(self, watched: Watched, why: str) -> None:
        """Kill the plugin and all that it has started. They are stopped first: what is stopped starts nobody."""
        if watched.group is not None:
            watched.child.kill(why)
            watched.group.kill()
            return
        stopped: set[int] = set()
        while new := set(await self._of(watched, MOST)) - stopped:
            for pid in new:
                _signal(pid, signal.SIGSTOP)
            stopped |= new
            if len(stopped) >= MOST:
                break
            await trio.lowlevel.checkpoint()
            await self._adopt()
        watched.child.kill(why)
        for pid in stopped - {watched.pid}:
            _signal(pid, signal.SIGKILL)


def bury(pids: Iterable[int]) -> None:
    """Reap them; not in the election's thread: where others read /proc of the same processes, the kernel takes long.

    It forgets what it kept of their folders in /proc, and goes round while a reader has one in hand and gets no
    processor: 0.2 to 0.9 s were seen on a machine with 2.
    """
    for pid in pids:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def adopt_orphans() -> bool:
    """Become the parent of every descendant that has lost its own."""
    return bool(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def tasks_of_the_machine() -> int:
    """Processes and threads; 0 where it is not told."""
    try:
        with open("/proc/loadavg", "rb") as file:  # noqa: PTH123 - ten times a second
            return int(file.read().split()[3].partition(b"/")[2])
    except (OSError, ValueError, IndexError):
        return 0


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
