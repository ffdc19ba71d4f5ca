"""Worlds, drawn from their seeds: how a cluster is configured, and what befalls it when."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from random import Random
from typing import TYPE_CHECKING, Any, Final

from hafw.node import CheckSettings
from hafw.sim.forgery import LIKELY, WRONG
from hafw.sim.worlds import CALM, DEATHS, ROUTER, SECOND, STORM, TRACKER, VIP, Fault, Machine, World
from hafw.vrrp.settings import AntiReplay, HmacSettings, RouterSettings

if TYPE_CHECKING:
    from hafw.vrrp.settings import IPAddress

_STORMY: Final = (
    *("start", "stop", "kill", "poweroff", "crash", "pause", "sleep", "cut", "isolate", "heal", "loss", "double"),
    *("reorder", "claims lost", "claims late", "link down", "link up", "fails", "passes", "uplink fails"),
    *("uplink passes", "flap", "maintenance on", "maintenance off", "handover", "refuse", "slow", "steal"),
    *("forge", "forge", "replay", "wrong"),
)
_PLANNED: Final = ("stop", "handover", "maintenance on", "fails", "uplink fails")
_DEADLY: Final = ("poweroff", "crash", "pause", "sleep")
_ENDS: Final = {
    "stop": "start",
    "poweroff": "start",
    "maintenance on": "maintenance off",
    "fails": "passes",
    "uplink fails": "uplink passes",
}
_OF_ONE_ROUTER: Final = {
    *("handover", "fails", "passes", "uplink fails", "uplink passes", "flap"),
    *("forge", "steal"),
}
FAILURES: Final = 6
"""Of the router that keeps failing: twice as many as cost nothing."""
_ADDRESSES: Final[dict[str, tuple[IPAddress, ...]]] = {
    ROUTER: (VIP, ip_address("192.0.2.101")),
    SECOND: (ip_address("192.0.2.200"), ip_address("192.0.2.201")),
    f"{SECOND} over IPv6": (ip_address("fe80::200"), ip_address("2001:db8::200")),
}


def draw(seed: int, rng: Random) -> World:
    """The world of a seed; ``rng`` is of that seed."""
    kind = rng.choice([STORM, STORM, STORM, CALM, DEATHS])
    machines, mended = _machines(rng, mixed=kind == STORM)
    intervals = [each.advertisement_interval for machine in machines for each in machine.routers]
    quick = min(intervals) <= 0.05
    weight = rng.choice([1, -1]) * rng.choice([5, 60, 253])
    world = World(
        kind=kind,
        seed=seed,
        machines=machines,
        tracker=CheckSettings(name=TRACKER, weight=weight, rise=rng.choice([1, 2]), fall=rng.choice([1, 3])),
        delay=rng.choice([0.0001, 0.001]),
        jitter=0.0 if quick else rng.choice([0.0, 0.0005, 0.002]),
        detour=0.001 if quick or kind != STORM else rng.choice([0.002, 0.02, 0.3 * min(intervals)]),
        install=rng.choice([0.0002, 0.002]),
        faults=(),
        length=0.0,
        mended=mended,
    )
    faults = _storm(world, rng) if kind == STORM else _one_by_one(world, rng)
    world = replace(world, faults=faults)
    world = _held_back(world) if kind == STORM else world
    last = world.faults[-1]
    return replace(world, length=last.time + _away(last) + world.settle)


def _held_back(world: World) -> World:
    """One storm in four has routers that are held back, and one that keeps failing; drawn apart: all others stay."""
    rng = Random(f"flapping {world.seed}")  # noqa: S311 - chance, not secrets
    hold = rng.choice([0.0, 0.0, 0.0, 1.0]) * rng.choice([0.5, 2.0, 8.0]) * world.slowest
    if not hold:
        return world
    machines, mended = (
        tuple(
            replace(each, routers=tuple(replace(one, flap_hold=hold, flap_hold_max=4 * hold) for one in each.routers))
            for each in some
        )
        for some in (world.machines, world.mended)
    )
    host, router, now = rng.choice(world.names), rng.choice(world.routers), world.faults[-1].time
    again: list[Fault] = []
    for kind in ("fails", "passes") * FAILURES:
        now += rng.choice([0.1, 1.0, 5.0]) * world.slowest
        again.append(Fault(round(now, 4), kind, host, router=router))
    return replace(world, machines=machines, mended=mended, faults=(*world.faults, *again))


# -- the cluster ------------------------------------------------------------------------------------------------------


def _machines(rng: Random, *, mixed: bool) -> tuple[tuple[Machine, ...], tuple[Machine, ...]]:
    """As they are configured, and as they ought to be, where that is not the same."""
    count = rng.choice([2, 2, 3, 3, 4, 5])
    hmac = _hmac(rng) if rng.random() < 0.15 else None
    version = rng.choice([2, 3, 3, 3])
    interval = rng.choice([1.0, 2.0] if version == 2 else [0.01, 0.1, 0.5, 1.0, 3.0])
    common = {"version": version, "advertisement_interval": interval, "hmac": hmac}
    levels = [_routers(rng, count, ROUTER, common, mixed=mixed)]
    if rng.random() < 0.1:
        levels = [*_group(levels[0])]
    elif rng.random() < 0.25:
        common["version"] = rng.choice([2, 3]) if interval in {1.0, 2.0} else 3
        levels.append(_routers(rng, count, SECOND, common, mixed=False))
    numbers = rng.sample(range(1, 100), count)
    drift = rng.choice([0.0, 0.0, 1e-4, 1e-2])
    machines = tuple(
        Machine(
            f"lb{place + 1}",
            tuple(level[place] for level in levels),
            (ip_address(f"192.0.2.{number}"), ip_address(f"fe80::{number:x}")),
            1.0 + drift * rng.uniform(-1.0, 1.0),
            rng.uniform(-1.0, 1.0) if hmac else 0.0,
        )
        for place, number in enumerate(numbers)
    )
    return _misconfigured(machines, rng) if mixed and not machines[0].routers[0].group else (machines, ())


def _routers(rng: Random, count: int, name: str, common: dict[str, Any], *, mixed: bool) -> tuple[RouterSettings, ...]:
    version, interval = common["version"], common["advertisement_interval"]
    priorities = [rng.randrange(1, 255) for _ in range(count)]
    if mixed and rng.random() < 0.2:
        priorities = [priorities[0]] * count
    for place in range(rng.choice([0] * 17 + [1, 1, 2 if mixed else 1])):  # so many owners
        priorities[place] = 255
    ranked = len(set(priorities)) == count and rng.random() < 0.5
    over_ipv6 = name == SECOND and version == 3 and rng.random() < 0.5
    addresses = _ADDRESSES[f"{name} over IPv6" if over_ipv6 else name]
    own: dict[str, Any] = {
        "preempt": rng.choice([True, True, False]),
        "preempt_delay": rng.choice([0.0, 0.0, 0.0, 2 * interval]),
        "last_resort": rng.random() < 0.5,
        "password": b"secret" if version == 2 and common["hmac"] is None and rng.random() < 0.3 else None,
    }
    return tuple(
        RouterSettings(
            name=name,
            interface="eth0",
            vrid=51 if name == ROUTER else 52,
            priority=priority,
            owner=priority == 255,
            virtual_addresses=addresses[:1],
            excluded_addresses=addresses[1:],
            rank=sorted(priorities, reverse=True).index(priority) if ranked else None,
            **common,
            **own,
        )
        for priority in priorities
    )


def _group(level: tuple[RouterSettings, ...]) -> tuple[tuple[RouterSettings, ...], ...]:
    """A sync group of two members that are alike: of others nobody could say who is best."""
    vip, excluded = _ADDRESSES[SECOND]
    first = tuple(replace(each, group="VG_1") for each in level)
    return first, tuple(
        replace(each, name=SECOND, vrid=52, virtual_addresses=(vip,), excluded_addresses=(excluded,)) for each in first
    )


def _hmac(rng: Random) -> HmacSettings:
    return HmacSettings(keys={1: bytes(range(32))}, active=1, anti_replay=rng.choice(list(AntiReplay)))


def _misconfigured(machines: tuple[Machine, ...], rng: Random) -> tuple[tuple[Machine, ...], tuple[Machine, ...]]:
    """One mistake at a time, or none; intervals that differ are no mistake in version 3."""
    first = machines[0].routers[0]
    match rng.choice([""] * 12 + ["versions", "intervals", "intervals", "addresses"]):
        case "versions" if first.advertisement_interval in {1.0, 2.0}:
            mended = tuple(_with(each, version=3, password=None) for each in machines)
            return tuple(_with(each, version=rng.choice([2, 3])) for each in mended), mended
        case "intervals":
            interval = first.advertisement_interval
            mixed = tuple(_with(each, advertisement_interval=interval * rng.choice([1, 2])) for each in machines)
            return mixed, machines if first.version == 2 else ()
        case "addresses":
            return (machines[0], replace(machines[1], own=machines[0].own), *machines[2:]), machines
        case _:
            return machines, ()


def _with(machine: Machine, **changed: Any) -> Machine:  # noqa: ANN401 - of the settings
    return replace(machine, routers=(replace(machine.routers[0], **changed), *machine.routers[1:]))


# -- its fate ---------------------------------------------------------------------------------------------------------


def _storm(world: World, rng: Random) -> tuple[Fault, ...]:
    interval = world.machines[0].routers[0].advertisement_interval
    kinds = rng.sample(_STORMY, rng.randrange(3, len(_STORMY)))  # which troubles there are at all differs by seed
    now, faults = world.settle * rng.random(), []
    for _ in range(rng.randrange(3, 25)):
        now += rng.choice([0.0, 0.001, 0.3, 1.0, 4.0, 10.0]) * interval * rng.random()
        faults.append(_fault(now, rng.choice(kinds), world.names, world, rng))
    return tuple(faults)


def _fault(now: float, kind: str, names: list[str], world: World, rng: Random) -> Fault:
    host = rng.choice(names)
    interval = world.machines[0].routers[0].advertisement_interval
    others = {
        "cut": [each for each in names if each != host],
        "forge": LIKELY,
        "wrong": WRONG,
    }.get(kind)
    amount = {
        "pause": interval * rng.choice([0.2, 1.0, 2.9, 3.5, 20.0]),
        "sleep": interval * rng.choice([0.2, 1.0, 2.9, 3.5, 20.0]),
        "crash": rng.choice([0.15, 0.3, 1.5]),
        "loss": rng.choice([0.1, 0.5]),
        "double": 0.3,
        "reorder": rng.choice([0.1, 0.5]),
        "claims lost": rng.choice([0.5, 1.0]),
        "claims late": interval * rng.choice([0.1, 1.0]),
        "flap": interval * rng.choice([0.01, 0.3, 2.0]),
        "slow": interval * rng.choice([0.5, 2.0]),
    }.get(kind, 0.0)
    router = rng.choice(world.routers) if kind in _OF_ONE_ROUTER else ""
    return Fault(now, kind, host, rng.choice(others) if others else "", round(amount, 4), router)


def _one_by_one(world: World, rng: Random) -> tuple[Fault, ...]:
    """Each trouble, and its end after the cluster has come to rest; never two hosts away at once."""
    faults = [] if rng.random() < 0.5 else [_weather(world, rng)]
    now = world.settle
    for _ in range(rng.randrange(2, 7)):
        host = rng.choice(world.names)
        fault = _fault(now, rng.choice(_DEADLY if world.kind == DEATHS else _PLANNED), [host], world, rng)
        if rng.random() < 0.3:
            faults.append(_fault(now - 0.1 * rng.random(), "wrong", world.names, world, rng))
        faults.append(fault)
        now += world.settle + _away(fault)
        if fault.kind in _ENDS:
            faults.append(replace(fault, time=now, kind=_ENDS[fault.kind]))
            now += world.settle
    return tuple(faults)


def _away(fault: Fault) -> float:
    """Seconds for which it takes a daemon away."""
    return fault.amount if fault.kind in {"pause", "crash", "sleep"} else 0.0


def _weather(world: World, rng: Random) -> Fault:
    """What a cluster has to stand without anybody noticing."""
    interval = min(each.advertisement_interval for each in world.machines[0].routers)
    kinds = {"claims lost": rng.choice([0.5, 1.0]), "claims late": round(0.1 * interval, 4), "double": 0.3}
    kind = rng.choice(list(kinds))
    return Fault(0.0, kind, world.names[0], "", kinds[kind])
