"""Who else on this machine has a socket for protocol 112."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hafw.doctor.collect.files import read
from hafw.doctor.facts import Speaker
from hafw.doctor.finding import Unseen

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROTOCOL: Final = "0070"
_VRID: Final = re.compile(r"^\s*virtual_router_id\s+(\d+)", re.MULTILINE)


def speakers(unseen: list[Unseen]) -> tuple[Speaker, ...]:
    """Every process with such a socket in this network namespace, but hafw: its own are told apart by their lock."""
    inodes = {inode for file in ("raw", "raw6") for inode in _inodes(Path("/proc/thread-self/net", file))}
    if not inodes:
        return ()
    found = {speaker.pid: speaker for speaker in _holding(inodes)}
    if not found and os.geteuid():
        why = "a process of somebody else's has sockets of protocol 112"
        unseen.append(Unseen("whether another VRRP daemon serves the same VRID here", why, "run it as root"))
    first: dict[tuple[str, str], Speaker] = {}
    for speaker in sorted(found.values(), key=lambda each: each.pid):
        first.setdefault((speaker.program, speaker.config), speaker)
    return tuple(each for each in first.values() if each.program != "hafw")


def _inodes(path: Path) -> Iterator[str]:
    for line in read(path).splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[1].rpartition(":")[2] == _PROTOCOL:
            yield fields[9]


def _holding(inodes: set[str]) -> Iterator[Speaker]:
    wanted = {f"socket:[{each}]" for each in inodes}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(os.readlink(each) in wanted for each in (process / "fd").iterdir()):  # noqa: PTH115 - no path
                yield _speaker(process)


def _speaker(process: Path) -> Speaker:
    words = read(process / "cmdline").rstrip("\0").split("\0")
    name = read(process / "comm").strip()
    program = "hafw" if any("hafw" in Path(each).name or each.startswith("hafw") for each in words[:3]) else name
    config = _config(words) if program == "keepalived" else ""
    vrids = frozenset(int(each) for each in _VRID.findall(read(Path(config)))) if config else frozenset[int]()
    return Speaker(program=program, pid=int(process.name), vrids=vrids, config=config)


def _config(words: list[str]) -> str:
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word in {"-f", "--use-file"}:
            return following
        if word.startswith("--use-file="):
            return word.partition("=")[2]
        if word.startswith("-f") and len(word) > 2:
            return word[2:]
    return "/etc/keepalived/keepalived.conf"
