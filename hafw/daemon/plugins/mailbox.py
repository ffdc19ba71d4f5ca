"""Events on their way to one plugin: a bounded queue per router and group, each kept until it was answered."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hafw.pipe import GroupChange, Router, StateChange, VipChange

LETTERS_MAX = 1024
_NUMBERS = count(1)


@dataclass(slots=True)
class Letter:
    """One event for one hook."""

    hook: str
    router: Router | None = None
    change: StateChange | None = None
    vip_change: VipChange | None = None
    group_change: GroupChange | None = None
    event: Mapping[str, Any] | None = None
    attempts: int = 0
    number: int = field(default_factory=_NUMBERS.__next__, compare=False)
    """Of all letters to all plugins."""


@dataclass(slots=True)
class Mailbox:
    """By lane: the router's name, ``group`` with that of a group, or empty for the stream of all events."""

    dropped: int = 0
    _lanes: dict[str, deque[Letter]] = field(default_factory=dict)
    _size: int = 0

    def put(self, lane: str, letter: Letter) -> None:
        """Queue it. When the box is full, the oldest of the longest lane goes that nobody is at work on."""
        self._lanes.setdefault(lane, deque()).append(letter)
        self._size += 1
        if self._size <= LETTERS_MAX:
            return
        fullest = max(self._lanes.values(), key=len)
        if len(fullest) > 2:  # the first may be at work, the last is news: what lies between is history
            del fullest[1]
            self._size -= 1
            self.dropped += 1

    def head(self, lane: str) -> Letter | None:
        """The next one; it stays until ``done``."""
        letters = self._lanes.get(lane)
        return letters[0] if letters else None

    def is_ready(self, letter: Letter) -> bool:
        """Whether it may be delivered: one about a group comes after all that its members were to be told before."""
        change = letter.group_change
        heads = (self.head(member) for member in change.members) if change else ()
        return all(head is None or head.number > letter.number for head in heads)

    def done(self, lane: str) -> None:
        """The head was answered, or is given up."""
        self._lanes[lane].popleft()
        self._size -= 1
        if not self._lanes[lane]:
            del self._lanes[lane]

    @property
    def lanes(self) -> tuple[str, ...]:
        """Those with something in them."""
        return tuple(self._lanes)

    def __len__(self) -> int:
        return self._size
