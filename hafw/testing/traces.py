"""What a plugin's process holds, and what is left of it when it has ended: read from ``/proc``."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hafw.daemon.plugins.census import MARK as PLUGIN_MARK
from hafw.daemon.plugins.processes import ancestors, children, environment

if TYPE_CHECKING:
    from collections.abc import Collection

MARK = "HAFW_TESTED_BY"
"""Is inherited by whatever a plugin starts, whatever becomes of its parents and sessions."""
GONE = 5.0
"""Seconds that a killed process has to vanish."""
_OURS = uuid.uuid4().hex


def mark() -> None:
    """Let every plugin process that is started from now on carry the mark of this run of the tests."""
    os.environ[MARK] = _OURS


@dataclass(frozen=True, slots=True)
class Holdings:
    """What one process holds at a moment; what cannot be looked at is empty."""

    descriptors: tuple[str, ...]
    """What each is: ``/run/x.log``, ``socket:[4711]``."""
    children: tuple[int, ...]
    """Zombies among them, for whom nobody has waited."""
    files: tuple[str, ...]
    """In its temporary directory."""


def holdings(pid: int) -> Holdings:
    """Of a living process."""
    return Holdings(_descriptors(pid), _children(pid), _files(pid))


def _descriptors(pid: int) -> tuple[str, ...]:
    found = []
    with contextlib.suppress(OSError):
        for each in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208 - names only
            with contextlib.suppress(OSError):
                found.append(os.readlink(f"/proc/{pid}/fd/{each}"))  # noqa: PTH115 - no path of the file system
    return tuple(sorted(found))


def _children(pid: int) -> tuple[int, ...]:
    with contextlib.suppress(OSError):
        return tuple(sorted(children(pid)))
    return ()


def _files(pid: int) -> tuple[str, ...]:
    folder = environment(pid).get("TMPDIR")
    if not folder:
        return ()
    with contextlib.suppress(OSError):
        return tuple(sorted(str(each.relative_to(folder)) for each in Path(folder).rglob("*")))
    return ()


def survivors(plugin: str, sessions: Collection[int], others: Collection[int]) -> dict[int, str]:
    """By process id, the command line of each that was started by a plugin which has ended.

    What the test itself has started carries our mark too, but not that of the plugin. ``sessions``: of the plugin's
    processes, each of which led one. ``others``: of plugins that are under test beside it; theirs
    are left out, and so is everybody whom we descend from: pytest itself may have been started with the mark.
    """
    found = {}
    spared = {1, os.getpid(), *ancestors(os.getpid())}  # the first of all, too, though it be in another namespace
    for pid in (int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdecimal()):
        with contextlib.suppress(OSError):
            session = os.getsid(pid)
            if pid in spared or session in others:
                continue
            if session in sessions or _is_marked(pid, plugin):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                if words:  # what is dead and not buried yet has none
                    found[pid] = words
    return found


def _is_marked(pid: int, plugin: str) -> bool:
    variables = environment(pid)
    return variables.get(MARK) == _OURS and variables.get(PLUGIN_MARK) == plugin


def end(pids: Collection[int]) -> None:
    """Kill these, and wait until they are gone."""
    for pid in pids:
        with contextlib.suppress(OSError):
            descriptor = os.pidfd_open(pid)
            try:
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                select.select([descriptor], [], [], GONE)
            finally:
                os.close(descriptor)
