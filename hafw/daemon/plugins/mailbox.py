"""Events on their way to one plugin: a bounded queue per router and group, each kept until it was answered.

What gives way always has a successor here: a newer letter about the same subject, which tells how many it stands for.
So whatever is dropped, the last word about every state, group and address arrives.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Any

from hafw.pipe import LATEST

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from hafw.pipe import GroupChange, Router, StateChange, VipChange

LETTERS_MAX = 1024
"""Of one plugin. Last words come on top, so that it is bounded by this and what is configured."""
SUPERSEDED, DROPPED, GIVEN_UP = "superseded", "dropped", "given up"
"""Why a letter was never answered: its policy is to tell the latest; the box was full; every process died of it."""
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
    missed: int = 0
    """How many on the same subject gave way to it."""
    waited: bool = False
    """It was here while no process was."""
    replayed: bool = False
    """It tells what was told before, to a process that is new."""
    number: int = field(default_factory=_NUMBERS.__next__, compare=False)
    """Of all letters to all plugins."""
    kept: bytes = field(default=b"", compare=False, repr=False)
    """As it lies in the run directory, when it was written once."""

    @property
    def subject(self) -> str:
        """What it is the news of: in its lane an address, or the state; events of the stream only follow each other."""
        return self.vip_change.address if self.vip_change else ""

    @property
    def seq(self) -> int:
        """Of the change, or of the event in its stream."""
        change = self.change or self.vip_change or self.group_change
        return change.seq if change else self.event.get("seq", 0) if self.event else 0

    def arguments(self) -> dict[str, Any]:
        """What the call of its hook is given; a change tells of its delivery."""
        given: dict[str, Any] = {"event": self.event} if self.event is not None else {}
        if self.router:
            given |= {"router": self.router.name, "routers": (self.router,)}
        for name in ("change", "vip_change", "group_change"):
            if change := getattr(self, name):
                given[name] = replace(change, attempt=self.attempts, missed=self.missed, replayed=self.replayed)
        return given

    def again(self, router: Router | None) -> Letter:
        """A replay of it, with its router as that is now."""
        fresh = replace(self, router=router, attempts=0, missed=0, waited=False, replayed=True)
        fresh.number, fresh.kept = next(_NUMBERS), b""
        return fresh


@dataclass(slots=True)
class Lane:
    """Letters that must keep their order."""

    letters: OrderedDict[int, Letter] = field(default_factory=OrderedDict)
    """By number."""
    history: OrderedDict[int, None] = field(default_factory=OrderedDict)
    """Numbers of those that have a successor."""
    newest: dict[str, Letter] = field(default_factory=dict)
    """By subject."""
    out: int = 0
    """The number of the one that somebody is at work on."""

    @property
    def head(self) -> Letter | None:
        """The oldest."""
        return next(iter(self.letters.values()), None)

    def add(self, letter: Letter) -> Letter | None:
        """Behind all others; returns the one that it succeeds."""
        before = self.newest.get(letter.subject)
        self.newest[letter.subject] = self.letters[letter.number] = letter
        if before is not None:
            self.history[before.number] = None
        return before

    def remove(self, letter: Letter) -> None:
        """It was answered, or nobody is to be told."""
        del self.letters[letter.number]
        self.history.pop(letter.number, None)
        if self.newest[letter.subject] is letter:
            del self.newest[letter.subject]
        if self.out == letter.number:
            self.out = 0

    @property
    def expendable(self) -> int:
        """How many have a successor and wait."""
        return len(self.history) - (self.out in self.history)

    def oldest(self) -> Letter:
        """The first of those."""
        return next(self.letters[each] for each in self.history if each != self.out)

    def heir(self, letter: Letter) -> Letter:
        """The next one on the same subject as this one, which has a successor."""
        later = (self.letters[each] for each in self.history if each > letter.number)
        return next((each for each in later if each.subject == letter.subject), self.newest[letter.subject])


class Mailbox:
    """By lane: the router's name, ``group`` with that of a group, or empty for the stream of all events.

    ``gave_way`` is called with lane, letter and reason of each that will not be answered, when the box is in order.
    """

    def __init__(self, gave_way: Callable[[str, Letter, str], None] = lambda *_: None) -> None:
        self.policy = ""
        """``latest`` or ``every``; empty, and then as ``every``: the plugin has not said it yet."""
        self._lanes: dict[str, Lane] = {}
        self._laden: dict[str, None] = {}
        """Lanes that may have history, so that a full box need not look at all of them."""
        self._size = 0
        self._gave_way = gave_way

    def put(self, lane: str, letter: Letter) -> None:
        """Queue it; what gives way to it depends on the policy, and on how much there is."""
        before = self._lanes.setdefault(lane, Lane()).add(letter)
        self._size += 1
        if before is not None:
            self._laden[lane] = None
            self._supersede(lane, before)
        if self._size > LETTERS_MAX:
            self._drop()

    def settle(self, policy: str, hooks: Container[str]) -> list[Letter]:
        """Go by this policy from now on, for what waits too. Returns what is left out: nobody answers for its hook."""
        self.policy = policy
        unwanted = []
        for lane, letter in self.empty():
            if letter.hook in hooks:
                self.put(lane, letter)
            else:
                unwanted.append(letter)
        return unwanted

    def head(self, lane: str) -> Letter | None:
        """The next one; it stays until ``done``."""
        return self._lanes[lane].head if lane in self._lanes else None

    def take(self, lane: str) -> Letter | None:
        """The next one, if it ``is_ready``: it does not give way any more until ``put_back``."""
        letter = self.head(lane)
        if letter is None or not self.is_ready(letter):
            return None
        self._lanes[lane].out = letter.number
        return letter

    def is_ready(self, letter: Letter) -> bool:
        """Whether it may be delivered: one about a group comes after all that its members were to be told before."""
        change = letter.group_change
        heads = (self.head(member) for member in change.members) if change else ()
        return all(head is None or head.number > letter.number for head in heads)

    def put_back(self, lane: str) -> None:
        """Nobody is at work on the head any more, and it was not answered."""
        self._lanes[lane].out = 0
        head = self.head(lane)
        if head is not None and head.number in self._lanes[lane].history:
            self._supersede(lane, head)

    def done(self, lane: str) -> None:
        """The head was answered, or is given up."""
        head = self.head(lane)
        assert head is not None
        self._remove(lane, head)

    def knows(self, lane: str, subject: str) -> bool:
        """Whether there is news of it."""
        return lane in self._lanes and subject in self._lanes[lane].newest

    def empty(self) -> list[tuple[str, Letter]]:
        """Everything in it, with its lane, the oldest first; it is somebody else's now."""
        everything = [(name, each) for name, lane in self._lanes.items() for each in lane.letters.values()]
        self._lanes.clear()
        self._laden.clear()
        self._size = 0
        return sorted(everything, key=lambda each: each[1].number)

    @property
    def lanes(self) -> tuple[str, ...]:
        """Those with something in them."""
        return tuple(self._lanes)

    @property
    def letters(self) -> list[tuple[str, Letter]]:
        """Everything in it, with its lane."""
        return [(name, each) for name, lane in self._lanes.items() for each in lane.letters.values()]

    def __len__(self) -> int:
        return self._size

    def _supersede(self, name: str, letter: Letter) -> None:
        """Where only the latest counts, unless somebody is at work on it. Every event of the stream counts."""
        if self.policy == LATEST and letter.event is None and letter.number != self._lanes[name].out:
            self._give_way(name, letter, SUPERSEDED)

    def _drop(self) -> None:
        """One of the lane with the most history; last words are never dropped."""
        self._laden = {name: None for name in self._laden if name in self._lanes and self._lanes[name].history}
        name = max(self._laden, key=lambda each: self._lanes[each].expendable, default="")
        if name in self._laden and self._lanes[name].expendable:
            self._give_way(name, self._lanes[name].oldest(), DROPPED)

    def _give_way(self, name: str, letter: Letter, why: str) -> None:
        self._lanes[name].heir(letter).missed += 1 + letter.missed
        self._remove(name, letter)
        self._gave_way(name, letter, why)

    def _remove(self, name: str, letter: Letter) -> None:
        lane = self._lanes[name]
        lane.remove(letter)
        self._size -= 1
        if not lane.letters:
            del self._lanes[name]
