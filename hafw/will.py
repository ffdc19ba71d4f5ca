"""The daemon's last will: what is to be done if it dies. Written by the daemon, executed by the guard.

The record lies in the run directory (mode 0600), so that ``hafw cleanup`` and the next start can execute it when
nobody of us is left alive. Standard library only: the guard imports it.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

VERSION = 1
BEAT = 0.5
"""Seconds between two touches of the record by a daemon that lives."""


@dataclass(frozen=True, slots=True)
class BoundAddress:
    """An address of ours in the kernel."""

    address: str
    prefixlen: int
    interface: str


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
    """Seconds from the death for which the addresses answer unless they are claimed: three intervals."""
    addresses: tuple[BoundAddress, ...]


@dataclass(frozen=True, slots=True)
class Will:
    """Everything that a daemon leaves behind."""

    pid: int
    bequests: tuple[Bequest, ...] = ()

    def dumps(self) -> str:
        """As it lies in the run directory."""
        return json.dumps({"version": VERSION, **asdict(self)})


class BadWill(Exception):  # noqa: N818  (the will is bad, not we)
    """The record is of another version or was damaged."""


def loads_untrusted(text: str) -> Will:
    """Read a record; raises ``BadWill`` and nothing else."""
    try:
        record = json.loads(text)
        if record["version"] != VERSION:
            raise BadWill(f"version {record['version']} of another hafw: must be {VERSION}")
        bequests = tuple(_bequest(each) for each in record["bequests"])
        return Will(int(record["pid"]), bequests)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadWill(f"damaged: {type(error).__name__}: {error}") from None


def _bequest(record: dict[str, Any]) -> Bequest:
    goodbyes = {str(target): str(message) for target, message in record["goodbyes"].items()}
    for message in goodbyes.values():
        bytes.fromhex(message)
    return Bequest(
        name=str(record["name"]),
        interface=str(record["interface"]),
        family=int(record["family"]),
        source=str(record["source"]),
        goodbyes=goodbyes,
        hold=float(record["hold"]),
        addresses=tuple(
            BoundAddress(str(each["address"]), int(each["prefixlen"]), str(each["interface"]))
            for each in record["addresses"]
        ),
    )


def run_directory() -> Path:
    """Where records and locks lie: ``$HAFW_RUN_DIR``, or /run/hafw."""
    return Path(os.environ.get("HAFW_RUN_DIR", "/run/hafw"))


def will_path() -> Path:
    """The record's place."""
    return run_directory() / "will.json"


def write(will: Will) -> None:
    """Replace the record in one step; an empty will removes it."""
    path = will_path()
    if not will.bequests:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(will.dumps())
    fresh.replace(path)


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
