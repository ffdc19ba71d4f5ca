"""What was seen on a simulated LAN: the log of actions, and who was what when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from hafw.vrrp.settings import IPAddress

if TYPE_CHECKING:
    from collections.abc import Callable

    from hafw.vrrp.actions import Action

Key = str | IPAddress
"""A router, for who is MASTER of it, or an address, for who holds it."""


class Entry(NamedTuple):
    """One line of the log: what a host's Node wanted done, and when."""

    time: float
    host: str
    action: Action


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of virtual time."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return self.end - self.start


class Timelines:
    """By key, the set of hosts that something was true of, from each change to the next."""

    def __init__(self) -> None:
        self._changes: dict[Key, list[tuple[float, frozenset[str]]]] = {}

    def note(self, key: Key, hosts: set[str], now: float) -> None:
        """Say what is true from ``now`` on."""
        changes = self._changes.setdefault(key, [(0.0, frozenset())])
        if changes[-1][1] != hosts:
            changes.append((now, frozenset(hosts)))

    def changes(self, key: Key) -> list[tuple[float, frozenset[str]]]:
        """From the beginning on: when the set changed, and to what."""
        return list(self._changes.get(key, [(0.0, frozenset())]))

    def spans(self, key: Key, since: float, now: float, wanted: Callable[[frozenset[str]], bool]) -> list[Span]:
        """When, from ``since`` to ``now``, the set of hosts was such; adjacent stretches are one."""
        changes = self.changes(key)
        ends = [time for time, _ in changes[1:]] + [now]
        found: list[Span] = []
        for (start, hosts), end in zip(changes, ends, strict=True):
            span = Span(max(start, since), end)
            if span.seconds <= 0 or not wanted(hosts):
                continue
            if found and found[-1].end == span.start:
                span = Span(found.pop().start, end)
            found.append(span)
        return found
