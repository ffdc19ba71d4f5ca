"""Targets for what lies in files and memory between one process of hafw and the next."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import tempfile
from dataclasses import asdict, replace
from functools import cache
from ipaddress import ip_address
from math import isfinite
from pathlib import Path
from typing import Any

from hafw import lifeline
from hafw import will as last_will
from hafw.daemon import maintenance
from hafw.daemon.plugins.mailbox import Mailbox
from hafw.daemon.plugins.outbox import Snapshot, encoded, read_outbox
from hafw.daemon.plugins.takeover import announced
from hafw.daemon.testament import read_history, read_plans
from hafw.guard.judgement import amended, hold_until, is_resumable
from hafw.lifeline import Inheritance, Line, Sign
from hafw.pipe import Router
from hafw.records import restart_record
from hafw.seal import Messenger
from hafw.will import BadWill, Bequest

SIGN = Sign(spoke_at=100.0, promised_at=101.0, patience=3.0)
VRRP = bytes.fromhex("3133c80100640000")


def folder() -> Path:
    """Of this process, in memory where the machine has such a place; the run directory of whatever looks for one."""
    made = _made()
    os.environ["HAFW_RUN_DIR"] = made.name
    return Path(made.name)


@cache
def _made() -> tempfile.TemporaryDirectory[str]:
    """Removed when the process ends."""
    shared = Path("/dev/shm")  # noqa: S108 - a folder of our own in it
    return tempfile.TemporaryDirectory(prefix="hafw-fuzz-", dir=shared if os.access(shared, os.W_OK) else None)


def _sign(bequest: Bequest) -> None:
    """A goodbye that cannot be signed is a ``ValueError``: it is told, and nothing is said."""
    if bequest.seal is None:
        return
    os.environ["FUZZ_KEY"] = "k" * 32
    known = replace(bequest, seal=replace(bequest.seal, source="env:FUZZ_KEY"))
    with contextlib.suppress(ValueError):
        Messenger(known, known.goodbyes).letters()


def current(data: bytes, version: int) -> str:
    """The text, in which version 0 stands for today's: so the corpus outlives a change of the version."""
    return data.decode(errors="replace").replace('"version": 0', f'"version": {version}')


def will(data: bytes) -> bool:
    """The last will: ``BadWill``, or one that the guard can carry out and write again."""
    try:
        read = last_will.loads_untrusted(current(data, last_will.VERSION))
    except BadWill:
        return False
    for bequest in read.bequests:
        ip_address(bequest.source or "0.0.0.0")  # noqa: S104 - it is not bound
        for each in bequest.addresses:
            ip_address(each.address)
        _sign(bequest)
        for target, message in (*bequest.goodbyes.items(), *bequest.adverts.items()):
            ip_address(target)
            bytes.fromhex(message)
        if bequest.group:
            ip_address(bequest.group)
        bequest.is_rival(VRRP, "192.0.2.9")
        for sign in (SIGN, None):
            left = amended(bequest, sign)
            assert isfinite(hold_until(left, sign, 100.0, rival=False))
            is_resumable(left, sign, 100.0, 0.2)
    assert last_will.loads_untrusted(read.dumps()) == read
    return bool(read.bequests)


def inheritance(data: bytes) -> bool:
    """What a guard hands to a daemon, which may be of another version of hafw."""
    text = current(data, lifeline.VERSION).replace("\0", "")
    os.environ[lifeline.VARIABLE] = text.encode("utf-8", "replace").decode()
    taken = Inheritance.take()
    assert lifeline.VARIABLE not in os.environ
    if taken is None:
        return False
    os.environ[lifeline.VARIABLE] = taken.dumps()
    assert Inheritance.take() == taken
    return True


def line(data: bytes) -> bool:
    """Messages between guard and daemon: each line of the input is one."""
    ours, theirs = Line.pair()
    heard: list[tuple[dict[str, Any], int | None]] = []
    with contextlib.closing(ours), theirs:
        for octets in data.split(b"\n")[:8]:
            if octets:
                theirs.send(octets[:65536])
        theirs.shutdown(socket.SHUT_WR)
        while message := ours.hear():
            heard.append(message)
        assert ours.ended
    assert all(isinstance(said, dict) and descriptor is None for said, descriptor in heard)
    return any(said for said, _ in heard)


def plans(data: bytes) -> bool:
    """The takeover plans beside the will."""
    folder()
    last_will.plans_path().write_bytes(data)
    kept = read_plans()
    for each in kept.values():
        for frame in each.frames:
            announced(frame.data)
    return bool(kept)


def history(data: bytes) -> bool:
    """The transitions beside the will."""
    folder()
    last_will.history_path().write_bytes(data)
    told = read_history()
    if told is None:
        return False
    assert restart_record(told.transitions) is None
    return any(each["seq"] <= told.seq for each in told.transitions)


def outbox(data: bytes) -> bool:
    """What plugins were not told, beside the will: it can be put into a queue and written again."""
    folder()
    path = last_will.outbox_path()
    path.write_bytes(data)
    kept, routers = read_outbox(path), {"VI_1": Router(name="VI_1", vrid=51, version=3, priority=100, interface="eth0")}
    box = Mailbox()
    for queue in kept.queues.values():
        queue.hand_on(routers, box.put)
    present = [(each.told.lane, letter) for each in kept.present if (letter := each.letter(routers))]
    letters = box.letters
    path.write_bytes(encoded(Snapshot(kept.seq, {"local": (True, letters)}, present)))
    again = read_outbox(path)
    assert (again.seq, len(again.present)) == (kept.seq, len(present))
    assert sum(len(queue.letters) for queue in again.queues.values()) == len(letters)
    return bool(letters)


def leave(data: bytes) -> bool:
    """The maintenance file: whatever is in it, this host stays out of the way or was never told to."""
    path = folder() / "maintenance.json"
    path.write_bytes(data)
    recalled = maintenance.recall(path, 1_700_000_000.0)
    assert recalled is not None
    assert maintenance.iso(recalled.since)
    if recalled.reason.startswith("cannot read"):
        assert recalled.until is None
        return False
    maintenance.keep(path, recalled)
    assert json.loads(path.read_text()) == {"version": maintenance.VERSION, **asdict(recalled)}
    assert maintenance.recall(path, 0.0) == recalled
    return True
