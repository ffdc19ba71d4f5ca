"""A cgroup v2 for each plugin, where one was delegated to hafw: what is in it cannot leave it, and the kernel counts.

It is used only when it is ours: systemd says so of a unit with ``Delegate=``, and the root of a container in which
nobody lives but this daemon, its guard and its plugins is nobody else's either. Everything here may block.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hafw.daemon.plugins.processes import ancestors

if TYPE_CHECKING:
    from hafw.config.model import PluginLimits

LEAF = "hafw"
"""Where guard and daemon go: a group whose children have controllers may have no process of its own."""
WANTED = ("cpu", "memory", "pids")
DAEMON_WEIGHT = 10000
"""The most that there is."""
THREADS = 16
"""Tasks for each process that is allowed: the kernel counts threads, and an operator counts processes."""
TASKS_MIN = 1024
_DELEGATED = ("trusted.delegate", "user.delegate")


@dataclass(frozen=True, slots=True)
class Delegation:
    """The group under which the plugins have theirs."""

    path: Path | None = None
    controllers: frozenset[str] = frozenset()
    why_not: str = ""
    """Why there is none, or why some controllers are missing."""

    def group(self, plugin: str, limits: PluginLimits) -> Group | None:
        """One for this plugin, or the one that an earlier life of it has left; ``None``: there cannot be one."""
        if self.path is None:
            return None
        group = Group(self.path / f"plugin.{plugin}", self.controllers)
        try:
            group.prepare(limits)
        except OSError:
            return None
        return group


@dataclass(frozen=True, slots=True)
class Group:
    """One plugin's."""

    path: Path
    controllers: frozenset[str]
    refused: dict[str, str] = field(default_factory=dict)
    """Files that could not be written, and why."""

    def prepare(self, limits: PluginLimits) -> None:
        """Make it, with its limits; raises ``OSError`` when it cannot be made."""
        self.path.mkdir(exist_ok=True)
        values = {
            "cpu.weight": limits.cpu_weight,
            "memory.max": limits.memory,
            "pids.max": max(TASKS_MIN, THREADS * limits.processes),
        }
        for name, value in values.items():
            if name.partition(".")[0] in self.controllers:
                self._write(name, str(value))

    def _write(self, name: str, value: str) -> None:
        try:
            (self.path / name).write_text(value)
        except OSError as error:
            self.refused[name] = (error.strerror or str(error)).lower()

    def take(self, pid: int) -> bool:
        """Put a process into it, before it has started any other."""
        self._write("cgroup.procs", str(pid))
        return "cgroup.procs" not in self.refused

    def read(self, name: str) -> str:
        """A file of it; empty when there is none."""
        try:
            return (self.path / name).read_text().strip()
        except OSError:
            return ""

    def processes(self) -> list[int]:
        """Everybody in it."""
        return [int(pid) for pid in self.read("cgroup.procs").split()]

    def out_of_memory(self) -> int:
        """How many of its processes the kernel has ended for want of memory so far."""
        events = dict(line.split() for line in self.read("memory.events").splitlines())
        return int(events.get("oom_kill", 0))

    def kill(self) -> None:
        """Everybody in it, at once."""
        with contextlib.suppress(OSError):
            (self.path / "cgroup.kill").write_text("1")

    def remove(self) -> None:
        """Unless somebody lives on in it, whom the plugin has started as a daemon."""
        with contextlib.suppress(OSError):
            self.path.rmdir()


def find(own: Path | None = None) -> Delegation:
    """What was delegated to this daemon; ``own``: the root in which it is, if that is not to be found out."""
    is_root = own is not None or inside() in ("/", f"/{LEAF}")
    own = own or own_group()
    if own is None:
        return Delegation(why_not="this machine has no cgroup v2")
    top = own.parent if own.name == LEAF else own
    # A unit's is systemd's, though nobody else may live in it.
    if not _is_delegated(top) and not (is_root and _is_ours_alone(top)):
        return Delegation(why_not=f"{top} is not delegated to hafw (systemd: Delegate=)")
    if not os.access(top, os.W_OK):
        return Delegation(why_not=f"{top} is read-only for hafw")
    there = set((top / "cgroup.controllers").read_text().split()) & set(WANTED)
    missing = [each for each in WANTED if each not in there]
    why = f"{top} has no controller {', '.join(missing)} (systemd: Delegate={' '.join(WANTED)})" if missing else ""
    try:
        if there:
            _enable(top, there)
    except OSError as error:
        return Delegation(top, frozenset(), f"{top}: {(error.strerror or str(error)).lower()}")
    return Delegation(top, frozenset(there), why)


def own_group() -> Path | None:
    """The cgroup v2 that this process is in."""
    ours = inside()
    for line in Path("/proc/self/mountinfo").read_text().splitlines() if ours else ():
        before, _, after = line.partition(" - ")
        root, point = before.split()[3:5]
        if after.split()[0] == "cgroup2":
            below = os.path.relpath(ours, root)
            return None if below.startswith("..") else (Path(point) / below)
    return None


def inside() -> str:
    """The path of this process's group below the root that it knows: in a container ``/``. Empty: no cgroup v2."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    return next((line[3:] for line in lines if line.startswith("0::")), "")


def _is_delegated(group: Path) -> bool:
    for name in _DELEGATED:
        with contextlib.suppress(OSError):
            if os.getxattr(group, name) == b"1":
                return True
    return False


def _is_ours_alone(top: Path) -> bool:
    """Whether everybody in it is this daemon, its guard, or what they have started."""
    try:
        living = {int(pid) for group in (top, top / LEAF) if group.is_dir() for pid in _living(group)}
    except OSError:
        return False
    return all(pid in {os.getpid(), os.getppid()} or os.getpid() in ancestors(pid) for pid in living)


def _living(group: Path) -> list[str]:
    return (group / "cgroup.procs").read_text().split()


def _enable(top: Path, controllers: set[str]) -> None:
    """Move everybody to a leaf, and give the groups beside it the controllers; raises ``OSError``."""
    leaf = top / LEAF
    leaf.mkdir(exist_ok=True)
    deadline = time.monotonic() + 1
    while (left := _living(top)) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                (leaf / "cgroup.procs").write_text(pid)
    (top / "cgroup.subtree_control").write_text(" ".join(f"+{each}" for each in sorted(controllers)))
    if "cpu" in controllers:
        (leaf / "cpu.weight").write_text(str(DAEMON_WEIGHT))
