"""What a seed stands for: a cluster, and what befalls it, both as plain data that can be printed and made smaller."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from hafw.node import CheckSettings, InstanceSettings
from hafw.vrrp.settings import RouterSettings

if TYPE_CHECKING:
    from hafw.vrrp.settings import IPAddress

ROUTER: Final = "VI_1"
SECOND: Final = "VI_2"
VIP: Final = ip_address("192.0.2.100")
CHECK: Final = "nginx"
TRACKER: Final = "uplink"

STORM: Final = "storm"
"""Everything at once: cut, lossy and doubling networks, deaths, freezes, attackers, and operators in the middle."""
CALM: Final = "calm"
"""One planned change at a time, and time to settle after it: nobody may notice anything."""
DEATHS: Final = "deaths"
"""One death at a time, and time to settle after it: the address is away for as long as the protocol says, no longer."""
PROCESSING: Final = 0.001
"""Seconds; adverts that are one delay apart see each other's MASTER for so long at most, beside the delays."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that happens; ``router``, ``other`` and ``amount`` as its kind wants them."""

    time: float
    kind: str
    host: str
    other: str = ""
    amount: float = 0.0
    router: str = ""

    def __str__(self) -> str:
        words = [f"{self.time:10.4f}", self.kind, self.host, self.router, self.other, f"{self.amount or ''}"]
        return " ".join(filter(None, words))


@dataclass(frozen=True, slots=True)
class Machine:
    """One host of a world."""

    name: str
    routers: tuple[RouterSettings, ...]
    own: tuple[IPAddress, ...]
    """Its addresses, one of each family."""
    rate: float = 1.0
    """Seconds that its clock counts in one second."""
    wall: float = 0.0
    """Seconds by which its time of day is ahead."""

    def source(self, router: RouterSettings) -> IPAddress:
        """Where its adverts come from."""
        return next(each for each in self.own if each.version == router.family)

    def __str__(self) -> str:
        clock = f" clock {self.rate:.6f}" if self.rate != 1.0 else ""
        return f"{self.name} {self.own[0]}{clock}: {'; '.join(map(_words, self.routers))}"


def _words(router: RouterSettings) -> str:
    preempt = f"after {router.preempt_delay}" if router.preempt_delay else router.preempt
    name = f"{router.group} {router.name}" if router.group else router.name
    return (
        f"{name} version {router.version} IPv{router.family} priority {router.priority}"
        f" interval {router.advertisement_interval} preempt {preempt} rank {router.rank} last_resort"
        f" {router.last_resort}" + (f" signed, {router.hmac.anti_replay}" if router.hmac else "")
    )


@dataclass(frozen=True, slots=True)
class World:
    """A cluster and its fate."""

    kind: str
    seed: int
    machines: tuple[Machine, ...]
    tracker: CheckSettings
    """A check with a weight, beside the critical one."""
    delay: float
    jitter: float
    detour: float
    """Seconds by which frames are late that take another way."""
    install: float
    faults: tuple[Fault, ...]
    length: float
    """Seconds of trouble, before everything is mended."""
    mended: tuple[Machine, ...] = ()
    """The machines as they ought to be configured; empty: as they are."""

    @property
    def names(self) -> list[str]:
        """The hosts."""
        return [each.name for each in self.machines]

    @property
    def routers(self) -> list[str]:
        """The virtual routers; each is on every host."""
        return [each.name for each in self.machines[0].routers]

    def settings(self, router: str) -> dict[str, RouterSettings]:
        """By host, those of one virtual router."""
        return {each.name: next(one for one in each.routers if one.name == router) for each in self.machines}

    @property
    def is_grouped(self) -> bool:
        """Whether its virtual routers are a sync group."""
        return bool(self.machines[0].routers[0].group)

    def addresses(self, router: str) -> tuple[IPAddress, ...]:
        """Those of one virtual router."""
        return next(iter(self.settings(router).values())).all_addresses

    def priority(self, router: str, host: str) -> int:
        """The effective one, when every check is well."""
        settings = self.settings(router)[host]
        return settings.priority if settings.owner else min(254, settings.priority + max(0, self.tracker.weight))

    @property
    def slowest(self) -> float:
        """The longest interval."""
        return max(each.advertisement_interval for machine in self.machines for each in machine.routers)

    @property
    def patience(self) -> float:
        """Seconds; no master_down_interval is longer."""
        is_old = any(each.version == 2 for machine in self.machines for each in machine.routers)
        return (3 * self.slowest + max(self.slowest, 1.0 if is_old else 0.0)) / min(each.rate for each in self.machines)

    @property
    def settle(self) -> float:
        """Seconds after which every cluster has come to rest: patience of the slowest, and of its second thoughts.

        One that keeps failing is held back at first.
        """
        holds = [each.flap_hold_max for machine in self.machines for each in machine.routers if each.flap_hold]
        return 4 * self.patience + 0.1 + max(holds, default=0.0)

    @property
    def reach(self) -> float:
        """Seconds within which two that hear each other have spoken and answered."""
        return 2 * (self.delay + self.jitter + self.detour) + PROCESSING

    def rivalry(self, router: str) -> float:
        """Seconds for which two are MASTER at most (C-SIM-04): in version 2 who wins waits for the next advert."""
        some = self.settings(router).values()
        waits = [each.advertisement_interval for each in some if each.version == 2]
        return self.reach + max(waits, default=0.0) / min(each.rate for each in self.machines)

    @property
    def is_plain(self) -> bool:
        """Whether the best router wins in the end whatever happened: nobody is told to leave a worse one alone."""
        gentle = {"handover", "maintenance on"}
        willing = all(each.preempt for machine in self.machines for each in machine.routers)
        return willing and not any(fault.kind in gentle for fault in self.faults)

    def hears(self, router: str, receiver: str, sender: str) -> bool:
        """Whether adverts of one are accepted by the other: C-RX-03, C-RX-14, C-RX-22."""
        here, there = (next(each for each in self.machines if each.name == name) for name in (receiver, sender))
        settings = self.settings(router)
        mine, its = settings[receiver], settings[sender]
        same = mine.version == 3 or mine.advertisement_interval == its.advertisement_interval
        return mine.version == its.version and same and here.source(mine) != there.source(its)

    @property
    def is_torn(self) -> bool:
        """Whether two sign in one name: each takes what the other has said for the past, and there is no rest."""
        signed = any(each.hmac for each in self.machines[0].routers)
        return signed and len({each.own for each in self.machines}) < len(self.machines)

    def is_whole(self, router: str) -> bool:
        """Whether all accept each other's adverts."""
        return all(self.hears(router, one, other) for one in self.names for other in self.names if one != other)

    def without(self, number: int) -> World:
        """The same without one fault."""
        return replace(self, faults=self.faults[:number] + self.faults[number + 1 :])

    def without_host(self, name: str) -> World:
        """The same without one host, and what befalls it."""
        left = [each for each in self.faults if name not in {each.host, each.other}]
        machines, mended = (tuple(each for each in some if each.name != name) for some in (self.machines, self.mended))
        return replace(self, machines=machines, mended=mended, faults=tuple(left))

    def without_router(self, name: str) -> World:
        """The same without one virtual router."""
        left = tuple(each for each in self.faults if each.router != name)
        machines, mended = (
            tuple(replace(each, routers=tuple(one for one in each.routers if one.name != name)) for each in some)
            for some in (self.machines, self.mended)
        )
        return replace(self, machines=machines, mended=mended, faults=left)

    def in_step(self) -> World:
        """The same with clocks that agree."""
        machines, mended = (
            tuple(replace(each, rate=1.0, wall=0.0) for each in some) for some in (self.machines, self.mended)
        )
        return replace(self, machines=machines, mended=mended)

    def put_right(self) -> World:
        """The same, configured as it ought to be, and with nothing that is still to come."""
        return replace(self, machines=self.mended, mended=(), faults=())

    def __str__(self) -> str:
        tracker = self.tracker
        wire = f"delay {self.delay} jitter {self.jitter} detour {self.detour} install {self.install}"
        check = f"{tracker.name} weight {tracker.weight} rise {tracker.rise} fall {tracker.fall}"
        options = f"seed {self.seed} kind {self.kind} {wire} {check}"
        return "\n".join([options, *map(str, self.machines), *map(str, self.faults)])


def instances(world: World, machine: Machine) -> list[InstanceSettings]:
    """With their checks."""
    critical = CheckSettings(name=CHECK, critical=True, rise=1, fall=1)
    return [InstanceSettings(router=each, checks=(critical, world.tracker)) for each in machine.routers]


def steady(length: float) -> World:
    """Three routers that nothing befalls for so many seconds: to see how quick virtual time is."""
    machines = tuple(
        Machine(
            f"lb{number}",
            (RouterSettings(name=ROUTER, interface="eth0", vrid=51, priority=priority, virtual_addresses=(VIP,)),),
            (ip_address(f"192.0.2.{number}"),),
        )
        for number, priority in enumerate((150, 100, 50), 1)
    )
    tracker = CheckSettings(name=TRACKER, weight=10)
    return World(STORM, 0, machines, tracker, 0.001, 0.0, 0.0, 0.002, faults=(), length=length)
