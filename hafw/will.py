"""The daemon's last will: what is to be done if it dies. Written by the daemon, executed by the guard.

Two answers lie in it. A router that was MASTER may be *resumed* by the next daemon, which says what this one would have
said and finds the addresses where they are; whatever cannot be resumed in time is *handed over* by the guard.

The record lies in the run directory (mode 0600), so that ``hafw cleanup`` and the next start can execute it when
nobody of us is left alive. Standard library only: the guard imports it.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
import zlib
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

VERSION = 6
BEAT = 5.0
"""Seconds between two touches of the record by a daemon that lives: each costs as much as an advert."""


@dataclass(frozen=True, slots=True)
class BoundAddress:
    """An address of ours in the kernel."""

    address: str
    prefixlen: int
    interface: str


@dataclass(frozen=True, slots=True)
class Seal:
    """How what a router says is signed, at the moment it is said: a trailer made ahead would be a replay.

    Of the key only its source: the record outlives the processes that may know it.
    """

    key_id: int
    source: str
    anti_replay: str
    window: float


@dataclass(frozen=True, slots=True)
class Bequest:
    """What one router leaves behind."""

    name: str
    interface: str
    family: int
    source: str
    goodbyes: dict[str, str]
    """By destination: the priority-0 message, in hex; empty when the router was not MASTER."""
    hold: float
    """Seconds from the last advert for which the addresses answer unless they are claimed: three intervals.

    0 of a router that has bound them and was not MASTER yet: they are another's."""
    addresses: tuple[BoundAddress, ...]
    """Ours only: what the host, or anybody else, has bound is not to be removed."""
    group: str = ""
    """The multicast group of its socket; empty: unicast."""
    slot: int = -1
    """Where the beat tells of it; negative: nowhere."""
    interval: float = 0.0
    adverts: dict[str, str] = field(default_factory=dict)
    """By destination: what it says once an interval, in hex; empty when it is not to be resumed."""
    since: float = 0.0
    """When it became MASTER, on the monotonic clock."""
    verdicts: dict[str, bool] = field(default_factory=dict)
    """By check, what was last known of it."""
    links: dict[str, int] = field(default_factory=dict)
    """The index of each interface whose addresses are bound, as far as it is known: a name may change."""

    mac: str = ""
    """What it speaks from, in hex; empty: the interface's own."""
    seal: Seal | None = None
    """What the messages are signed with; ``None``: they are not."""
    sync_group: str = ""
    """Resumed together with all others of this sync group, or not at all; empty: alone."""

    def mute(self) -> Bequest:
        """As it is when its goodbye is said: addresses are left, to be removed."""
        return replace(self, goodbyes={}, adverts={})

    def is_rival(self, message: bytes, source: str) -> bool:
        """Tell whether this VRRP message is of another MASTER of this router.

        Taken at its word (neither checksum nor password is looked at): whoever is in doubt is BACKUP.
        """
        said = next(iter((self.adverts or self.goodbyes).values()), "")
        head = bytes.fromhex(said[:4])  # version and type, VRID; the priority follows
        return bool(head) and message[:2] == head and message[2:3] > b"\0" and source != self.source


def whole_groups(names: Collection[str], bequests: Collection[Bequest]) -> set[str]:
    """Those of ``names`` whose sync group has no other MASTER among the bequests: a group goes on as a whole."""
    broken = {each.sync_group for each in bequests if each.goodbyes and each.name not in names} - {""}
    return {each.name for each in bequests if each.name in names and each.sync_group not in broken}


@dataclass(frozen=True, slots=True)
class Will:
    """Everything that a daemon leaves behind."""

    pid: int
    bequests: tuple[Bequest, ...] = ()
    config: str = ""
    """The file that the daemon ran."""
    node: str = ""
    identity: str = ""
    """``identify`` of that file as the daemon read it: a changed one is not resumed blindly."""
    plans: str = ""
    """``identify`` of the plans that belong to it."""

    def dumps(self) -> str:
        """As it lies in the run directory."""
        return json.dumps({"version": VERSION, **_fields(self)}, default=_fields)


def _fields(value: Any) -> dict[str, Any]:  # noqa: ANN401 - any of the above
    """Not ``asdict``, which copies: of thousands of addresses that takes four times as long, during their takeover."""
    return {name: getattr(value, name) for name in value.__slots__}


class BadWill(Exception):  # noqa: N818  (the will is bad, not we)
    """The record is of another version or was damaged."""


def loads_untrusted(text: str) -> Will:
    """Read a record; raises ``BadWill`` and nothing else."""
    try:
        record = json.loads(text)
        if record["version"] != VERSION:
            raise BadWill(f"version {record['version']} of another hafw: must be {VERSION}")
        bequests = tuple(_bequest(each) for each in record["bequests"])
        words = (str(record[key]) for key in ("config", "node", "identity", "plans"))
        return Will(int(record["pid"]), bequests, *words)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError, OSError) as error:
        raise BadWill(f"damaged: {type(error).__name__}: {error}") from None


def _bequest(record: dict[str, Any]) -> Bequest:
    goodbyes, adverts = (
        {_address(target): bytes.fromhex(message).hex() for target, message in record[key].items()}
        for key in ("goodbyes", "adverts")
    )
    return Bequest(
        name=str(record["name"]),
        interface=_interface(record["interface"]),
        family={4: 4, 6: 6}[record["family"]],
        source=_address(record["source"]) if record["source"] else "",
        goodbyes=goodbyes,
        hold=_seconds(record["hold"]),
        addresses=tuple(
            BoundAddress(_address(each["address"]), int(each["prefixlen"]), _interface(each["interface"]))
            for each in record["addresses"]
        ),
        group=_address(record["group"]) if record["group"] else "",
        slot=int(record["slot"]),
        interval=_seconds(record["interval"]),
        adverts=adverts,
        since=_seconds(record["since"]),
        verdicts={str(check): bool(healthy) for check, healthy in record["verdicts"].items()},
        links={str(name): int(index) for name, index in record["links"].items()},
        mac=bytes.fromhex(record["mac"]).hex(),
        seal=None if record["seal"] is None else _seal(record["seal"]),
        sync_group=str(record["sync_group"]),
    )


def _seal(record: dict[str, Any]) -> Seal:
    replay, window = str(record["anti_replay"]), _seconds(record["window"])
    return Seal(int(record["key_id"]), str(record["source"]), replay, window)


def _address(value: Any) -> str:  # noqa: ANN401 - of a record
    """Not through ``ipaddress``: of thousands that takes some milliseconds, while the peers wait."""
    text = str(value)
    socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    return text


def _interface(value: Any) -> str:  # noqa: ANN401
    name = str(value)
    if not name.isprintable():
        raise ValueError(f"{name!r} is no interface")
    return name


def _seconds(value: Any) -> float:  # noqa: ANN401
    seconds = float(value)
    if not isfinite(seconds):
        raise ValueError(f"{seconds} seconds")
    return seconds


def run_directory() -> Path:
    """Where records and locks lie: ``$HAFW_RUN_DIR``, or /run/hafw."""
    return Path(os.environ.get("HAFW_RUN_DIR", "/run/hafw"))


def will_path() -> Path:
    """The record's place."""
    return run_directory() / "will.json"


def plans_path() -> Path:
    """Beside the will: the takeover plans, which change seldom and may be long."""
    return run_directory() / "plans.json"


def history_path() -> Path:
    """Beside the will: the transitions that the next daemon can still tell of."""
    return run_directory() / "history.json"


def outbox_path() -> Path:
    """Beside the will: what plugins were not told yet."""
    return run_directory() / "outbox.json"


def identify(content: bytes) -> str:
    """Tell contents apart; against change and damage, not against malice."""
    return f"{len(content)}-{zlib.crc32(content):08x}"


def identify_file(path: Path | str) -> str:
    """``identify`` its content; empty when it cannot be read."""
    try:
        return identify(Path(path).read_bytes())
    except OSError:
        return ""


def write(will: Will) -> None:
    """Replace the record in one step; an empty will removes it."""
    if will.bequests:
        replace_file(will_path(), will.dumps().encode())
    else:
        will_path().unlink(missing_ok=True)


def clear() -> None:
    """Leave nothing behind; what a read-only run directory keeps is executed by the next start, and finds nothing."""
    for path in (will_path(), plans_path(), history_path()):
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def replace_file(path: Path, content: bytes) -> None:
    """In one step, readable by its owner only; by one thread at a time. After ``OSError`` all is as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)  # where there is no room, half a record takes some of it
        raise


def read() -> Will | None:
    """The record, or ``None`` when there is none; raises ``BadWill``."""
    try:
        return loads_untrusted(will_path().read_text())
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise BadWill(f"{will_path()}: {error}") from None


def touch() -> None:
    """Say that the writer is alive; the record may not exist."""
    with contextlib.suppress(OSError):
        os.utime(will_path())


def dead_for() -> float:
    """Seconds for which the writer has been dead at least, by the wall clock; 0 when nobody knows.

    At least: it may have lived for another ``BEAT``. An address that is held too long does less harm than one that is
    removed before anybody else has it.
    """
    try:
        return max(0.0, time.time() - will_path().stat().st_mtime - BEAT)
    except OSError:
        return 0.0
