"""Small worlds: two or three machines, what is on its way between them, and all that can happen next.

Time is dense, a search is not. So this is what is tried: a message arrives at any moment at which something happens
within ``DELAY`` of its sending, and a kernel is done at any such moment within ``INSTALL``; a timer fires when it is
due, but before or after anything else of that moment; and a fault may befall at every moment, between any two steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final

from hafw.sim.census import Machines
from hafw.sim.machine import ADVERT, TICK, Broken, Message, host

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hafw.sim.census import Sight
    from hafw.sim.machine import Deed
    from hafw.vrrp.settings import RouterSettings

DELAY: Final = 8
INSTALL: Final = 8
"""Ticks; both are less than a place in the ranked skew of an interval of one second."""
BUDGET: Final = ("losses", "copies", "crashes", "cuts", "failures", "requests")
_LOSS, _COPY, _CRASH, _CUT, _FAILURE, _REQUEST = range(len(BUDGET))

Link = tuple[tuple[Message, int], ...]
"""What is on its way in one direction, oldest first, and for how long."""
Scene = tuple[tuple[int, ...], tuple[Link, ...]]
"""The number of each machine, and the links between them."""
Left = tuple[int, ...]
"""Of the budget, in the order of ``BUDGET``."""
Clocks = tuple[int, int, bool]
"""Ticks since when there are two MASTERs, and since when nobody has the addresses; whether somebody ever had them."""
State = tuple[Scene, int, Left, Clocks]
"""With the directions that are cut, a bit each."""
Choice = tuple[str, int, int]
"""A verb, which machine or link, and which message or how many ticks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallWorld:
    """A cluster, and how much may befall it."""

    name: str
    routers: tuple[RouterSettings, ...]
    budget: Left
    overtaking: bool = False
    """Messages of one direction may overtake each other."""
    careful: bool = False
    """Checks fail and requests are made while all is in order, never of the last that is well: no gap is allowed."""
    depth: int | None = None
    """How many choices; ``None``: all that there are."""

    def __str__(self) -> str:
        lines = [f"{self.name}: {self.bound}"]
        for number, each in enumerate(self.routers):
            lines.append(
                f"  {host(number)} version {each.version} priority {each.priority}{' owner' if each.owner else ''}"
                f"{'' if each.preempt else ' nopreempt'} skew {'rfc' if each.rank is None else 'ranked'}"
            )
        return "\n".join(lines)

    @property
    def bound(self) -> str:
        """What may befall it, in words."""
        some = [f"{word} {left}" for word, left in zip(BUDGET, self.budget, strict=True) if left]
        ways = [*(["overtaking"] if self.overtaking else []), *(["in good order"] if self.careful else [])]
        deep = "any number of choices" if self.depth is None else f"{self.depth} choices"
        return ", ".join([deep, "starts", *some, *ways])


class Model:
    """All that can happen in a small world, and what the search wants to know of it."""

    def __init__(self, world: SmallWorld) -> None:
        self.world = world
        self.machines = Machines(world.routers, INSTALL)
        count = range(len(world.routers))
        self.pairs = [(sender, receiver) for sender in count for receiver in count if sender != receiver]
        self._out = [[(k, pair[1]) for k, pair in enumerate(self.pairs) if pair[0] == sender] for sender in count]
        self._in = [[k for k, pair in enumerate(self.pairs) if pair[1] == receiver] for receiver in count]
        self._shared: dict[object, object] = {}
        slowest = max(each.advertisement_interval for each in world.routers)
        self._interval = int(slowest / TICK)
        self.patience = int((3 * slowest + max(slowest, 1.0)) / TICK) + DELAY + INSTALL
        """Ticks: a master_down_interval, and all that comes before and after it, at the most."""

    @property
    def first(self) -> State:
        """Everything is off."""
        return (self.machines.off, ((),) * len(self.pairs)), 0, self.world.budget, (0, 0, False)

    def sights(self, scene: Scene) -> list[Sight]:
        """What there is to see of each machine."""
        known = self.machines.sights
        return [known[each] for each in scene[0]]

    # -- what can happen ----------------------------------------------------------------------------------------

    def choices(self, state: State) -> Iterator[Choice]:
        """Everything that may happen next."""
        scene, cuts, left, _ = state
        sights = self.sights(scene)
        befalls = any((left[_CRASH], left[_FAILURE], left[_REQUEST]))
        is_open = befalls and (not self.world.careful or self._is_in_order(scene))
        yield from self._on_the_way(scene, left)
        for number, each in enumerate(sights):
            if not each.is_up:
                yield "starts", number, 0
                continue
            if each.due <= 0:
                yield "looks at its timers", number, 0
            if each.is_installing:
                yield "has installed", number, 0
            if each.is_failing:
                yield "passes its check", number, 0
            if each.is_maintained:
                yield "ends maintenance", number, 0
            if is_open:
                yield from self._faults(number, sights, left)
        if cuts or left[_CUT]:
            yield from self._cuts(cuts, left)
        ticks = self.ticks(scene, sights)
        if 0 < ticks < inf:
            yield "time passes", 0, int(ticks)

    def _on_the_way(self, scene: Scene, left: Left) -> Iterator[Choice]:
        for k, link in enumerate(scene[1]):
            for position in range(len(link) if self.world.overtaking else min(1, len(link))):
                yield "arrives", k, position
                if left[_LOSS]:
                    yield "is lost", k, position
                if left[_COPY]:
                    yield "arrives, and will again", k, position

    def _cuts(self, cuts: int, left: Left) -> Iterator[Choice]:
        for k in range(len(self.pairs)):
            if cuts >> k & 1:
                yield "is mended", k, 0
            elif left[_CUT]:
                yield "is cut", k, 0

    def _faults(self, number: int, sights: list[Sight], left: Left) -> Iterator[Choice]:
        each = sights[number]
        others = any(other.is_able for other in sights if other is not each)
        if left[_CRASH]:
            yield "loses power", number, 0
        if left[_FAILURE] and not each.is_failing and (others or not self.world.careful):
            yield "fails its check", number, 0
        if not left[_REQUEST]:
            return
        if each.is_master:
            yield "is asked to hand over", number, 0
        if each.is_wanted and (others or not self.world.careful):
            yield "is asked to stop", number, 0
            if not each.is_maintained:
                yield "begins maintenance", number, 0

    def _is_in_order(self, scene: Scene) -> bool:
        """What an operator looks at first: one MASTER, with every address, and no second one just now, nor at once."""
        sights = self.sights(scene)
        masters = [number for number, each in enumerate(sights) if each.is_master]
        if len(masters) != 1 or not sights[masters[0]].has_all:
            return False
        rivals = (message[1] not in masters for link in scene[1] for message, _ in link)
        soon = (each.due <= 2 * DELAY for each in sights if not each.is_master)
        return not any(rivals) and not any(soon)

    def ticks(self, scene: Scene, sights: list[Sight]) -> float:
        """How long nothing has to happen; 0: something has to, now."""
        ticks = min([each.patience for each in sights])
        for link in scene[1]:
            if link and DELAY - link[0][1] < ticks:  # the oldest comes first, whatever overtakes it
                ticks = DELAY - link[0][1]
        return ticks

    # -- and what comes of it -----------------------------------------------------------------------------------

    def apply(self, state: State, choice: Choice) -> State:
        """Let it happen. Raises ``Broken``."""
        scene, cuts, left, clocks = state
        verb, which, amount = choice
        match verb:
            case "time passes":
                return self._share(self._wait(state, amount))
            case "is cut":
                return scene, cuts | 1 << which, _less(left, _CUT), (0, *clocks[1:])
            case "is mended":
                return scene, cuts & ~(1 << which), left, (0, *clocks[1:])
            case "is lost":
                return self._share(((scene[0], _without(scene[1], which, amount)), cuts, _less(left, _LOSS), clocks))
        if verb in _COSTS:
            left = _less(left, _COSTS[verb])
        scene = self.act(scene, cuts, choice)
        return self._share((scene, cuts, left, self._after(scene, clocks)))

    def act(self, scene: Scene, cuts: int, choice: Choice) -> Scene:
        """Let one machine live. Raises ``Broken``."""
        machines, links = scene
        number, deed = self.deed(scene, choice)
        if choice[0] == "arrives":
            links = _without(links, choice[1], choice[2])
        step = self.machines.step(machines[number], deed)
        if step.broken is not None:
            raise step.broken
        machines = (*machines[:number], step.number, *machines[number + 1 :])
        sights = self.machines.sights
        if not sights[step.number].is_up:
            emptied = self._in[number]
            links = tuple([() if k in emptied else link for k, link in enumerate(links)])
        if step.said:
            said = tuple([(message, 0) for message in step.said])
            new = list(links)
            for k, receiver in self._out[number]:
                if not cuts >> k & 1 and sights[machines[receiver]].is_up:
                    new[k] += said
            links = tuple(new)
        return machines, links

    def deed(self, scene: Scene, choice: Choice) -> tuple[int, Deed]:
        """Which machine it happens to, and what that is for it."""
        verb, which, amount = choice
        if verb in _ARRIVES:
            return self.pairs[which][1], ("hears", scene[1][which][amount][0])
        return which, (verb, None)

    def wait(self, scene: Scene, ticks: int) -> Scene:
        """Let nothing happen for so long. Raises ``Broken``."""
        machines = []
        for number in scene[0]:
            step = self.machines.later(number, ticks)
            if step.broken is not None:
                raise step.broken
            machines.append(step.number)
        links = tuple([tuple([(message, age + ticks) for message, age in link]) if link else link for link in scene[1]])
        return tuple(machines), links

    def _wait(self, state: State, ticks: int) -> State:
        scene, cuts, left, (overlap, dark, ever) = state
        sights = self.sights(scene)
        masters = [host(number) for number, each in enumerate(sights) if each.is_master]
        overlap = overlap + ticks if len(masters) > 1 and not cuts else 0
        longest = DELAY * (len(sights) - 1 + self._used(left, _FAILURE)) + self._interval * self._used(
            left, _LOSS, _CUT
        )
        if overlap > longest:
            said = f"{' and '.join(masters)} are MASTER for {overlap * TICK:.3f}s, at most {longest * TICK:.3f}s"
            raise Broken("rivals", said)
        is_away = not any(each.has_all for each in sights) and any(each.is_able for each in sights)
        dark = dark + ticks if is_away else 0
        longest = 0 if self.world.careful and ever else self.patience * (1 + 2 * self._used(left, *range(len(BUDGET))))
        if dark > longest:
            said = f"the addresses are on nobody for {dark * TICK:.3f}s, at most {longest * TICK:.3f}s"
            raise Broken("gap", said)
        return self.wait(scene, ticks), cuts, left, (overlap, dark, ever)

    def _after(self, scene: Scene, clocks: Clocks) -> Clocks:
        """Clocks that have nothing to count any more are set back."""
        overlap, dark, ever = clocks
        sights = self.sights(scene)
        if overlap and sum(each.is_master for each in sights) < 2:
            overlap = 0
        if (dark or not ever) and any(each.has_all for each in sights):
            dark, ever = 0, ever or self.world.careful
        return overlap, dark, ever

    def _used(self, left: Left, *which: int) -> int:
        return sum(self.world.budget[each] - left[each] for each in which)

    def _share(self, state: State) -> State:
        """Parts that states have in common are kept once."""
        share = self._shared.setdefault
        scene, cuts, left, clocks = state
        return share(scene, scene), cuts, share(left, left), share(clocks, clocks)  # type: ignore[return-value]

    # -- in words -----------------------------------------------------------------------------------------------

    def words(self, state: State, choice: Choice) -> str:
        """What happens, for people."""
        verb, which, amount = choice
        if verb == "time passes":
            return f"{amount * TICK:.4f}s pass"
        if verb in {"is cut", "is mended"}:
            sender, receiver = self.pairs[which]
            return f"the way from {host(sender)} to {host(receiver)} {verb}"
        if verb in _ARRIVES or verb == "is lost":
            kind, sender, value = state[0][1][which][amount][0]
            what = f"advert of priority {value}" if kind == ADVERT else "claim of the addresses"
            return f"{host(sender)}'s {what} to {host(self.pairs[which][1])} {verb}"
        return f"{host(which)} {verb}"


_ARRIVES = {"arrives", "arrives, and will again"}
_COSTS = {
    "arrives, and will again": _COPY,
    "loses power": _CRASH,
    "fails its check": _FAILURE,
    "is asked to hand over": _REQUEST,
    "is asked to stop": _REQUEST,
    "begins maintenance": _REQUEST,
}


def _less(left: Left, which: int) -> Left:
    return (*left[:which], left[which] - 1, *left[which + 1 :])


def _without(links: tuple[Link, ...], k: int, position: int) -> tuple[Link, ...]:
    link = links[k]
    return (*links[:k], link[:position] + link[position + 1 :], *links[k + 1 :])
