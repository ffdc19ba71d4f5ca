"""All that the machines of a small world can be, each once and by number, and where everything leads from each of them.

So a real Node runs once for each thing that can happen to it, and not once for each state of the world.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from hafw.sim.machine import CHECK, Broken, Machine
from hafw.vrrp.settings import State

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from hafw.sim.machine import Deed, Message
    from hafw.vrrp.settings import RouterSettings


@dataclass(frozen=True, slots=True)
class Sight:
    """What the search looks at in a machine, found out once."""

    is_up: bool = False
    is_master: bool = False
    is_able: bool = False
    """In the election, with nothing that keeps it from serving."""
    is_wanted: bool = False
    is_failing: bool = False
    is_maintained: bool = False
    is_installing: bool = False
    priority: int = 0
    eager: bool = False
    """It takes the role from a lower MASTER."""
    serves: bool = False
    """MASTER with every address, and nothing under way."""
    has_all: bool = False
    has_any: bool = False
    due: float = inf
    """Ticks until its Node has to be called; 0: now."""
    limit: float = inf
    """Ticks until its kernel has to have installed the addresses."""
    patience: float = inf
    """The lesser of the two."""


def sight(machine: Machine, install: int) -> Sight:
    """``install``: ticks that a kernel may take."""
    instance = machine.instance
    has_all = machine.kernel == frozenset(machine.settings.all_addresses)
    if instance is None:
        return Sight(has_all=has_all, has_any=bool(machine.kernel))
    router, listener = instance.router, instance.router.listener
    is_master = router.state is State.MASTER
    limit = inf if machine.installing is None else install - machine.installing
    return Sight(
        is_up=True,
        is_master=is_master,
        is_able=instance.wanted and not instance.causes and not listener.maintenance,
        is_wanted=instance.wanted,
        is_failing=instance.checks[CHECK].healthy is False,
        is_maintained=listener.maintenance,
        is_installing=machine.installing is not None,
        priority=router.priority,
        eager=(machine.settings.preempt or machine.settings.owner) and not listener.deferring,
        serves=is_master
        and has_all
        and router.tenure.installed
        and not (router.handing_over or router.degraded or instance.causes),
        has_all=has_all,
        has_any=bool(machine.kernel),
        due=machine.deadline,
        limit=limit,
        patience=min(machine.deadline, limit),
    )


@dataclass(frozen=True, slots=True)
class Step:
    """Where a deed leads."""

    number: int
    said: tuple[Message, ...] = ()
    broken: Broken | None = None


class Machines:
    """The census of one world."""

    def __init__(self, routers: tuple[RouterSettings, ...], install: int) -> None:
        self.sights: list[Sight] = []
        self.calls = 0
        """Of ``live`` and ``wait``: so often were real Nodes asked."""
        self._install = install
        self._machines: list[Machine] = []
        self._numbers: dict[Hashable, int] = {}
        self._steps: dict[tuple[int, Deed], Step] = {}
        self._later: dict[tuple[int, int], Step] = {}
        self.off = tuple(self._number(Machine(number, each)) for number, each in enumerate(routers))

    def __len__(self) -> int:
        return len(self._machines)

    def step(self, number: int, deed: Deed) -> Step:
        """What becomes of a machine to which this happens."""
        found = self._steps.get((number, deed))
        if found is None:
            found = self._steps[number, deed] = self._run(number, lambda machine: machine.live(deed))
        return found

    def later(self, number: int, ticks: int) -> Step:
        """What becomes of a machine to which nothing happens."""
        found = self._later.get((number, ticks))
        if found is None:

            def wait(machine: Machine) -> list[Message]:
                machine.wait(ticks)
                return []

            found = self._later[number, ticks] = self._run(number, wait)
        return found

    def _run(self, number: int, act: Callable[[Machine], list[Message]]) -> Step:
        self.calls += 1
        machine = self._machines[number].copied()
        try:
            said = tuple(act(machine))
        except Broken as broken:
            return Step(number, (), broken)
        return Step(self._number(machine), said)

    def _number(self, machine: Machine) -> int:
        key = machine.image()
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self._machines)
            self._machines.append(machine)
            self.sights.append(sight(machine, self._install))
        return found

    def machine(self, number: int) -> Machine:
        """To look at, not to change."""
        return self._machines[number]

    def image(self, number: int) -> Hashable:
        """What it is."""
        return self._machines[number].image()
