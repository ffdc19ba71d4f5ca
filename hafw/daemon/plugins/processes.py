"""What the kernel says of the processes of a plugin: who they are, and what they hold; never their own word."""

from __future__ import annotations

import functools
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PROC = Path("/proc")
_PYTHONS_OWN = 1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)
"""Signals that every Python process ignores; others it has from whoever started the daemon, such as nohup."""
_SHOWN = 4
"""Signals of a remark."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One process at one moment; memory in octets."""

    memory: int = 0
    """Resident."""
    peak: int = 0
    private: int = 0
    """What is nobody else's, and what is shared with its own only: no files."""
    ignored: int = 0
    blocked: int = 0
    """Signals, as bits; of the main thread."""


def children(pid: int) -> Iterator[int]:
    """Those of all its threads; raises ``OSError`` when it is gone. None where this kernel does not tell."""
    for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - without an object for each
        try:
            with open(f"/proc/{pid}/task/{task}/children", "rb") as file:  # noqa: PTH123
                yield from map(int, file.read().split())
        except (FileNotFoundError, ProcessLookupError):  # a thread that has ended since
            continue


def can_count() -> bool:
    """Whether this kernel tells who is whose child."""
    return (PROC / "self" / "task" / str(os.getpid()) / "children").exists()


def fields_of(pid: int) -> dict[str, str]:
    """``/proc/PID/status``; empty when it is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return {name: value.strip() for name, _, value in (line.partition(":") for line in file)}
    except OSError:
        return {}


def seen(pid: int) -> Seen:
    """What it holds now."""
    fields = fields_of(pid)

    def octets(*names: str) -> int:
        return sum(int(fields.get(name, "0").split()[0]) << 10 for name in names)

    return Seen(
        memory=octets("VmRSS"),
        peak=octets("VmHWM"),
        private=octets("RssAnon", "RssShmem"),
        ignored=int(fields.get("SigIgn", "0"), 16),
        blocked=int(fields.get("SigBlk", "0"), 16),
    )


def session_of(pid: int) -> tuple[str, int]:
    """Its state (``Z``: dead, and nobody has asked yet) and its session; empty when it is gone."""
    fields = _stat(pid)
    return (fields[0].decode(), int(fields[3])) if fields else ("", 0)


def ancestors(pid: int) -> set[int]:
    """Everybody above it, up to the first process of all; as far as they live."""
    found: set[int] = set()
    while pid > 1 and (fields := _stat(pid)):
        pid = int(fields[1])
        found.add(pid)
    return found


def _stat(pid: int) -> list[bytes]:
    """The fields behind its name: state, parent, group, session, ...; none when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return []


def environment(pid: int) -> dict[str, str]:
    """The variables that it was started with; empty when it is gone, or not for us to see."""
    try:
        entries = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return {}
    return {name: value for name, _, value in (each.partition("=") for each in entries if each)}


@functools.cache
def _inherited() -> int:
    return seen(os.getpid()).ignored


def habits(pid: int, found: Seen) -> Iterator[str]:
    """What a process does that is no offence, and that an operator wants to know when its scripts behave oddly."""
    if ignored := _names(found.ignored & ~_PYTHONS_OWN & ~_inherited()):
        yield f"ignores {ignored}: hafw ends it by SIGKILL all the same"
    if blocked := _names(found.blocked):
        yield f"blocks {blocked}: so do the programs that it starts"
    try:
        folder = str(Path(f"/proc/{pid}/cwd").readlink())
    except OSError:
        return
    if folder != "/":
        yield f"has left / for {folder}: that file system stays busy"


def _names(signals: int) -> str:
    numbers = [number for number in range(1, 65) if signals >> (number - 1) & 1]
    known = {each.value: each.name for each in signal.Signals}
    shown = ", ".join(known.get(number, str(number)) for number in numbers[:_SHOWN])
    return f"{shown} and {len(numbers) - _SHOWN} more" if len(numbers) > _SHOWN else shown
