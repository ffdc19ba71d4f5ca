"""What HAProxy says of itself over its statistics socket, bounded in time and size."""

from __future__ import annotations

import csv
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from hafw_checks.reach import Deadline, Place, ReachError, Stream

from hafw.api import user_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MOST: Final = 4 * 1024 * 1024
"""Octets of an answer that are read."""
AGAIN: Final = 0.02
"""Seconds until a worker that leaves is asked again."""
_FRONTEND, _BACKEND, _SERVER = "0", "1", "2"
"""The column ``type`` of ``show stat``."""


@dataclass(slots=True)
class Backend:
    """One backend, by its servers."""

    up: int = 0
    """Servers that take new connections: their health checks succeed, or there is none."""
    servers: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """One answer."""

    info: Mapping[str, str]
    """The lines of ``show info``: ``Pid``, ``Version``, ``Stopping``."""
    frontends: dict[str, str] = field(default_factory=dict)
    """The status by name: ``OPEN``, ``STOP``, ``PAUSED``."""
    backends: dict[str, Backend] = field(default_factory=dict)

    @property
    def is_stopping(self) -> bool:
        """Whether its worker takes no new connections and ends with its last one."""
        return self.info.get("Stopping", "0") != "0"

    @property
    def pid(self) -> int:
        """Of the worker that answered; 0 if it did not say."""
        text = self.info.get("Pid", "")
        return int(text) if text.isdecimal() else 0


def ask(path: str, commands: Iterable[str], deadline: Deadline) -> Report:
    """Ask ``show info`` and these; raises ``ReachError`` with why there is no whole answer.

    During a reload the worker that leaves may still take a question: it is put again, until the deadline, to the next.
    """
    line = "; ".join(["show info", *commands])
    while True:
        report = read(converse(path, line, deadline))
        if not report.is_stopping or deadline.left < AGAIN:
            return report
        time.sleep(AGAIN)


def converse(path: str, line: str, deadline: Deadline) -> str:
    """One line there, and all that comes back until HAProxy closes the connection."""
    try:
        with Stream(Place(path=path), None, deadline) as stream:
            try:
                return _exchange(stream, line.encode() + b"\n")
            except OSError as error:
                if stream.late:
                    raise ReachError(
                        f"{path} accepts connections, and gives no whole answer within {deadline}"
                    ) from error
                raise ReachError(f"{(error.strerror or str(error)).lower()} on {path}") from error
    except ReachError as error:
        if isinstance(error.__cause__, PermissionError):
            rule = 'stats socket ... mode 660 group haproxy in haproxy.cfg, and user = "haproxy" here'
            raise ReachError(f"{user_name()} may not use {path}: {rule}") from error
        raise


def _exchange(stream: Stream, octets: bytes) -> str:
    stream.socket.sendall(octets)
    parts, size = [], 0
    while size < MOST and (part := stream.socket.recv(65536)):
        parts.append(part)
        size += len(part)
    if stream.late:
        raise TimeoutError
    return b"".join(parts).decode("utf-8", "replace")


def read(text: str) -> Report:
    """The answers to ``show info`` and to any number of ``show stat``; raises ``ReachError`` for any other text."""
    info: dict[str, str] = {}
    columns: list[str] = []
    report = Report(info)
    for line in text.splitlines():
        if line.startswith("# "):
            columns = line[2:].split(",")
        elif columns and line.count(",") > 2:
            _take(dict(zip(columns, next(csv.reader([line])), strict=False)), report)
        elif not columns and ": " in line:
            key, _, value = line.partition(": ")
            info[key] = value
    if "Version" not in info:
        first = next(filter(None, map(str.strip, text.splitlines())), "nothing")
        raise ReachError(f'no answer of HAProxy: "{first[:80]}"')
    return report


def _take(row: Mapping[str, str], report: Report) -> None:
    name, kind, status = row.get("pxname", ""), row.get("type", ""), row.get("status", "")
    if kind == _FRONTEND:
        report.frontends[name] = status
    elif kind in (_BACKEND, _SERVER):
        backend = report.backends.setdefault(name, Backend())
        if kind == _SERVER:
            backend.servers += 1
            backend.up += is_up(status)


def is_up(status: str) -> bool:
    """``UP``, ``UP 1/3`` (on its way down), ``no check``; not ``DOWN``, ``MAINT``, ``DRAIN`` or ``NOLB``."""
    return status.split(" ", maxsplit=1)[0] == "UP" or status == "no check"


def commands_for(frontends: Iterable[str], backends: Iterable[str]) -> Iterator[str]:
    """What to ask of these alone: there may be thousands of others."""
    for name in frontends:
        yield f"show stat {name} 1 -1"
    for name in backends:
        yield f"show stat {name} 6 -1"
