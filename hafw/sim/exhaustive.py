"""Every interleaving of a small world, on the real code: breadth first, each state once, and the promises in each.

Beside the promises of every moment, each state is left alone: nothing befalls it any more, and what is on its way
arrives, either at once or as late as may be. Then the cluster has to come to rest, in bounded time and for good: one
MASTER, one that has a right to be, with every address, and the others with none.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from hafw.journal import RecordedNode
from hafw.node import Node
from hafw.sim.machine import TICK, Broken, Machine, host
from hafw.sim.small import DELAY, Model, SmallWorld

if TYPE_CHECKING:
    from collections.abc import Callable

    from hafw.journal import Paper
    from hafw.sim.small import Choice, Scene, State

PATIENCES = 3
"""Of the cluster's longest waits so many may come before it is at rest: for a MASTER, a successor and a second one."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a search has found."""

    world: SmallWorld
    states: int
    transitions: int
    scenes: int
    """States of the cluster without what may befall it; each was left alone, in both ways."""
    calls: int
    """Of real Nodes; all else is known from an equal one."""
    depth: int
    """Choices to the states that are furthest away."""
    whole: bool
    """Whether that was all: no state was left out for a bound."""
    rest: float
    """Seconds after which every state was at rest, at the latest."""
    seconds: float
    """Of processor time."""
    broken: str = ""
    """The promise that was not kept; empty: all were."""
    promise: str = ""
    path: tuple[Choice, ...] = ()
    """The fewest choices that break it."""

    def __str__(self) -> str:
        reach = "all that there are" if self.whole else "bounded"
        result = self.broken or f"every promise is kept, at rest after {self.rest:.3f}s at the latest"
        return (
            f"{self.states} states ({reach}), {self.transitions} transitions, depth {self.depth}; "
            f"{self.scenes} scenes left alone; {self.calls} calls of Nodes; {self.seconds:.1f}s of processor time\n"
            f"  result: {result}"
        )


class _Found(Exception):  # noqa: N818
    """A broken promise, and the state and choice that broke it."""

    def __init__(self, broken: Broken, number: int, choice: Choice | None) -> None:
        super().__init__(str(broken))
        self.broken, self.number, self.choice = broken, number, choice


class Search:
    """One search, of one world."""

    def __init__(self, world: SmallWorld, states_max: float = inf, *, alone: bool = True) -> None:
        """``states_max``: no deeper choices once there are so many. ``alone``: whether each state is left alone."""
        self.world, self.model = world, Model(world)
        self._max = states_max
        self._numbers: dict[State, int] = {}
        self._parents: list[int] = []
        self._order: list[State] = []
        self._rests = [Rest(self.model, late=late) for late in (False, True)] if alone else []
        self.transitions = 0
        self.depth = 0
        self.whole = False

    def run(self) -> Outcome:
        """To its end, or to the first broken promise."""
        began, found = time.process_time(), None
        try:
            self._explore()
        except _Found as broken:
            found = broken
        took = time.process_time() - began
        path = () if found is None else self._path(found)
        return Outcome(
            world=self.world,
            states=len(self._order),
            transitions=self.transitions,
            scenes=max(map(len, self._rests), default=0),
            calls=self.model.machines.calls,
            depth=self.depth,
            whole=self.whole,
            rest=max((each.longest for each in self._rests), default=0) * TICK,
            seconds=took,
            broken="" if found is None else str(found.broken),
            promise="" if found is None else found.broken.promise,
            path=path,
        )

    def _explore(self) -> None:
        model, numbers, order = self.model, self._numbers, self._order
        self._add(model.first, 0)
        begin, end = 0, 1
        while begin < end:
            if self.depth == self.world.depth or len(order) >= self._max:
                return
            for number in range(begin, end):
                state = order[number]
                for choice in model.choices(state):
                    try:
                        after = model.apply(state, choice)
                    except Broken as broken:
                        raise _Found(broken, number, choice) from None
                    self.transitions += 1
                    if after not in numbers:
                        self._add(after, number)
            begin, end = end, len(order)
            self.depth += begin < end
        self.whole = True

    def _add(self, state: State, parent: int) -> None:
        number = self._numbers[state] = len(self._order)
        self._order.append(state)
        self._parents.append(parent)
        for rest in self._rests:
            try:
                rest.of(state[0])
            except Broken as broken:
                raise _Found(broken, number, None) from None

    def _path(self, found: _Found) -> tuple[Choice, ...]:
        """From the beginning; which choice led from one state to the next is found out again."""
        path = [] if found.choice is None else [found.choice]
        number = found.number
        while number:
            parent = self._parents[number]
            before, after = self._order[parent], self._order[number]
            path.append(next(each for each in self.model.choices(before) if self._leads(before, each, after)))
            number = parent
        return tuple(reversed(path))

    def _leads(self, before: State, choice: Choice, after: State) -> bool:
        try:
            return self.model.apply(before, choice) == after
        except Broken:
            return False


class Rest:
    """What becomes of a cluster that is left alone: nothing is chosen any more, so it is a line that ends in a ring."""

    def __init__(self, model: Model, *, late: bool) -> None:
        self._model, self._late = model, late
        self._known: dict[Scene, tuple[float, frozenset[int]]] = {}
        """Ticks until it is at rest, and who is MASTER then."""
        self._limit = PATIENCES * model.patience
        self.longest = 0.0

    def __len__(self) -> int:
        return len(self._known)

    def of(self, scene: Scene) -> None:
        """Leave it alone. Raises ``Broken``."""
        known = self._known
        if scene in known:
            return
        line: list[tuple[Scene, int]] = []
        places: dict[Scene, int] = {}
        while scene not in known and scene not in places:
            places[scene] = len(line)
            after, ticks = self._next(scene)
            line.append((scene, ticks))
            scene = after
        if scene in places:
            self._close([each for each, _ in line[places[scene] :]])
            line = line[: places[scene]]
        for each, ticks in reversed(line):
            rest, masters = known[scene]
            at_rest = not rest and self._is_good(each) and self._masters(each) == masters
            rest = 0 if at_rest else rest + ticks
            if rest > self._limit:
                raise Broken("rest", f"left alone, it comes to rest after {rest * TICK:.3f}s only")
            self.longest = max(self.longest, rest)
            known[each] = rest, masters
            scene = each

    def _close(self, ring: list[Scene]) -> None:
        masters = self._masters(ring[0])
        for each in ring:
            if not self._is_good(each) or self._masters(each) != masters:
                raise Broken("rest", f"left alone, it never comes to rest: {self._summary(each)}")
        self._known.update((each, (0, masters)) for each in ring)

    def _next(self, scene: Scene) -> tuple[Scene, int]:
        """The one thing that happens next, and how long it takes."""
        model = self._model
        sights = model.sights(scene)
        ticks = model.ticks(scene, sights)
        if ticks == inf:
            return scene, 0
        if ticks > 0 and (self._late or not self._is_busy(scene)):
            return model.wait(scene, int(ticks)), int(ticks)
        return model.act(scene, 0, self._first(scene)), 0

    def _is_busy(self, scene: Scene) -> bool:
        return any(scene[1]) or any(each.is_installing for each in self._model.sights(scene))

    def _first(self, scene: Scene) -> Choice:
        least = DELAY if self._late else 0
        for k, link in enumerate(scene[1]):
            if link and link[0][1] >= least:
                return "arrives", k, 0
        sights = self._model.sights(scene)
        for number, each in enumerate(sights):
            if each.is_installing and (each.limit <= 0 or not self._late):
                return "has installed", number, 0
        return "looks at its timers", next(n for n, each in enumerate(sights) if each.due <= 0), 0

    def _masters(self, scene: Scene) -> frozenset[int]:
        return frozenset(number for number, each in enumerate(self._model.sights(scene)) if each.is_master)

    def _is_good(self, scene: Scene) -> bool:
        """Who is able serves: one of them, whom no other one may displace. If nobody is, at most one has anything."""
        sights = self._model.sights(scene)
        masters = [each for each in sights if each.is_master]
        others = [each for each in sights if not each.is_master]
        if len(masters) > 1 or any(each.has_any for each in others):
            return False
        if not any(each.is_able for each in sights):
            return all(each.has_all for each in masters)
        if not masters or not (masters[0].serves and masters[0].is_able):
            return False
        return not any(each.is_able and each.eager and each.priority > masters[0].priority for each in others)

    def _summary(self, scene: Scene) -> str:
        said = []
        for number, each in enumerate(self._model.sights(scene)):
            instance = self._model.machines.machine(scene[0][number]).instance
            state = "off" if instance is None else str(instance.router.state)
            said.append(f"{host(number)} is {state} with {'all' if each.has_all else 'no'} addresses")
        return ", ".join(said)


# -- what was found, for people and for hafw replay -------------------------------------------------------------------


def explore(world: SmallWorld, states_max: float = inf, *, alone: bool = True) -> Outcome:
    """Everything that can happen in this world."""
    return Search(world, states_max, alone=alone).run()


def story(outcome: Outcome) -> list[str]:
    """The path in plain words, with the time of each step."""
    model, lines, now = Model(outcome.world), list[str](), 0.0
    state = model.first
    for choice in outcome.path:
        lines.append(f"{now:9.4f}  {model.words(state, choice)}")
        now += choice[2] * TICK if choice[0] == "time passes" else 0.0
        try:
            state = model.apply(state, choice)
        except Broken as broken:
            return [*lines, f"{now:9.4f}  {broken}"]
    return [*lines, f"{now:9.4f}  {outcome.broken}"]


def live_through(world: SmallWorld, path: tuple[Choice, ...], paper: Paper | None = None) -> list[Machine]:
    """The same on Nodes that nobody copies or compares, each with a life of its own, written down if there is paper.

    Returns the machines at the end of the path, or where the promise was broken.
    """
    notes = {"exhaustive": {"world": world.name}}

    def maker(number: int) -> Callable[..., Node]:
        if paper is None:
            return Node
        return lambda instances, now: RecordedNode(instances, now, paper, host(number), notes=lambda: notes)

    machines = [Machine(number, each, maker(number)) for number, each in enumerate(world.routers)]
    model = Model(world)
    state = model.first
    try:
        for choice in path:
            if choice[0] == "time passes":
                for each in machines:
                    each.wait(choice[2])
            elif choice[0] not in {"is lost", "is cut", "is mended"}:
                number, deed = model.deed(state[0], choice)
                machines[number].live(deed)
            state = model.apply(state, choice)
    except Broken:
        pass
    return machines
