"""What a seed stands for: a cluster, and what befalls it, both as plain data that can be printed and made smaller."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from hafw.node import CheckSettings, InstanceSettings
from hafw.vrrp.settings import RouterSettings

if TYPE_CHECKING:
    from random import Random

ROUTER: Final = "VI_1"
VIP: Final = ip_address("192.0.2.100")
SECOND_VIP: Final = ip_address("192.0.2.101")
CHECK: Final = "nginx"

STORM: Final = "storm"
"""Everything at once: cut, lossy and doubling networks, deaths, freezes, and operators in the middle of it."""
CALM: Final = "calm"
"""One planned change at a time, and time to settle after it: nobody may notice anything."""
DEATHS: Final = "deaths"
"""One death at a time, and time to settle after it: the address is away for as long as the protocol says, no longer."""

_STORMY: Final = (
    *("start", "stop", "kill", "poweroff", "crash", "pause", "cut", "isolate", "heal", "loss", "double"),
    *("link down", "link up", "fails", "passes", "maintenance on", "maintenance off", "handover", "refuse", "slow"),
)
_DEADLY: Final = ("poweroff", "crash", "pause")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that happens; ``other`` and ``amount`` as its kind wants them."""

    time: float
    kind: str
    host: str
    other: str = ""
    amount: float = 0.0

    def __str__(self) -> str:
        return " ".join(filter(None, [f"{self.time:10.4f}", self.kind, self.host, self.other, f"{self.amount or ''}"]))


@dataclass(frozen=True, slots=True)
class World:
    """A cluster and its fate."""

    kind: str
    seed: int
    routers: tuple[RouterSettings, ...]
    """Of lb1, lb2, ..."""
    delay: float
    jitter: float
    install: float
    faults: tuple[Fault, ...]
    length: float
    """Seconds of trouble, before everything is mended."""

    @property
    def hosts(self) -> dict[str, RouterSettings]:
        """By name."""
        return {f"lb{number}": each for number, each in enumerate(self.routers, 1)}

    @property
    def settle(self) -> float:
        """Seconds after which every cluster has come to rest: patience of the slowest, and of its second thoughts."""
        slowest = max(each.advertisement_interval for each in self.routers)
        return 12 * (slowest + (1.0 if self.routers[0].version == 2 else slowest) / 3) + 1.0

    @property
    def is_plain(self) -> bool:
        """Whether the best router wins in the end whatever happened: nobody is told to leave a worse one alone."""
        gentle = {"handover", "maintenance on"}
        return all(each.preempt for each in self.routers) and not any(fault.kind in gentle for fault in self.faults)

    def without(self, number: int) -> World:
        """The same without one fault."""
        return replace(self, faults=self.faults[:number] + self.faults[number + 1 :])

    def __str__(self) -> str:
        lines = [f"seed {self.seed} kind {self.kind} delay {self.delay} jitter {self.jitter} install {self.install}"]
        for name, each in self.hosts.items():
            lines.append(
                f"{name} version {each.version} priority {each.priority} interval {each.advertisement_interval}"
                f" preempt {each.preempt} rank {each.rank} last_resort {each.last_resort}"
            )
        return "\n".join([*lines, *map(str, self.faults)])


def draw(seed: int, rng: Random) -> World:
    """The world of a seed; ``rng`` is of that seed."""
    kind = rng.choice([STORM, STORM, STORM, CALM, DEATHS])
    routers = _routers(rng, mixed=kind == STORM)
    world = World(
        kind=kind,
        seed=seed,
        routers=routers,
        delay=rng.choice([0.0001, 0.001]),
        jitter=rng.choice([0.0, 0.0005, 0.002]) if min(each.advertisement_interval for each in routers) > 0.05 else 0.0,
        install=rng.choice([0.0002, 0.002]),
        faults=(),
        length=0.0,
    )
    faults = _storm(world, rng) if kind == STORM else _one_by_one(world, rng)
    return replace(world, faults=faults, length=(faults[-1].time if faults else 0.0) + world.settle)


def _routers(rng: Random, *, mixed: bool) -> tuple[RouterSettings, ...]:
    count, version = rng.choice([2, 2, 3, 3, 4, 5]), rng.choice([2, 3, 3, 3])
    interval = rng.choice([1.0, 2.0] if version == 2 else [0.01, 0.1, 0.5, 1.0, 3.0])
    priorities = [rng.randrange(1, 255) for _ in range(count)]
    if mixed and rng.random() < 0.2:
        priorities = [priorities[0]] * count
    owner = rng.random() < 0.1
    if owner:
        priorities[0] = 255
    ranked = len(set(priorities)) == count and rng.random() < 0.5
    unequal = mixed and version == 3 and rng.random() < 0.1
    preempt = rng.choice([True, True, False])
    last_resort = rng.random() < 0.5
    return tuple(
        RouterSettings(
            name=ROUTER,
            interface="eth0",
            vrid=51,
            version=version,
            priority=priority,
            owner=priority == 255,
            advertisement_interval=interval * rng.choice([1, 2]) if unequal else interval,
            virtual_addresses=(VIP,),
            excluded_addresses=(SECOND_VIP,),
            preempt=preempt,
            rank=sorted(priorities, reverse=True).index(priority) if ranked else None,
            last_resort=last_resort,
        )
        for priority in priorities
    )


def instance(router: RouterSettings) -> InstanceSettings:
    """With its check."""
    return InstanceSettings(router=router, checks=(CheckSettings(name=CHECK, critical=True, rise=1, fall=1),))


def _storm(world: World, rng: Random) -> tuple[Fault, ...]:
    interval = world.routers[0].advertisement_interval
    kinds = rng.sample(_STORMY, rng.randrange(3, len(_STORMY)))  # which troubles there are at all differs by seed
    now, faults, names = world.settle * rng.random(), [], list(world.hosts)
    for _ in range(rng.randrange(3, 25)):
        now += rng.choice([0.0, 0.001, 0.3, 1.0, 4.0, 10.0]) * interval * rng.random()
        faults.append(_fault(now, rng.choice(kinds), names, interval, rng))
    return tuple(faults)


def _fault(now: float, kind: str, names: list[str], interval: float, rng: Random) -> Fault:
    host = rng.choice(names)
    other = rng.choice([each for each in names if each != host]) if kind == "cut" else ""
    amount = {
        "pause": interval * rng.choice([0.2, 1.0, 2.9, 3.5, 20.0]),
        "crash": rng.choice([0.15, 0.3, 1.5]),
        "loss": rng.choice([0.1, 0.5]),
        "double": 0.3,
        "slow": interval * rng.choice([0.5, 2.0]),
    }.get(kind, 0.0)
    return Fault(now, kind, host, other, round(amount, 4))


def _one_by_one(world: World, rng: Random) -> tuple[Fault, ...]:
    """Each trouble, and its end after the cluster has come to rest; never two hosts away at once."""
    now, faults = world.settle, list[Fault]()
    ends = {"stop": "start", "maintenance on": "maintenance off", "fails": "passes", "poweroff": "start"}
    for _ in range(rng.randrange(2, 7)):
        host = rng.choice(list(world.hosts))
        kinds = _DEADLY if world.kind == DEATHS else ("stop", "handover", "maintenance on", "fails")
        fault = _fault(now, rng.choice(kinds), [host], world.routers[0].advertisement_interval, rng)
        faults.append(fault)
        now += world.settle + (fault.amount if fault.kind in {"pause", "crash"} else 0.0)
        if fault.kind in ends:
            faults.append(Fault(now, ends[fault.kind], host))
            now += world.settle
    return tuple(faults)


def steady(length: float) -> World:
    """Three routers that nothing befalls for so many seconds: to see how quick virtual time is."""
    routers = tuple(
        RouterSettings(name=ROUTER, interface="eth0", vrid=51, priority=priority, virtual_addresses=(VIP,))
        for priority in (150, 100, 50)
    )
    return World(STORM, 0, routers, delay=0.001, jitter=0.0, install=0.002, faults=(), length=length)
